"""Metal going out, and what is said of it afterwards."""

from typing import Any

from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy import Row

from api.edge.problems import problem
from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from goldx.protocol.units import format_amount, format_price, format_weight, parse_money, parse_weight
from settlement.base.arithmetic import format_fineness, parse_decimal
from settlement.base.working_days import parse_day
from settlement.load_outs import application, cancels, claims, handing_over

router = new_router()


class LoadOut(Strict):
    account: str
    symbol: str
    warehouse: str
    weight: str = Field(description="fine grams", examples=["300"])
    collector: str
    collector_id: str = Field(description="number of the identity paper; a hash and its last characters are kept")
    pickup_code: str = Field(description="6 to 12 digits; a hash is kept")
    code_again: str = Field(description="the pick-up code as it was entered the second time")
    lots_by: str = Field(default="AGE", description="AGE, or OWN_FIRST: own deposits and own stock first")
    declared_use: str = Field(default="NON_INVESTMENT", description="INVESTMENT or NON_INVESTMENT")
    from_day: str | None = Field(default=None, description="default: today", examples=["2026-11-24"])
    until_day: str | None = Field(default=None, description="default: as the tariff says")


class Shown(Strict):
    collector_id: str
    pickup_code: str


class NewCode(Strict):
    pickup_code: str
    code_again: str


class Claim(Strict):
    lots: list[int]
    reason: str
    seal_whole: bool


class Umpire(Strict):
    laboratory: str


class Decision(Strict):
    fineness_permille: str = Field(examples=["998.60"])
    fee: str = Field(description="what the umpire costs, CNY", examples=["300.00"])
    upheld: bool


@router.post("/load-outs")
async def apply_load_out(by: Clerk, connection: Transaction, wish: LoadOut) -> dict[str, int]:
    """Allocates lots and proposes the load-out."""
    fields = wish.model_dump(exclude={"weight", "from_day", "until_day"})
    asked = application.Application(
        **fields,
        ask_mg=parse_weight(wish.weight, "weight"),
        from_day=None if wish.from_day is None else parse_day("from_day", wish.from_day),
        until_day=None if wish.until_day is None else parse_day("until_day", wish.until_day),
    )
    return {"proposal": await application.apply(connection, by, asked)}


@router.get("/load-outs")
async def get_load_outs(
    _: Reader, connection: Transaction, status: str | None = None, after: int = 0
) -> dict[str, Any]:
    """Sheets by number, a thousand after sheet `after`."""
    return {"load_outs": [_sheet(row) for row in await application.listing(connection, status=status, after=after)]}


@router.get("/load-outs/{number}")
async def get_load_out(_: Reader, connection: Transaction, number: int) -> dict[str, Any]:
    """A load-out sheet with its lots."""
    row = await application.sheet(connection, number)
    return {**_sheet(row), "lots": await application.lots_of(connection, [number])}


def _sheet(row: Row[Any]) -> dict[str, Any]:
    names = (
        *("load_out_no", "account", "symbol", "warehouse", "price_source", "lots_by", "type", "declared_use"),
        *("collector", "collector_id", "wrong_codes", "status", "reason", "signed_by", "released_by"),
    )
    return {
        **{name: getattr(row, name) for name in names},
        **{"ask": format_weight(row.ask_mg), "allocated": format_weight(row.allocated_mg)},
        **{"of_own_stock": format_weight(row.own_mg), "price": format_price(row.price)},
        **{"over_short": format_amount(row.over_short_fen, "CNY")},
        **{"from_day": row.from_day.isoformat(), "until_day": row.until_day.isoformat()},
    }


@router.post("/load-outs/{number}/sign", response_model=None)
async def sign_load_out(by: Clerk, connection: Transaction, number: int, shown: Shown) -> dict[str, Any] | JSONResponse:
    """The first signature, against code and identity paper."""
    # A wrong code counts: it is answered, not raised, so that the transaction is committed.
    refusal = await handing_over.sign(connection, by, number, shown.pickup_code, shown.collector_id)
    if refusal is not None:
        return problem(409, str(refusal), refusal.reason)
    return {"load_out": number, "status": "SIGNED"}


@router.post("/load-outs/{number}/unsign")
async def unsign_load_out(by: Clerk, connection: Transaction, number: int) -> dict[str, Any]:
    """Takes the first signature back."""
    await handing_over.withdraw_signature(connection, by, number)
    return {"load_out": number, "status": "SUCCESS"}


@router.post("/load-outs/{number}/release")
async def release_load_out(by: Clerk, connection: Transaction, number: int) -> dict[str, list[int]]:
    """The second signature: hands the lots to the collector."""
    return {"lots": await handing_over.release(connection, by, number)}


@router.post("/load-outs/{number}/code")
async def propose_code(by: Clerk, connection: Transaction, number: int, code: NewCode) -> dict[str, int]:
    """Proposes a new pick-up code, which also ends a block."""
    return {"proposal": await handing_over.propose_code(connection, by, number, code.pickup_code, code.code_again)}


@router.post("/load-outs/{number}/cancel")
async def cancel_load_out(by: Clerk, connection: Transaction, number: int) -> dict[str, int]:
    """Proposes to cancel a settled load-out."""
    return {"proposal": await cancels.propose(connection, by, number)}


@router.post("/load-outs/{number}/claims")
async def open_claim(by: Clerk, connection: Transaction, number: int, wish: Claim) -> dict[str, int]:
    """Opens a quality claim about lots that have left."""
    opened = await claims.open_claim(connection, by, number, wish.lots, wish.reason, seal_whole=wish.seal_whole)
    return {"claim": opened}


@router.get("/claims")
async def get_claims(_: Reader, connection: Transaction) -> dict[str, Any]:
    """Quality claims, oldest first."""
    return {"claims": [_claim(row) for row in await claims.listing(connection)]}


@router.post("/claims/{number}/send")
async def send_claim(by: Clerk, connection: Transaction, number: int, umpire: Umpire) -> dict[str, int]:
    """Sends the samples to the umpire laboratory."""
    await claims.send(connection, by, number, umpire.laboratory)
    return {"claim": number}


@router.post("/claims/{number}/decide")
async def decide_claim(by: Clerk, connection: Transaction, number: int, decision: Decision) -> dict[str, int]:
    """Proposes the decision by the umpire's result."""
    e5 = parse_decimal("fineness_permille", decision.fineness_permille, 2, 1, 100_000, "per mille")
    fee = parse_money(decision.fee, "fee")
    return {"proposal": await claims.propose(connection, by, number, e5, fee, upheld=decision.upheld)}


def _claim(row: Row[Any]) -> dict[str, Any]:
    names = ("claim_no", "load_out_no", "lots", "reason", "status", "laboratory", "upheld", "payer", "opened_by")
    return {
        **{name: getattr(row, name) for name in names},
        "last_day": row.last_day.isoformat(),
        "umpire_permille": None if row.umpire_e5 is None else format_fineness(row.umpire_e5),
        "umpire_fee": None if row.umpire_fee_fen is None else format_amount(row.umpire_fee_fen, "CNY"),
    }
