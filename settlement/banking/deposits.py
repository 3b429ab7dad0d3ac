"""Payments in a bank's statements, matched with the transfers of money that they are.

A payment into the venue's account is a member's by the virtual account that it was paid to, or by the one trading
account that its reference or text names. Money in is proposed then, for a second person to approve. What names no
account, or more than one, waits in suspense until a clerk assigns it. A payment that takes back another one takes its
money back too, in either direction; what the account no longer has, it owes (``settlement.ledger.arrears``).
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Row, Select, Text, any_, exists, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.banking import matching, named_accounts, near_ties, payers, payouts, returns, ties, undoing
from settlement.banking.named_accounts import Named
from settlement.banking.statements import BOOKED, UNCLEAR_REVERSALS
from settlement.base import audit, proposals
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.spelling import fold
from settlement.base.texts import printable
from settlement.documents.ledger import BANK_REFERENCE_USED, CASH_DONE, CASH_SENDING
from settlement.ledger import arrears, cash
from settlement.tables.banking import bank_entry, bank_item, bank_match, bank_statement
from settlement.tables.ledger import cash_transfer

RETURNED: Final = re.compile(
    r"(A[CGM]|BE|CN|DT|ED|FF|FR|M[DS]|R[CFR]|SL|TM)[0-9]{2}"
    r"|AGNT|CURR|CUST|DUPL|FOCR|NARR|NOAS|NOCM|RUTA|SVNR|TRAC|UPAY"
)
"""A reason of ISO 20022 for which a payment came back, such as AC04; a bank's own kinds of transactions look alike."""
IN_USE: Final = cash_transfer.c.status.in_(BANK_REFERENCE_USED)


class DepositMatch(NamedTuple):
    """The outcome for one payment. Without ``how`` it stays in suspense, and ``why`` says for what reason."""

    item_no: int
    amount_fen: int
    how: str | None
    account: str | None
    proposal: int | None
    why: str


def payments() -> Select[Any]:
    """Return the query of all payments in statements of booked entries, with what their entries say."""
    joined = bank_item.join(
        bank_entry,
        (bank_entry.c.statement_no == bank_item.c.statement_no) & (bank_entry.c.place == bank_item.c.place),
    ).join(bank_statement, bank_statement.c.statement_no == bank_item.c.statement_no)
    columns = (bank_entry.c.day, bank_entry.c.reversal, bank_entry.c.bank_reference, bank_entry.c.code)
    return (
        select(bank_item, *columns, bank_statement.c.account_id, bank_statement.c.unclear_reversals)
        .select_from(joined)
        .where(bank_statement.c.kind == BOOKED, bank_statement.c.void_order.is_(None))
    )


def open_payments() -> Select[Any]:
    """Return the query of the payments without a matching transfer of money, and not returned before they had one."""
    tied = (
        select(bank_match.c.match_no)
        .outerjoin(cash_transfer, cash_transfer.c.cash_id == bank_match.c.cash_id)
        .where(bank_match.c.item_no == bank_item.c.item_no, IN_USE | bank_match.c.cash_id.is_(None))
    )
    return payments().where(~exists(tied))


