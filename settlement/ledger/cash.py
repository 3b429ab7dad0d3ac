"""Money in and out: from the escrow bank's statement to a member's holding in the engine, and back."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import exists, func, insert, select, union_all
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, MAX_MONEY_FEN, BadValue, format_money
from settlement.base import audit, proposals
from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import SERVICE, advance
from settlement.base.sub_accounts import check_trading_account
from settlement.base.texts import printable
from settlement.documents.ledger import CASH_PROPOSED, CASH_TRANSFER, CASH_UNDER_WAY
from settlement.ledger import arrears, balances, outbox, payment_claims, stops
from settlement.tables.banking import bank_match, payment_answer, undone_attempt
from settlement.tables.ledger import cash_transfer
from settlement.tables.withdrawals import withdrawal

LONGEST_REFERENCE: Final = 64
"""Characters of a bank reference."""


class StatedPayment(NamedTuple):
    """A payment in a bank's statement, how its account was found, and for a return the payment that it takes back."""

    item_no: int
    how: str
    why: str
    against_item: int | None = None


async def propose(
    connection: AsyncConnection,
    by: str,
    account: str,
    amount_fen: int,
    bank_reference: str,
    payment: StatedPayment | None = None,
    more: Mapping[str, str] | None = None,
    undoes: int | None = None,
) -> int:
    """Propose money in (positive) or out (negative) by the bank's reference; return the proposal's number.

    ``payment`` is the one in a bank's statement that it answers to; one that the bank took back goes out of an account
    with arrears too, and so does money that ``undoes`` other money by the number of its ``undone_money``. ``more`` is
    shown beside to who decides the proposal.
    Raises BadValue for an account that is unknown or no trading account, an amount of zero, and a bank reference that
    is already in use; Refused for money out of an account with a bill that it could not pay (ARREAR) or of a member
    that is suspended (NOT_ACTIVE), and if the venue would owe or pay more than it can (SUM_TOO_LARGE,
    INSUFFICIENT_ESCROW).
    """
    if amount_fen == 0 or abs(amount_fen) > MAX_MONEY_FEN:
        largest = format_money(MAX_MONEY_FEN)
        raise BadValue("amount", format_money(amount_fen), f"an amount of money that is not zero, up to {largest}")
    await audit.lock(connection)
    await check_trading_account(connection, account)
    item_no = payment.item_no if payment is not None and payment.how == "RETURN" else None
    collects = amount_fen < 0 and await payment_claims.is_in_force(connection, item_no, undoes)
    await _check_sums(connection, 0 if collects else amount_fen)
    if amount_fen < 0 and undoes is None and (payment is None or payment.how != "RETURN"):
        await arrears.check_none(connection, account)
    printable("bank_reference", bank_reference, LONGEST_REFERENCE)
    row = {"account": account, "amount": amount_fen, "bank_reference": bank_reference, "status": CASH_PROPOSED}
    try:
        added = await connection.execute(insert(cash_transfer).values(row).returning(cash_transfer.c.cash_id))
    except IntegrityError as error:
        raise BadValue("bank_reference", bank_reference, "a bank reference that is not yet in use") from error
    number = int(added.scalar_one())
    summary = {**(more or {}), "account": account, "amount": format_money(amount_fen), "bank_reference": bank_reference}
    if payment is not None:
        values = {**payment._asdict(), "cash_id": number, "at": now_ms(), "by": by}
        await connection.execute(insert(bank_match).values(values))
        summary |= {"payment": str(payment.item_no), "how": payment.how, "why": payment.why}
    if undoes is not None:
        await connection.execute(insert(undone_attempt).values(cash_id=number, undone_no=undoes))
    await stops.check(connection, [number])
    return await proposals.propose(connection, by, "cash", [number], summary)


async def _check_sums(connection: AsyncConnection, amount_fen: int = 0) -> None:
    """Raise Refused if all transfers under way, with this one, exceed what the venue can owe or pay out.

    So no document leads to an event that the ledger cannot post. A claim that the engine does not have yet will leave
    the bank; money that collects one in force comes from the receivable and leaves it no more.
    """
    amount, under_way = cash_transfer.c.amount, cash_transfer.c.status.in_(CASH_UNDER_WAY)
    attempt = payment_claims.attempts().subquery()
    collects = exists().where(attempt.c.cash_id == cash_transfer.c.cash_id, attempt.c.began.is_not(None))
    coming = int(await connection.scalar(select(func.sum(amount)).where(under_way, amount > 0)) or 0)
    going = -int(await connection.scalar(select(func.sum(amount)).where(under_way, amount < 0, ~collects)) or 0)
    going += await payment_claims.leaving(connection)
    await balances.check_room(connection, CASH, coming + max(amount_fen, 0))
    going += max(-amount_fen, 0)
    escrow = -await balances.of_kind(connection, "bank_escrow", CASH)
    if going > escrow:
        text = f"the escrow bank holds {format_money(escrow)} CNY; with this, {format_money(going)} would go out of it"
        raise Refused("INSUFFICIENT_ESCROW", text)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Queue the change of the holding for the engine.

    Raises as ``propose`` does, and Refused for an order to pay to an account that has ended since (PAYEE_ENDED), and
    for what a claim is about that the engine has not answered yet (ILLEGAL_STEP).
    """
    rows = await advance(connection, cash_transfer, CASH_TRANSFER, by, "approve", subjects)
    await stops.check(connection, subjects)
    await payment_claims.check_none_coming(connection, subjects)
    await _check_sums(connection)
    of_returns = select(bank_match.c.cash_id).where(among(bank_match.c.cash_id, subjects), bank_match.c.how == "RETURN")
    undoing = select(undone_attempt.c.cash_id).where(among(undone_attempt.c.cash_id, subjects))
    taken_back = {*await connection.scalars(of_returns), *await connection.scalars(undoing)}
    for row in rows.values():
        await check_trading_account(connection, row.account)
        if row.amount < 0 and row.cash_id not in taken_back:
            await arrears.check_none(connection, row.account)
    moves = [(number, ((row.account, CASH, row.amount),)) for number, row in rows.items()]
    await outbox.put(connection, "cash", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Close the transfer; no money moves."""
    await advance(connection, cash_transfer, CASH_TRANSFER, by, "decline", subjects)


async def lapsed(connection: AsyncConnection, number: int) -> None:
    """Close an undecided transfer because the member has cancelled it; no money moves."""
    await advance(connection, cash_transfer, CASH_TRANSFER, SERVICE, "lapse", [number])


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Complete the transfer: the engine has adjusted the holding."""
    await advance(connection, cash_transfer, CASH_TRANSFER, by, "complete", subjects)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Close the transfer: the engine has refused, for example money out that orders have reserved.

    Where it should give back what the bank has taken back, the account owes it from now on: a claim is made.
    """
    for number, reason in reasons.items():
        await advance(connection, cash_transfer, CASH_TRANSFER, by, "refuse", [number], {"reason": reason})
    await payment_claims.make(connection, list(reasons))


async def coming_back(connection: AsyncConnection, cash_ids: Sequence[int]) -> set[int]:
    """Return which of these transfers bring back money that was out, or that was on its way out.

    That is a withdrawal that is given back, an order that the bank rejected, and a payment that it took back.
    """
    sources = (withdrawal.c.back_cash_id, payment_answer.c.back_cash_id)
    queries = [select(back).where(among(back, cash_ids)) for back in sources]
    of_returns = select(bank_match.c.cash_id).where(among(bank_match.c.cash_id, cash_ids), bank_match.c.how == "RETURN")
    return set((await connection.execute(union_all(*queries, of_returns))).scalars())
