"""Payments in a bank's statements, matched with the transfers of money that they are.

A payment into the venue's account is a member's by the virtual account that it was paid to, or by the one trading
account that its reference or text names. Money in is proposed then, for a second person to approve. What names no
account, or more than one, waits in suspense until a clerk assigns it. A payment that takes back another one takes its
money back too, in either direction; what the account no longer has, it owes (``settlement.ledger.arrears``).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.banking import matching, near_ties, payers, payouts, ties, undoing, virtual_accounts
from settlement.banking.statements import BOOKED, UNCLEAR_REVERSALS
from settlement.base import audit, proposals
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.spelling import fold
from settlement.base.sub_accounts import is_trading_account
from settlement.base.texts import printable
from settlement.documents.ledger import BANK_REFERENCE_USED, CASH_DONE, CASH_SENDING
from settlement.ledger import arrears, cash
from settlement.tables.banking import bank_entry, bank_item, bank_match, bank_statement
from settlement.tables.ledger import cash_transfer, trading_account

WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
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
    known = await _Accounts.read(connection)
    owed = {row.item_no: row.account for row in await connection.execute(arrears.returns())}
    tied = await _tie_recorded(connection, by, owed)
    money = sorted({number for found in tied.values() for number in found.cash})
    near = await near_ties.of(connection, [*tied, *owed], money)
    found = []
    for row in rows:
        if row.item_no in owed:
            found.append(_left(row, f"account {owed[row.item_no]} owes it"))
        elif row.item_no in tied:
            recorded = tied[row.item_no]
            found.append(DepositMatch(row.item_no, row.amount_fen, "RECORDED", recorded.account, None, recorded.why))
        else:
            found.append(await _match(connection, by, row, known, near.get(row.item_no)))
    return found


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


class _Evidence(NamedTuple):
    """Evidence that a payment names an account: ``how`` as ``bank_match.how`` keeps it, and the text for people."""

    how: str
    text: str


class _Accounts(NamedTuple):
    """Trading accounts by their folded names, and by their virtual accounts."""

    names: Mapping[str, str]
    virtual: Mapping[str, str]
    ends: Mapping[str, date]
    """The day from which a virtual account has ended."""

    @classmethod
    async def read(cls, connection: AsyncConnection) -> "_Accounts":
        names = await connection.scalars(select(trading_account.c.account).where(is_trading_account()))
        rows = await virtual_accounts.listing(connection)
        virtual = {fold(row.number): row.account for row in rows}
        ends = {fold(row.number): row.ended_from for row in rows if row.ended_from is not None}
        return cls({fold(name): name for name in names}, virtual, ends)

    def ended(self, row: Row[Any]) -> date | None:
        """Return the day from which a payment's virtual account is ended; None if it was in use that day."""
        end = self.ends.get(fold(row.virtual_account))
        return end if end is not None and end <= row.day else None

    def of(self, row: Row[Any]) -> dict[str, list[_Evidence]]:
        """Return the accounts that a payment names, each with the evidence, the virtual account first."""
        found: defaultdict[str, list[_Evidence]] = defaultdict(list)
        if (account := self.virtual.get(fold(row.virtual_account))) is not None:
            found[account].append(_Evidence("VIRTUAL", f"virtual account {row.virtual_account}"))
        for field in ("reference", "text"):
            words = WORD.findall(unicodedata.normalize("NFKC", getattr(row, field)))
            for word in dict.fromkeys(word.rstrip("._-") for word in words):
                if (account := self.names.get(fold(word))) is not None:
                    found[account].append(_Evidence("REFERENCE", f"{field} {word}"))
        return found


async def _match(
    connection: AsyncConnection, by: str, row: Row[Any], known: _Accounts, near: list[Row[Any]] | None
) -> DepositMatch:
    """Match one payment that is no recorded money, if its account can be determined."""
    if row.reversal and row.unclear_reversals:
        return _left(row, UNCLEAR_REVERSALS)
    if row.reversal or RETURNED.fullmatch(row.code):
        return await _take_back(connection, by, row)
    if near is not None:
        return _left(row, near_ties.sentence(near))
    if row.amount_fen < 0:
        return _left(row, "money out that nobody has recorded")
    if (end := known.ended(row)) is not None:
        return _left(row, f"virtual account {row.virtual_account} has ended on {end}")
    found = known.of(row)
    if len(found) != 1:
        named = "; ".join(f"{account} by {_listed(evidence)}" for account, evidence in sorted(found.items()))
        return _left(row, f"it names several accounts: {named}" if found else "it names no account")
    ((account, evidence),) = found.items()
    payment = cash.StatedPayment(row.item_no, evidence[0].how, _listed(evidence))
    return await _propose(connection, by, row, account, payment)


