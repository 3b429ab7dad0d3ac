"""Payments tied to the recorded money that they are: what the matching decides, and what a clerk decides by hand.

The sum of the payments is that of the money, in the same direction. A clerk alone may choose among what a payment may
be (``settlement.banking.near_ties``) where all of it is money of one trading account; any other tie says whose money a
payment is, and takes a second person.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.banking import near_ties, payouts, undoing
from settlement.banking.statements import BOOKED
from settlement.base import audit, proposals
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.documents.banking import BANK_TIE
from settlement.documents.ledger import BANK_REFERENCE_USED
from settlement.tables.banking import bank_entry, bank_item, bank_match, bank_statement, bank_tie
from settlement.tables.ledger import cash_transfer

MOST = 1_000
"""The payments, and the documents of money, of one tie."""


class Tied(NamedTuple):
    """The number of a tie by hand; ``proposal`` is None where nobody else has to approve it."""

    tie_no: int
    proposal: int | None


async def write(
    connection: AsyncConnection, by: str, items: Sequence[int], cash: Sequence[int], how: str, why: str
) -> str:
    """Tie payments to money; return a note where money had come back meanwhile.

    The first payment is tied to each money, each of the others to the first of it (``bank_match.group_no``).
    """
    first, *others = sorted(items)
    money = sorted(cash)
    pairs = [*((first, number) for number in money), *((number, money[0]) for number in others)]
    group = first if others else None
    notes = [note for number in money if (note := await payouts.paid(connection, by, number))]
    why_stands = f"payment {first} stands behind it"
    notes += [note for number in money if (note := await undoing.end(connection, by, number, why_stands))]
    for item_no, cash_id in pairs:
        values = {"item_no": item_no, "cash_id": cash_id, "how": how, "why": "; ".join((why, *notes))}
        values |= {} if group is None else {"group_no": group}
        await connection.execute(insert(bank_match).values({**values, "at": now_ms(), "by": by}))
        await audit.record(connection, audit.Act(by, "bank_item.match", f"bank_item:{item_no}", values))
    return "; ".join(notes)


async def tie(connection: AsyncConnection, by: str, items: Sequence[int], cash: Sequence[int], reason: str) -> Tied:
    """Tie open payments to open recorded money by hand, or propose it.

    Raises BadValue for a payment or money that is not open, and where the sums or the directions differ.
    """
    printable("reason", reason, 200)
    payments, money = sorted(set(items)), sorted(set(cash))
    await audit.lock(connection)
    rows, total = await _check(connection, payments, money)
    row = {"payments": payments, "money": money, "amount_fen": total, "why": reason}
    alone = await _may_alone(connection, payments, money)
    status = BANK_TIE.steps["tie" if alone else "propose"].after
    added = insert(bank_tie).values({**row, "status": status}).returning(bank_tie.c.tie_no)
    number = int((await connection.execute(added)).scalar_one())
    summary = {"tie": number, "payments": payments, "money": money, "amount": format_money(total), "reason": reason}
    if alone:
        await audit.record(connection, audit.Act(by, "bank_tie.tie", f"bank_tie:{number}", summary))
        await write(connection, by, payments, money, "TIED", reason)
        return Tied(number, None)
    accounts = ", ".join(sorted({found.account for found in rows}))
    proposal = await proposals.propose(connection, by, BANK_TIE.kind, [number], {**summary, "accounts": accounts})
    return Tied(number, proposal)


async def _check(
    connection: AsyncConnection, payments: Sequence[int], money: Sequence[int]
) -> tuple[Sequence[Row[Any]], int]:
    """Return the money and its sum. Raises BadValue as ``tie`` does."""
    for field, numbers in (("payment", payments), ("money", money)):
        if not 1 <= len(numbers) <= MOST:
            raise BadValue(field, len(numbers), f"1 to {MOST} numbers")
    amounts = {row.item_no: row.amount_fen for row in await connection.execute(_open_items(payments))}
    for number in payments:
        if number not in amounts:
            raise BadValue("payment", number, "the number of a payment in suspense")
    tied = select(bank_match.c.cash_id).where(among(bank_match.c.cash_id, money))
    known = select(cash_transfer).where(
        among(cash_transfer.c.cash_id, money),
        cash_transfer.c.status.in_(BANK_REFERENCE_USED),
        cash_transfer.c.cash_id.not_in(tied),
    )
    rows = {row.cash_id: row for row in await connection.execute(known)}
    for number in money:
        if number not in rows:
            raise BadValue("money", number, "the number of money in or out that no payment is tied to")
    paid, total = sum(amounts.values()), sum(row.amount for row in rows.values())
    if len({fen > 0 for fen in (*amounts.values(), *(row.amount for row in rows.values()))}) > 1 or paid != total:
        text = f"money of {format_money(paid)} in all, each in the direction of the payments"
        raise BadValue("money", format_money(total), text)
    return list(rows.values()), total


def _open_items(payments: Sequence[int]) -> Any:
    tied = (
        select(bank_match.c.item_no)
        .outerjoin(cash_transfer, cash_transfer.c.cash_id == bank_match.c.cash_id)
        .where(cash_transfer.c.status.in_(BANK_REFERENCE_USED) | bank_match.c.cash_id.is_(None))
    )
    return (
        select(bank_item.c.item_no, bank_item.c.amount_fen)
        .join(
            bank_entry,
            (bank_entry.c.statement_no == bank_item.c.statement_no) & (bank_entry.c.place == bank_item.c.place),
        )
        .join(bank_statement, bank_statement.c.statement_no == bank_item.c.statement_no)
        .where(
            bank_statement.c.kind == BOOKED,
            bank_statement.c.void_order.is_(None),
            among(bank_item.c.item_no, payments),
            bank_item.c.item_no.not_in(tied),
        )
    )


async def _may_alone(connection: AsyncConnection, payments: Sequence[int], money: Sequence[int]) -> bool:
    """Return whether one person may choose: the money is offered, and all that is offered is of one account."""
    near = await near_ties.of(connection)
    choices = [row for number in payments for row in near.get(number, ())]
    offered = {number for row in choices for number in row.money}
    owners = {row.owners for row in choices if row.money}
    each = all(any(row.money for row in near.get(number, ())) for number in payments)
    return each and set(money) <= offered and len(owners) == 1 and ", " not in owners.pop()


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Tie what was proposed. Raises as ``tie`` does, as a payment or money may be tied by now."""
    rows = await advance(connection, bank_tie, BANK_TIE, by, "approve", subjects)
    for row in rows.values():
        await _check(connection, row.payments, row.money)
        await write(connection, by, row.payments, row.money, "TIED", row.why)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Leave payments and money as they are."""
    await advance(connection, bank_tie, BANK_TIE, by, "decline", subjects)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the ties by hand, by number."""
    return await fetch(connection, select(bank_tie), (bank_tie.c.tie_no,), page)
