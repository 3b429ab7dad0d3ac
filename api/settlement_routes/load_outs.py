"""Metal going out, and quality claims about it afterwards."""

from typing import Any

from fastapi.responses import JSONResponse
from pydantic import Field

from api.edge.problems import problem
from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    LotNumber,
    Number,
    Reader,
    Strict,
    Transaction,
    new_router,
)
from api.settlement_routes.rows import Projection
from goldx.protocol.units import parse_money, parse_weight
from settlement.base.arithmetic import parse_padded_decimal
from settlement.base.working_days import parse_day
from settlement.documents.machines import MACHINES
from settlement.load_outs import application, cancels, handing_over, load_outs, quality_claims

router = new_router()

SHEET = Projection(
    "load_out_no account symbol warehouse price_source lots_by type declared_use collector collector_id "
    "wrong_codes status reason signed_by released_by from_day until_day",
    ask="ask_mg",
    allocated="allocated_mg",
    of_own_stock="own_mg",
    price="price",
    over_short="over_short_fen",
)
QUALITY_CLAIM = Projection(
    "claim_no load_out_no lots reason status laboratory upheld payer opened_by last_day",
    umpire_permille="umpire_e5",
    umpire_fee="umpire_fee_fen",
)


class LoadOutRequest(Strict):
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

    def application(self) -> application.Application:
        """Return it as settlement takes it. Raises BadValue."""
        return application.Application(
            **self.model_dump(exclude={"weight", "from_day", "until_day"}),
            ask_mg=parse_weight(self.weight, "weight"),
            from_day=None if self.from_day is None else parse_day("from_day", self.from_day),
            until_day=None if self.until_day is None else parse_day("until_day", self.until_day),
        )


class SignatureRequest(Strict):
    collector_id: str
    pickup_code: str


class NewCodeRequest(Strict):
    pickup_code: str
    code_again: str


class QualityClaimRequest(Strict):
    lots: list[LotNumber]
    reason: str
    seal_whole: bool


class UmpireRequest(Strict):
    laboratory: str


class QualityClaimDecisionRequest(Strict):
    fineness_permille: str = Field(examples=["998.60"])
    fee: str = Field(description="what the umpire costs, CNY", examples=["300.00"])
    upheld: bool | None = Field(default=None, description="the expected decision; default: that of the figures")


@router.post("/load-outs")
async def apply_load_out(by: Clerk, connection: Transaction, request: LoadOutRequest) -> dict[str, int]:
    """Allocate lots and propose the load-out."""
    return {"proposal": await application.apply(connection, by, request.application())}


@router.get("/load-outs")
async def get_load_outs(_: Reader, connection: Transaction, page: ThePage, status: str | None = None) -> dict[str, Any]:
    """List load-out sheets by number."""
    return listed("load_outs", SHEET, await load_outs.listing(connection, page, status=status))


@router.get("/load-outs/{number}")
async def get_load_out(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return a load-out sheet with its lots."""
    row = await load_outs.find(connection, number, lock=False)
    return {**SHEET(row), "lots": await load_outs.lots_of(connection, [number])}


@router.post("/load-outs/{number}/sign", response_model=None)
async def sign_load_out(
    by: Clerk, connection: Transaction, number: Number, request: SignatureRequest
) -> dict[str, Any] | JSONResponse:
    """Sign first, against code and identity paper."""
    # A wrong code is counted, so the refusal is answered and not raised: the transaction is committed.
    refusal = await handing_over.sign(connection, by, number, request.pickup_code, request.collector_id)
    if refusal is not None:
        return problem(409, str(refusal), refusal.reason)
    return {"load_out": number, "status": MACHINES["load_out"].steps["sign"].after}


@router.post("/load-outs/{number}/unsign")
async def unsign_load_out(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """Take the first signature back."""
    await handing_over.withdraw_signature(connection, by, number)
    return {"load_out": number, "status": MACHINES["load_out"].steps["withdraw_signature"].after}


@router.post("/load-outs/{number}/release")
async def release_load_out(by: Clerk, connection: Transaction, number: Number) -> dict[str, list[int]]:
    """Sign second: hands the lots to the collector."""
    return {"lots": await handing_over.release(connection, by, number)}


@router.post("/load-outs/{number}/code")
async def propose_code(by: Clerk, connection: Transaction, number: Number, request: NewCodeRequest) -> dict[str, int]:
    """Propose a new pick-up code, which also ends a block."""
    codes = (request.pickup_code, request.code_again)
    return {"proposal": await handing_over.propose_code(connection, by, number, *codes)}


@router.post("/load-outs/{number}/cancel")
async def cancel_load_out(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """Propose to cancel a settled load-out."""
    return {"proposal": await cancels.propose(connection, by, number)}


@router.post("/load-outs/{number}/claims")
async def open_quality_claim(
    by: Clerk, connection: Transaction, number: Number, request: QualityClaimRequest
) -> dict[str, int]:
    """Open a quality claim about lots that have left."""
    about = (request.lots, request.reason)
    return {"claim": await quality_claims.open_claim(connection, by, number, *about, seal_whole=request.seal_whole)}


@router.get("/claims")
async def get_quality_claims(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List quality claims, oldest first."""
    return listed("claims", QUALITY_CLAIM, await quality_claims.listing(connection, page))


@router.post("/claims/{number}/send")
async def send_quality_claim(
    by: Clerk, connection: Transaction, number: Number, request: UmpireRequest
) -> dict[str, int]:
    """Send the samples to the umpire laboratory."""
    await quality_claims.send(connection, by, number, request.laboratory)
    return {"claim": number}


@router.post("/claims/{number}/decide")
async def decide_quality_claim(
    by: Clerk, connection: Transaction, number: Number, request: QualityClaimDecisionRequest
) -> dict[str, int]:
    """Propose the decision by the umpire's result."""
    e5 = parse_padded_decimal("fineness_permille", request.fineness_permille, 2, 1, 100_000, "per mille")
    fee = parse_money(request.fee, "fee")
    return {"proposal": await quality_claims.propose(connection, by, number, e5, fee, upheld=request.upheld)}
