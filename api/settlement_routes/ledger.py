"""Money in and out, the balances of the ledger, and how far it is."""

from typing import Any

from pydantic import Field

from api.dependencies import TheGateway
from api.listing import ThePage, listed
from api.settlement_routes.access import AnyStaff, Clerk, Reader, Strict, Transaction, new_router
from goldx.protocol.units import format_amount, parse_money
from settlement.ledger import balances, cash, progress

router = new_router()


class CashRequest(Strict):
    account: str
    amount: str = Field(description="CNY; negative takes money out", examples=["1000000.00"])
    bank_reference: str


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
    return {**reached._asdict(), "last_sequence": await gateway.events.last_sequence()}