def _listed(evidence: Iterable[_Evidence]) -> str:
    return ", ".join(one.text for one in evidence)


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
    connection: AsyncConnection, by: str, row: Row[Any], account: str, payment: cash.StatedPayment
) -> DepositMatch:
    """Propose to book a payment. What the rules of money do not allow stays in suspense, with the reason."""
    reference = await reference_of(connection, row)
    try:
        async with connection.begin_nested():
            more = {} if payment.how == "RETURN" else await payers.shown(connection, row, account)
            number = await cash.propose(connection, by, account, row.amount_fen, reference, payment, more)
    except Refused as error:
        return _left(row, f"{error.reason}: {error}")
    except BadValue as error:
        return _left(row, str(error))
    return DepositMatch(row.item_no, row.amount_fen, payment.how, account, number, payment.why)


async def reference_of(connection: AsyncConnection, row: Row[Any]) -> str:
    """Return the bank's reference of a payment, with its number where that is in use, or there is none."""
    if row.bank_reference and row.part == 1 and len(row.bank_reference) <= cash.LONGEST_REFERENCE:
        used = select(cash_transfer.c.cash_id).where(
            func.folded(cash_transfer.c.bank_reference) == fold(row.bank_reference), IN_USE
        )
        if await connection.scalar(used.limit(1)) is None:
            return str(row.bank_reference)
    return f"{row.bank_reference[:40]} payment {row.item_no}".strip()


async def _take_back(connection: AsyncConnection, by: str, row: Row[Any]) -> DepositMatch:
    """Take back the money of a returned payment, if only one payment can be meant."""
    meant = await _returned(connection, row)
    if len(meant) != 1:
        numbers = ", ".join(str(other.item_no) for other in meant)
        return _left(
            row, f"it may take back any of the payments {numbers}" if meant else "it takes back no payment here"
        )
    (original,) = meant
    why = f"it takes back payment {original.item_no}"
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
        payment = cash.StatedPayment(row.item_no, "RETURN", why, original.item_no)
        return await _propose(connection, by, row, original.account_name, payment)
    await cash.declined(connection, by, [original.cash_id])
    await proposals.lapse(connection, by, "cash", [original.cash_id])
    pairs = (
        (row.item_no, original.item_no, why),
        (original.item_no, row.item_no, f"payment {row.item_no} took it back"),
    )
    for item_no, against, reason in pairs:
        values = {"item_no": item_no, "against_item": against, "how": "OFFSET", "why": reason}
        await connection.execute(insert(bank_match).values({**values, "at": now_ms(), "by": by}))
        await audit.record(connection, audit.Act(by, "bank_item.match", f"bank_item:{item_no}", values))
    return DepositMatch(row.item_no, row.amount_fen, "OFFSET", original.account_name, None, why)


async def _returned(connection: AsyncConnection, row: Row[Any]) -> Sequence[Row[Any]]:
    """Return the payments that a return may mean: of the opposite amount, with the strongest evidence.

    That is our own reference or the bank's number of the original, else the other side's account, else its name.
    """
    money = cash_transfer.alias()
    again = bank_match.alias()
    again_money = cash_transfer.alias()
    returned = (
        select(again.c.match_no)
        .outerjoin(again_money, again_money.c.cash_id == again.c.cash_id)
        .where(
            again.c.against_item == bank_item.c.item_no,
            again_money.c.status.in_(BANK_REFERENCE_USED) | again.c.cash_id.is_(None),
        )
    )
    query = (
        payments()
        .add_columns(money.c.cash_id, money.c.status, money.c.account.label("account_name"))
        .join(bank_match, bank_match.c.item_no == bank_item.c.item_no)
        .join(money, money.c.cash_id == bank_match.c.cash_id)
        .where(
            bank_item.c.amount_fen == -row.amount_fen,
            bank_statement.c.account_id == row.account_id,
            bank_entry.c.day <= row.day,
            money.c.status.in_(BANK_REFERENCE_USED),
            ~exists(returned),
        )
        .order_by(bank_item.c.item_no)
    )
    candidates = list(await connection.execute(query))
    said = fold(f"{row.reference} {row.text}")
    strengths = [_evidence(row, said, other) for other in candidates]
    strongest = max(strengths, default=0)
    return [other for other, strength in zip(candidates, strengths, strict=True) if strength == strongest > 0]


def _evidence(row: Row[Any], said: str, other: Row[Any]) -> int:
    """Return how strongly a return points to another payment: 3 by a number, 2 by the account, 1 by the name, 0."""
    if other.reference and fold(other.reference) == fold(row.reference):
        return 3
    if other.bank_reference and fold(other.bank_reference) in said:
        return 3
    if other.account and fold(other.account) == fold(row.account):
        return 2
    return int(bool(other.name) and fold(other.name) == fold(row.name))


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