async def suspense(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the payments that wait to be assigned, by number."""
    return await fetch(connection, open_payments(), (bank_item.c.item_no,), page)


async def match(connection: AsyncConnection, by: str) -> list[DepositMatch]:
    """Match every open payment whose account can be determined; return the outcome of each, in the order of time."""
    await audit.lock(connection)
    rows = list(await connection.execute(open_payments().order_by(bank_entry.c.day, bank_item.c.item_no)))
    owed = {row.item_no: row.account for row in await connection.execute(arrears.returns())}
    tied = await _tie_recorded(connection, by, owed)
    money = sorted({number for found in tied.values() for number in found.cash})
    near = await near_ties.of(connection, [*tied, *owed], money)
    left = [row for row in rows if row.item_no not in owed and row.item_no not in tied]
    back = [row for row in left if row.reversal or RETURNED.fullmatch(row.code)]
    other = [row for row in left if row not in back]
    named = await named_accounts.of(connection, [row.item_no for row in other])
    used = await _references_used(connection, left)
    found = {row.item_no: _left(row, f"account {owed[row.item_no]} owes it") for row in rows if row.item_no in owed}
    for row in rows:
        if (recorded := tied.get(row.item_no)) is not None:
            values = (row.item_no, row.amount_fen, "RECORDED", recorded.account, None, recorded.why)
            found[row.item_no] = DepositMatch(*values)
    for row in other:
        number = row.item_no
        found[number] = await _match(connection, by, row, named[number], near.get(number), used)
    found |= await _take_all_back(connection, by, back, used)
    return [found[row.item_no] for row in rows]


class _Recorded(NamedTuple):
    """The money that a payment is: its account, that of the first if there are several, its numbers, and why."""

    account: str
    cash: tuple[int, ...]
    why: str


async def _tie_recorded(connection: AsyncConnection, by: str, owed: Iterable[int]) -> dict[int, _Recorded]:
    """Tie all payments that are recorded money, those that are owed excepted, and return that money by payment."""
    matches = await matching.recorded(connection, owed)
    numbers = [number for match in matches for number in match.cash]
    query = select(cash_transfer.c.cash_id, cash_transfer.c.account).where(among(cash_transfer.c.cash_id, numbers))
    accounts = {row.cash_id: row.account for row in await connection.execute(query)} if numbers else {}
    tied = {}
    for match in matches:
        note = await ties.write(connection, by, match.items, match.cash, "RECORDED", match.why)
        why = f"{match.why}; {note}" if note else match.why
        tied.update(dict.fromkeys(match.items, _Recorded(accounts[match.cash[0]], match.cash, why)))
    return tied


async def _match(
    connection: AsyncConnection, by: str, row: Row[Any], named: Named, near: list[Row[Any]] | None, used: set[str]
) -> DepositMatch:
    """Match one payment that is neither recorded money nor a return, if its account can be determined."""
    if near is not None:
        return _left(row, near_ties.sentence(near))
    if row.amount_fen < 0:
        return _left(row, "money out that nobody has recorded")
    if named.ended_from is not None:
        return _left(row, f"virtual account {row.virtual_account} has ended on {named.ended_from}")
    if named.account is None or named.how is None or named.accounts > 1:
        return _left(row, f"it names several accounts: {named.every}" if named.accounts else "it names no account")
    payment = cash.StatedPayment(row.item_no, named.how, named.said or "")
    return await _propose(connection, by, row, named.account, payment, used)


async def _tie(connection: AsyncConnection, by: str, row: Row[Any], money: Row[Any], why: str) -> DepositMatch:
    """Tie a payment to money that was recorded before."""
    values = {"item_no": row.item_no, "cash_id": money.cash_id, "how": "RECORDED", "why": why}
    await connection.execute(insert(bank_match).values({**values, "at": now_ms(), "by": by}))
    await audit.record(connection, audit.Act(by, "bank_item.match", f"bank_item:{row.item_no}", values))
    return DepositMatch(row.item_no, row.amount_fen, "RECORDED", money.account, None, why)


async def _is_tied(connection: AsyncConnection, cash_id: int) -> bool:
    return bool(await connection.scalar(select(exists().where(bank_match.c.cash_id == cash_id))))


def _left(row: Row[Any], why: str) -> DepositMatch:
    return DepositMatch(row.item_no, row.amount_fen, None, None, None, why)


async def _propose(
    connection: AsyncConnection, by: str, row: Row[Any], account: str, payment: cash.StatedPayment, used: set[str]
) -> DepositMatch:
    """Propose to book a payment. What the rules of money do not allow stays in suspense, with the reason.

    Each proposal is an act of its own, which the rules may refuse after the one before it: they are made one by one.
    """
    reference = _reference(row, used)
    try:
        async with connection.begin_nested():
            more = {} if payment.how == "RETURN" else await payers.shown(connection, row, account)
            number = await cash.propose(connection, by, account, row.amount_fen, reference, payment, more)
    except Refused as error:
        return _left(row, f"{error.reason}: {error}")
    except BadValue as error:
        return _left(row, str(error))
    used.add(fold(reference))
    return DepositMatch(row.item_no, row.amount_fen, payment.how, account, number, payment.why)


async def _references_used(connection: AsyncConnection, rows: Iterable[Row[Any]]) -> set[str]:
    """Return which of the bank's references of payments are in use, folded."""
    column: ColumnElement[str] = func.folded(cash_transfer.c.bank_reference, type_=Text())
    said = {fold(row.bank_reference) for row in rows if row.bank_reference}
    return set(
        await connection.scalars(select(column).where(column == any_(literal(sorted(said), ARRAY(Text))), IN_USE))
    )


async def reference_of(connection: AsyncConnection, row: Row[Any]) -> str:
    """Return the bank's reference of a payment, with its number where that is in use, or there is none."""
    return _reference(row, await _references_used(connection, [row]))


def _reference(row: Row[Any], used: Collection[str]) -> str:
    whole = row.bank_reference and row.part == 1 and len(row.bank_reference) <= cash.LONGEST_REFERENCE
    if whole and fold(row.bank_reference) not in used:
        return str(row.bank_reference)
    return f"{row.bank_reference[:40]} payment {row.item_no}".strip()


async def _take_all_back(
    connection: AsyncConnection, by: str, rows: Iterable[Row[Any]], used: set[str]
) -> dict[int, DepositMatch]:
    """Take back the money of returned payments, where only one payment can be meant; return the outcome of each.

    A round takes back all that are clear, of two returns of one payment the earlier one. What one has taken back no
    other can mean, so rounds follow until one takes nothing back.
    """
    found = {row.item_no: _left(row, UNCLEAR_REVERSALS) for row in rows if row.reversal and row.unclear_reversals}
    waiting = [row for row in rows if row.item_no not in found]
    while waiting:
        meant = await returns.meant(connection, [row.item_no for row in waiting])
        taken: set[int] = set()
        for row in waiting:
            choices = meant.get(row.item_no, [])
            if len(choices) == 1 and choices[0].original not in taken:
                taken.add(choices[0].original)
                found[row.item_no] = await _take_back(connection, by, row, choices[0], used)
        waiting = [row for row in waiting if row.item_no not in found]
        if not taken:
            return found | {row.item_no: _left(row, _unclear(meant.get(row.item_no, []))) for row in waiting}
    return found


def _unclear(choices: Sequence[Row[Any]]) -> str:
    """Return why a return is left."""
    numbers = ", ".join(str(choice.original) for choice in choices)
    return f"it may take back any of the payments {numbers}" if choices else "it takes back no payment here"


async def _take_back(
    connection: AsyncConnection, by: str, row: Row[Any], original: Row[Any], used: set[str]
) -> DepositMatch:
    """Take back the money of the payment that a return means."""
    why = f"it takes back payment {original.original}"
    if original.status == CASH_SENDING:
        return _left(row, f"{why}, whose money is on its way to the engine")
    rejected = await payouts.back_of(connection, original.cash_id)
    if rejected is not None and not await _is_tied(connection, rejected.cash_id):
        undone = await undoing.find(connection, rejected.cash_id)
        status = None if undone is None else undone.status
        if status == CASH_SENDING:
            return _left(row, f"{why}, which was paid after all: money that came back is on its way out again")
        if status != CASH_DONE:
            why += ", which the bank had rejected: its money came back then"
            await undoing.end(
                connection, by, rejected.cash_id, f"payment {row.item_no} returned what the bank had paid"
            )
            return await _tie(connection, by, row, rejected, why)
    if original.status == CASH_DONE:
        payment = cash.StatedPayment(row.item_no, "RETURN", why, original.original)
        return await _propose(connection, by, row, original.account_name, payment, used)
    await cash.declined(connection, by, [original.cash_id])
    await proposals.lapse(connection, by, "cash", [original.cash_id])
    pairs = (
        (row.item_no, original.original, why),
        (original.original, row.item_no, f"payment {row.item_no} took it back"),
    )
    for item_no, against, reason in pairs:
        values = {"item_no": item_no, "against_item": against, "how": "OFFSET", "why": reason}
        await connection.execute(insert(bank_match).values({**values, "at": now_ms(), "by": by}))
        await audit.record(connection, audit.Act(by, "bank_item.match", f"bank_item:{item_no}", values))
    return DepositMatch(row.item_no, row.amount_fen, "OFFSET", original.account_name, None, why)


async def assign(connection: AsyncConnection, by: str, item_no: int, account: str, reason: str) -> int:
    """Propose a payment in suspense as an account's money; return the proposal's number.

    Raises BadValue for a payment that is not in suspense, and what ``settlement.ledger.cash.propose`` raises.
    """
    printable("reason", reason, 200)
    await audit.lock(connection)
    row = (await connection.execute(open_payments().where(bank_item.c.item_no == item_no))).first()
    if row is None:
        raise BadValue("payment", item_no, "the number of a payment in suspense")
    reference = await reference_of(connection, row)
    payment = cash.StatedPayment(item_no, "ASSIGNED", reason)
    more = await payers.shown(connection, row, account)
    return await cash.propose(connection, by, account, row.amount_fen, reference, payment, more)
