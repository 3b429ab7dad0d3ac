"""Warehouses, and bars from arrival to the register."""

from typing import Annotated, Any

from fastapi import Body, Query
from sqlalchemy import Row

from api.settlement_routes.access import PAGE, Clerk, Reader, Strict, Transaction, new_router
from goldx.units import format_weight
from settlement import bar_list, intake, lots
from settlement.arithmetic import format_cg, format_fineness

router = new_router()


class Warehouse(Strict):
    warehouse: str
    name: str
    city: str
    customs: str = "DOMESTIC"


@router.post("/warehouses")
async def add_warehouse(by: Clerk, connection: Transaction, place: Warehouse) -> Warehouse:
    """Registers a delivery warehouse."""
    await lots.add_warehouse(connection, by, place.warehouse, place.name, place.city, place.customs)
    return place


@router.post("/bar-lists/declared")
async def import_bars(
    by: Clerk, connection: Transaction, file: Annotated[bytes, Body(media_type="text/csv")]
) -> dict[str, list[int]]:
    """Takes in the lots of a bar list (columns: docs/settlement.md): all or none."""
    return {"lots": await intake.receive(connection, by, bar_list.read_declared(file))}


@router.post("/bar-lists/measured")
async def process_bars(
    by: Clerk, connection: Transaction, file: Annotated[bytes, Body(media_type="text/csv")]
) -> dict[str, list[int]]:
    """Takes arrived lots to the register by their measured values: all or none."""
    return {"lots": await intake.process(connection, by, bar_list.read_measured(file))}


@router.get("/lots")
async def get_lots(
    _: Reader,
    connection: Transaction,
    state: str | None = None,
    symbol: str | None = None,
    after: int = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> dict[str, Any]:
    """Lots by number, a page of them after lot `after`."""
    found = await lots.listing(connection, state=state, symbol=symbol, after=after, limit=limit)
    return {"lots": [_lot(row) for row in found]}


@router.get("/lots/{number}")
async def get_lot(_: Reader, connection: Transaction, number: int) -> dict[str, Any]:
    """One lot with its custody history."""
    row = (await lots.find(connection, [number]))[number]
    names = ("step", "state", "at", "by", "warehouse", "detail")
    events = await lots.history(connection, number)
    return {**_lot(row), "history": [{name: getattr(event, name) for name in names} for event in events]}


def _lot(row: Row[Any]) -> dict[str, Any]:
    names = ("lot_id", "refiner", "serial", "year", "symbol", "form", "account", "warehouse", "origin", "state")
    weights = {
        name: None if cg is None else format_cg(cg) for name, cg in (("gross", row.gross_cg), ("melt", row.melt_cg))
    }
    return {
        **{name: getattr(row, name) for name in names},
        **{"declared_gross": format_cg(row.declared_gross_cg), **weights},
        "declared_fineness_permille": format_fineness(row.declared_fineness_e5),
        "fineness_permille": None if row.fineness_e5 is None else format_fineness(row.fineness_e5),
        "fine": None if row.fine_mg is None else format_weight(row.fine_mg),
    }
