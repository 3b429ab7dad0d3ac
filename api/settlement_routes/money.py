"""Money, the ledger's balances, and what waits for a second person."""

from typing import Any

from pydantic import Field
from sqlalchemy import select

from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from goldx.protocol.units import format_amount, parse_money
from settlement.base import proposals
from settlement.ledger import cash
from settlement.service import movements
from settlement.tables.ledger import ledger_account

router = new_router()


class CashTransfer(Strict):
    account: str
    amount: str = Field(description="CNY; negative takes money out", examples=["1000000.00"])
    bank_reference: str


@router.get("/balances")
async def get_balances(_: Reader, connection: Transaction, account: str | None = None) -> dict[str, Any]:
    """The ledger's balances; the venue's own accounts have their kind as their name."""
    columns = ledger_account.c
    query = select(ledger_account).order_by(columns.kind, columns.name, columns.asset)
    rows = await connection.execute(query if account is None else query.where(columns.name == account))
    return {
        "balances": [
            {"kind": r.kind, "account": r.name, "asset": r.asset, "balance": format_amount(r.balance, r.asset)}
            for r in rows
        ]
    }


@router.get("/proposals")
async def get_proposals(_: Reader, connection: Transaction) -> dict[str, Any]:
    """What waits for a second person."""
    return {"proposals": [found._asdict() for found in await proposals.waiting(connection)]}


@router.post("/proposals/{number}/approve")
async def approve(by: Clerk, connection: Transaction, number: int) -> dict[str, Any]:
    """Approves another person's proposal; what it is about goes to the engine."""
    return (await movements.approve(connection, by, number))._asdict()


@router.post("/proposals/{number}/decline")
async def decline(by: Clerk, connection: Transaction, number: int) -> dict[str, Any]:
    """Ends a proposal without effect."""
    return (await movements.decline(connection, by, number))._asdict()


@router.post("/cash")
async def propose_cash(by: Clerk, connection: Transaction, transfer: CashTransfer) -> dict[str, int]:
    """Proposes money in or out by the escrow bank's reference."""
    amount = parse_money(transfer.amount)
    return {"proposal": await cash.propose(connection, by, transfer.account, amount, transfer.bank_reference)}
