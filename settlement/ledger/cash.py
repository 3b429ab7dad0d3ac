"""Money in and out: from the escrow bank's statement to a member's holding in the engine, and back."""

from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, MAX_MONEY_FEN, BadValue, format_money
from settlement.base import proposals
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.documents.ledger import CASH_TRANSFER
from settlement.ledger import arrears, outbox
from settlement.tables.ledger import cash_transfer, trading_account


async def propose(connection: AsyncConnection, by: str, account: str, amount_fen: int, bank_reference: str) -> int:
    """Propose money in (positive) or out (negative) by the bank's reference; return the proposal's number.

    Raises BadValue for an unknown account, an amount of zero, and a bank reference that is already in use; Refused
    (ARREAR) for money out of an account with a bill that it could not pay.
    """
    if amount_fen == 0 or abs(amount_fen) > MAX_MONEY_FEN:
        raise BadValue("amount", format_money(amount_fen), "an amount of money that is not zero")
    if amount_fen < 0:
        await arrears.check_none(connection, account)
    printable("bank_reference", bank_reference, 64)
    if await connection.scalar(select(trading_account.c.account).where(trading_account.c.account == account)) is None:
        raise BadValue("account", account, "a trading account that the exchange has opened")
    row = {"account": account, "amount": amount_fen, "bank_reference": bank_reference, "status": "PROPOSED"}
    try:
        added = await connection.execute(insert(cash_transfer).values(row).returning(cash_transfer.c.cash_id))
    except IntegrityError as error:
        raise BadValue("bank_reference", bank_reference, "a bank reference that is not yet in use") from error
    number = int(added.scalar_one())
    summary = {"account": account, "amount": format_money(amount_fen), "bank_reference": bank_reference}
    return await proposals.propose(connection, by, "cash", [number], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Queue the change of the holding for the engine. Raises Refused (ARREAR) as ``propose`` does."""
    rows = await advance(connection, cash_transfer, CASH_TRANSFER, by, "approve", subjects)
    for row in rows.values():
        if row.amount < 0:
            await arrears.check_none(connection, row.account)
    moves = [(number, ((row.account, CASH, row.amount),)) for number, row in rows.items()]
    await outbox.put(connection, "cash", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Close the transfer; no money moves."""
    await advance(connection, cash_transfer, CASH_TRANSFER, by, "decline", subjects)


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Complete the transfer: the engine has adjusted the holding."""
    await advance(connection, cash_transfer, CASH_TRANSFER, by, "complete", subjects)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Close the transfer: the engine has refused, for example money out that orders have reserved."""
    for number, reason in reasons.items():
        await advance(connection, cash_transfer, CASH_TRANSFER, by, "refuse", [number], {"reason": reason})
