"""Receivables of the ledger, and the claims on accounts that are in force, compared account by account."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.ledger.payment_claims import IN_FORCE
from settlement.ledger.posting import RECEIVABLE
from settlement.reconciliation.breaks import Break, venue_account
from settlement.reconciliation.comparison import Comparison
from settlement.tables.banking import payment_claim
from settlement.tables.ledger import ledger_account


def subject_of(account: str) -> str:
    """Return the name of an account's receivable in a break, such as ``ledger:receivable:A.H``."""
    return f"{venue_account(RECEIVABLE)}:{account}"


async def compare(connection: AsyncConnection, comparison: Comparison) -> int:
    """Compare what each account owes with the claims on it, and return what all owe by these, in fen."""
    claims, columns = payment_claim.c, ledger_account.c
    made = select(claims.account, func.sum(claims.amount_fen)).where(IN_FORCE).group_by(claims.account)
    owed = {account: int(amount) for account, amount in await connection.execute(made)}
    booked = select(columns.name, columns.balance).where(columns.kind == RECEIVABLE)
    receivable = {account: -balance for account, balance in await connection.execute(booked)}
    for account in sorted(owed.keys() | receivable.keys()):
        comparison.checked += 1
        figures = (owed.get(account, 0), receivable.get(account, 0))
        if figures[0] != figures[1]:
            found = Break("CASH_DOCUMENTS", subject_of(account), CASH, *figures, account=account)
            comparison.breaks.append(found)
    return sum(owed.values())
