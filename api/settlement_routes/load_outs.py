"""Metal going out."""

from typing import Any

from pydantic import Field

from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from goldx.units import format_amount, format_price, format_weight, parse_weight
from settlement import load_out

router = new_router()


class LoadOut(Strict):
    account: str
    symbol: str
    warehouse: str
    weight: str = Field(description="fine grams", examples=["300"])
    collector: str
    pickup_code: str = Field(description="6 to 12 digits")


class Release(Strict):
    pickup_code: str


@router.post("/load-outs")
async def apply_load_out(by: Clerk, connection: Transaction, wish: LoadOut) -> dict[str, int]:
    """Allocates lots and proposes the load-out."""
    ask = parse_weight(wish.weight, "weight")
    application = load_out.Application(wish.account, wish.symbol, wish.warehouse, ask, wish.collector, wish.pickup_code)
    return {"proposal": await load_out.apply(connection, by, application)}


@router.get("/load-outs/{number}")
async def get_load_out(_: Reader, connection: Transaction, number: int) -> dict[str, Any]:
    """A load-out sheet with its lots."""
    row = await load_out.sheet(connection, number)
    names = ("load_out_no", "account", "symbol", "warehouse", "price_source", "collector", "status", "reason")
    return {
        **{name: getattr(row, name) for name in names},
        **{"ask": format_weight(row.ask_mg), "allocated": format_weight(row.allocated_mg)},
        **{"price": format_price(row.price), "over_short": format_amount(row.over_short_fen, "CNY")},
        "lots": await load_out.lots_of(connection, [number]),
    }


@router.post("/load-outs/{number}/release")
async def release_load_out(by: Clerk, connection: Transaction, number: int, at_counter: Release) -> dict[str, Any]:
    """Hands the lots to the collector against the pick-up code."""
    return {"lots": await load_out.release(connection, by, number, at_counter.pickup_code)}
