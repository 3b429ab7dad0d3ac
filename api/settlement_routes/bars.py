"""Warehouses, and bars from arrival to the register."""

from typing import Annotated, Any, Literal

from fastapi import Query
from sqlalchemy import Row

from api.settlement_routes.access import PAGE, Clerk, File, Reader, Strict, TheReading, Transaction, new_router
from goldx.protocol.units import format_weight
from settlement.base.arithmetic import format_cg, format_fineness
from settlement.intake import imports
from settlement.lots import lots

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


Kind = Literal["declared", "measured"]


@router.post("/bar-lists/{kind}/preview")
async def preview_bars(
    _: Reader, connection: Transaction, kind: Kind, file: File, reading: TheReading
) -> dict[str, Any]:
    """What would be taken in, with every problem by row; changes nothing."""
    found = await imports.preview(connection, kind, file, reading)
    problems = [problem._asdict() for problem in found.problems]
    return {**found._asdict(), "problems": problems}


@router.post("/bar-lists/{kind}")
async def import_bars(
    by: Clerk, connection: Transaction, kind: Kind, file: File, reading: TheReading, name: str = "upload"
) -> dict[str, Any]:
    """Takes in a bar list (columns: docs/settlement.md), all or none, and keeps the file under `name`.

    `declared`: the lots are advised; `measured`: they arrive and go to the register by what was found of them, but for
    those that are certified and wait, each with the reason.
    """
    return (await imports.take_in(connection, by, kind, name, file, reading))._asdict()


@router.get("/lots")
async def get_lots(
    _: Reader,
    connection: Transaction,
    state: str | None = None,
    symbol: str | None = None,
    account: str | None = None,
    warehouse: str | None = None,
    refiner: str | None = None,
    serial: Annotated[str | None, Query(description="May end in `*`: all that begin so")] = None,
    arrived_from: Annotated[int | None, Query(description="ms since the epoch")] = None,
    arrived_before: Annotated[int | None, Query(description="ms since the epoch")] = None,
    after: int = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> dict[str, Any]:
    """Lots by number, a page of them after lot `after`."""
    search = lots.Search(state, symbol, account, warehouse, refiner, serial, arrived_from, arrived_before)
    return {"lots": [_lot(row) for row in await lots.listing(connection, search, after=after, limit=limit)]}


@router.get("/custody-events")
async def get_events(
    _: Reader,
    connection: Transaction,
    warehouse: str | None = None,
    since: Annotated[int | None, Query(description="ms since the epoch")] = None,
    before: Annotated[int | None, Query(description="ms since the epoch")] = None,
    after_at: int = 0,
    after: int = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> dict[str, Any]:
    """Custody events of all lots by time, a page of them after event `after` of the time `after_at`."""
    search = lots.EventSearch(since, before, warehouse)
    found = await lots.events(connection, search, after=(after_at, after), limit=limit)
    return {"events": [dict(row._mapping) for row in found]}


@router.get("/lots/{number}")
async def get_lot(_: Reader, connection: Transaction, number: int) -> dict[str, Any]:
    """One lot with its custody history."""
    row = (await lots.find(connection, [number]))[number]
    names = ("step", "state", "at", "by", "warehouse", "detail")
    events = await lots.history(connection, number)
    return {**_lot(row), "history": [{name: getattr(event, name) for name in names} for event in events]}


def _lot(row: Row[Any]) -> dict[str, Any]:
    names = ("lot_id", "refiner", "serial", "year", "symbol", "form", "account", "warehouse", "state", "held_state")
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
