"""Corrections of money on the wrong account, proposed by one person with the reason and approved by another.

Only events of the engine are posted, so a correction is a movement of holdings like any other, with an entry of its
own. It never changes the amount of money at the bank. It moves money

- from one trading account to another, if money was booked to the wrong one;
- from the venue's own account to the holder of an upheld quality claim;
- between an account and ``suspense``, up to the amount that came or went without a document.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Row, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, MAX_MONEY_FEN, BadValue, format_money
from settlement.base import audit, proposals
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.sub_accounts import Legs, check_trading_account
from settlement.base.texts import printable
from settlement.documents.ledger import CORRECTION
from settlement.ledger import balances, holdings, outbox
from settlement.ledger.holdings import OVER_SHORT_ACCOUNT
from settlement.tables.ledger import correction
from settlement.tables.load_outs import claim, load_out


async def propose(
    connection: AsyncConnection,
    by: str,
    from_account: str | None,
    to_account: str | None,
    amount_fen: int,
    why: str,
    document: str,
    *,
    claim_no: int | None = None,
) -> int:
    """Propose a correction by the number of the ``document`` that proves it; return the proposal's number.

    If one of the accounts is None, the other side is ``suspense``. Raises BadValue; Refused: INSUFFICIENT_CASH if the
    first account lacks the money, NOTHING_TO_CORRECT if ``suspense`` has less to give or to take back.
    """
    if not 0 < amount_fen <= MAX_MONEY_FEN:
        raise BadValue("amount", format_money(amount_fen), f"CNY, more than zero, up to {format_money(MAX_MONEY_FEN)}")
    if from_account == to_account:
        raise BadValue("to_account", to_account, "another account than from_account; one of the two may be left out")
    printable("reason", why, 200)
    printable("document", document, 64)
    await audit.lock(connection)
    for account in (from_account, to_account):
        if account is not None:
            await check_trading_account(connection, account)
    if from_account is not None:
        await holdings.check_available(connection, from_account, CASH, amount_fen)
    if from_account is None or to_account is None:
        await _check_suspense(connection, amount_fen if to_account is None else -amount_fen)
    about = {"from_account": from_account, "to_account": to_account, "claim_no": claim_no}
    row = {**about, "amount_fen": amount_fen, "why": why, "document": document, "status": "PROPOSED"}
    try:
        added = await connection.execute(insert(correction).values(row).returning(correction.c.correction_no))
    except IntegrityError as error:
        raise BadValue("claim", claim_no, "a claim without a proposed or made payment") from error
    number = int(added.scalar_one())
    summary = {**about, "amount": format_money(amount_fen), "reason": why, "document": document}
    return await proposals.propose(connection, by, "correction", [number], summary)


async def _check_suspense(connection: AsyncConnection, change_fen: int = 0) -> None:
    """Raise Refused if ``suspense``, with all corrections under way and this change, would pass zero."""
    signed = select(func.sum(correction.c.amount_fen)).where(correction.c.status.in_(CORRECTION.open))
    given = int(await connection.scalar(signed.where(correction.c.to_account.is_(None))) or 0)
    taken = int(await connection.scalar(signed.where(correction.c.from_account.is_(None))) or 0)
    now = await balances.of_kind(connection, "suspense", CASH)
    giving, taking = given + max(change_fen, 0), taken + max(-change_fen, 0)
    if giving > max(-now, 0) or taking > max(now, 0):
        text = f"without a document {format_money(-now)} CNY came in; corrections cannot exceed that"
        raise Refused("NOTHING_TO_CORRECT", text)


async def pay_claim(
    connection: AsyncConnection, by: str, claim_no: int, amount_fen: int, why: str, document: str
) -> int:
    """Propose to pay an upheld claim out of the venue's own account; return the proposal's number.

    Raises BadValue for an unknown claim or one that is paid, Refused (ILLEGAL_STEP) for one that is not upheld.
    """
    query = select(claim.c.status, claim.c.upheld, load_out.c.account)
    query = query.join(load_out, load_out.c.load_out_no == claim.c.load_out_no).where(claim.c.claim_no == claim_no)
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("claim", claim_no, "the number of a claim")
    if row.status != "DECIDED" or not row.upheld:
        raise Refused("ILLEGAL_STEP", f"claim {claim_no} is not upheld: only claims decided as upheld are paid")
    where = (OVER_SHORT_ACCOUNT, row.account)
    return await propose(connection, by, *where, amount_fen, why, document, claim_no=claim_no)


def _legs(row: Row[tuple[object, ...]]) -> Legs:
    moved = ((row.from_account, -row.amount_fen), (row.to_account, row.amount_fen))
    return tuple((account, CASH, amount) for account, amount in moved if account is not None)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Queue the movement for the engine. Raises Refused (NOTHING_TO_CORRECT) as ``propose`` does."""
    rows = await advance(connection, correction, CORRECTION, by, "approve", subjects)
    await _check_suspense(connection)
    await outbox.put(connection, "correction", by, [(number, _legs(row)) for number, row in rows.items()])


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Close the corrections; no money moves."""
    await advance(connection, correction, CORRECTION, by, "decline", subjects)


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Complete the corrections: the engine has moved the money."""
    await advance(connection, correction, CORRECTION, by, "complete", subjects)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Close the corrections: the engine has refused, for example money that orders have reserved."""
    for number, reason in reasons.items():
        await advance(connection, correction, CORRECTION, by, "refuse", [number], {"reason": reason})
