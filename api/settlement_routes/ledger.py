"""Money in and out, the balances of the ledger, and how far it is."""

from typing import Any

from pydantic import Field

from api.dependencies import TheGateway
from api.listing import ThePage, listed
from api.settlement_routes.access import AnyStaff, Clerk, LotNumber, Number, Reader, Strict, Transaction, new_router
from api.settlement_routes.rows import Projection
from goldx.protocol.units import format_amount, parse_money, parse_weight
from settlement.ledger import balances, cash, corrections, fee_payouts, progress

router = new_router()

PROGRESS = Projection("sequence trades outbox")


class CashRequest(Strict):
    account: str
    amount: str = Field(description="CNY; negative takes money out", examples=["1000000.00"])
    bank_reference: str


class FeePayoutRequest(Strict):
    amount: str = Field(description="CNY, more than zero", examples=["1000.00"])
    reason: str


class QualityClaimPaymentRequest(FeePayoutRequest):
    document: str = Field(description="number of the paper that proves it")


ENTRY = Field(
    default=None,
    description="sequence of the entry without a document, from one account to another, that this takes back",
)


class CorrectionRequest(QualityClaimPaymentRequest):
    from_account: str | None = Field(
        default=None, description="pays; absent: money that went without a document comes back"
    )
    to_account: str | None = Field(
        default=None, description="is paid; absent: money that came without a document goes back"
    )
    entry: LotNumber | None = ENTRY


class MetalCorrectionRequest(Strict):
    symbol: str
    weight: str = Field(description="fine grams, more than zero", examples=["99.900"])
    from_account: str | None = Field(
        default=None, description="gives; absent: gold that went without a document comes back"
    )
    to_account: str | None = Field(
        default=None, description="gets it; absent: gold that came without a document goes back"
    )
    reason: str
    document: str = Field(description="number of the paper that proves it")
    entry: LotNumber | None = ENTRY


def _balance(row: Any) -> dict[str, Any]:
    amount = format_amount(row.balance, row.asset)
    return {"kind": row.kind, "account": row.name, "asset": row.asset, "balance": amount}


@router.get("/balances")
async def get_balances(_: Reader, connection: Transaction, page: ThePage, account: str | None = None) -> dict[str, Any]:
    """List the ledger's balances; the venue's own accounts have their kind as their name."""
    return listed("balances", _balance, await balances.listing(connection, page, name=account))


@router.post("/cash")
async def propose_cash(by: Clerk, connection: Transaction, request: CashRequest) -> dict[str, int]:
    """Propose money in or out by the escrow bank's reference."""
    amount = parse_money(request.amount)
    return {"proposal": await cash.propose(connection, by, request.account, amount, request.bank_reference)}


@router.get("/status")
async def get_status(_: AnyStaff, gateway: TheGateway, connection: Transaction) -> dict[str, Any]:
    """Return how far settlement is: sequences posted and last published, trades posted, what waits for the engine."""
    reached = await progress.read(connection)
    return {**PROGRESS(reached), "last_sequence": await gateway.events.last_sequence()}


@router.post("/corrections")
async def propose_correction(by: Clerk, connection: Transaction, request: CorrectionRequest) -> dict[str, int]:
    """Propose to move money between trading accounts, or to correct money that came or went without a document."""
    amount, accounts = parse_money(request.amount), (request.from_account, request.to_account)
    why = (request.reason, request.document)
    return {"proposal": await corrections.propose(connection, by, *accounts, amount, *why, entry=request.entry)}


@router.post("/corrections/metal")
async def propose_correction_of_metal(
    by: Clerk, connection: Transaction, request: MetalCorrectionRequest
) -> dict[str, int]:
    """Propose to move gold between trading accounts, or to correct gold that came or went without a document."""
    weight, accounts = parse_weight(request.weight, "weight"), (request.from_account, request.to_account)
    why = (request.reason, request.document)
    about = (request.symbol, *accounts, weight, *why)
    return {"proposal": await corrections.propose_metal(connection, by, *about, entry=request.entry)}


@router.post("/corrections/claims/{number}")
async def pay_quality_claim(
    by: Clerk, connection: Transaction, number: Number, request: QualityClaimPaymentRequest
) -> dict[str, int]:
    """Propose to pay an upheld quality claim out of the venue's own account."""
    amount = parse_money(request.amount)
    proposal = await corrections.pay_quality_claim(connection, by, number, amount, request.reason, request.document)
    return {"proposal": proposal}


@router.post("/corrections/fees")
async def pay_out_fees(by: Clerk, connection: Transaction, request: FeePayoutRequest) -> dict[str, int]:
    """Propose to pay fee income out to the venue's own account."""
    return {"proposal": await fee_payouts.propose(connection, by, parse_money(request.amount), request.reason)}
