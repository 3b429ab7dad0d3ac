"""Voids of bank statements: a statement that was taken in and is wrong counts for nothing any more.

It may be another account's, forged, or replaced by the bank. One person proposes the void with a reason, and another
approves it. The statement, its lines and the ties of its payments are kept; what they booked is undone:

- Money that was proposed for its payments is declined. Money that was booked for them goes back
  (``settlement.banking.undoing``): the account owes it until then.
- Money that a clerk or a member's order had recorded, and that its payments were tied to, is open again.
- Breaks about its payments end with the comparison that is made at once.

Each statement of an account begins with the balance of the one before. So a statement is voided together with those
that follow it; these may be taken in again as they are, the wrong one only with other contents. If the corrected
statement has a payment again before its money has gone back, the payment is tied to that money, which then stays.

The close of a day keeps what was known when it was made; a void is part of the next close.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.banking import bank_reconciliation, imports, payouts, undoing
from settlement.banking.statements import BOOKED
from settlement.base import audit, proposals
from settlement.base.database import among
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.documents.banking import BANK_TIE, BANK_VOID
from settlement.documents.ledger import CASH_DONE, CASH_PROPOSED, CASH_SENDING
from settlement.ledger import cash
from settlement.reconciliation import breaks
from settlement.reconciliation.break_areas import BANK_SCOPE
from settlement.tables.banking import (
    bank_account,
    bank_item,
    bank_match,
    bank_statement,
    bank_tie,
    bank_void,
    voided_match,
)
from settlement.tables.ledger import cash_transfer

CREATED: Final = ("VIRTUAL", "REFERENCE", "ASSIGNED", "RETURN")
"""The kinds of ties by which a payment had money proposed. Other ties are to money that was recorded without it."""


async def propose(
    connection: AsyncConnection, by: str, statement_no: int, reason: str, *, with_later: bool = False
) -> int:
    """Propose to void a statement, and ``with_later`` those of its account that follow it; return the proposal.

    Raises BadValue for an unknown statement, and Refused: ILLEGAL_STEP for one that is voided, PROPOSED_ALREADY for
    one that is proposed to be, STATEMENT_FOLLOWED where others follow it.
    """
    printable("reason", reason, 200)
    await audit.lock(connection)
    found = await imports.find(connection, statement_no)
    if found.void_order is not None:
        raise Refused("ILLEGAL_STEP", f"statement {statement_no} is voided already")
    waits = select(bank_void.c.void_no).where(
        bank_void.c.status == BANK_VOID.steps["propose"].after, bank_void.c.statements.op("@>")(_array([statement_no]))
    )
    if (waiting := await connection.scalar(waits.limit(1))) is not None:
        raise Refused("PROPOSED_ALREADY", f"void {waiting} of statement {statement_no} waits for another person")
    later = await _later(connection, found)
    if later and not with_later:
        raise _followed(found, later)
    numbers = [statement_no, *later]
    values = {
        "statement_no": statement_no,
        "statements": numbers,
        "reason": reason,
        "status": BANK_VOID.steps["propose"].after,
    }
    added = insert(bank_void).values(values).returning(bank_void.c.void_no)
    number = int((await connection.execute(added)).scalar_one())
    booked = [row for row in await _ties(connection, numbers) if row.how in CREATED and row.status == CASH_DONE]
    summary = {
        "void": number,
        "statement": statement_no,
        "account": found.account_number,
        "days": f"{found.first_day} to {found.last_day}",
        "entries": found.entries,
        "with": later,
        "money_booked": f"{len(booked)} documents of {format_money(sum(row.amount for row in booked))} in sum",
        "reason": reason,
    }
    return await proposals.propose(connection, by, BANK_VOID.kind, [number], summary)


def _array(numbers: Sequence[int]) -> Any:
    return literal(list(numbers), bank_void.c.statements.type)


async def _later(connection: AsyncConnection, found: Row[Any]) -> list[int]:
    """Return the later statements of the account that rest on the closing balance of this one."""
    if found.kind != BOOKED:
        return []
    query = select(bank_statement.c.statement_no).where(
        bank_statement.c.account_id == found.account_id,
        bank_statement.c.kind == BOOKED,
        bank_statement.c.void_order.is_(None),
        bank_statement.c.statement_no > found.statement_no,
    )
    return list(await connection.scalars(query.order_by(bank_statement.c.statement_no)))


def _followed(found: Row[Any], later: Sequence[int]) -> Refused:
    named = ", ".join(map(str, later))
    text = f"statements {named} follow statement {found.statement_no} of account {found.account_number}"
    return Refused("STATEMENT_FOLLOWED", f"{text} and rest on its balance: void them with it")


async def _ties(connection: AsyncConnection, statements: Sequence[int]) -> list[Row[Any]]:
    """Return the ties that rest on payments of statements, with the money of each, in the order in which they came.

    These are the ties of the payments, of what takes them back, and of all that is tied together with them.
    """
    items = select(bank_item.c.item_no).where(among(bank_item.c.statement_no, statements))
    group = func.coalesce(bank_match.c.group_no, bank_match.c.item_no)
    groups = select(group).where(bank_match.c.item_no.in_(items))
    query = (
        select(bank_match, cash_transfer.c.status, cash_transfer.c.amount, cash_transfer.c.account)
        .outerjoin(cash_transfer, cash_transfer.c.cash_id == bank_match.c.cash_id)
        .where(or_(bank_match.c.item_no.in_(items), bank_match.c.against_item.in_(items), group.in_(groups)))
    )
    return list(await connection.execute(query.order_by(bank_match.c.match_no)))


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Void the statements and undo what they booked.

    Raises Refused: STATEMENT_FOLLOWED where another statement has followed meanwhile, ILLEGAL_STEP where one is voided
    by now, or while money that must be undone is on its way to the engine.
    """
    await audit.lock(connection)
    order = int(await connection.scalar(select(func.coalesce(func.max(bank_void.c.void_order), 0))) or 0)
    for number in subjects:
        order += 1
        rows = await advance(connection, bank_void, BANK_VOID, by, "approve", [number], {"void_order": order})
        row = rows[number]
        await _check(connection, row)
        ties = await _ties(connection, row.statements)
        await _check_still(connection, ties)
        await _undo_ties(connection, by, ties, order)
        voiding = update(bank_statement).where(among(bank_statement.c.statement_no, row.statements))
        await connection.execute(voiding.values(void_order=order))
        why = f"statement {row.statement_no} is voided: {row.reason}"
        notes = await _undo_money(connection, by, ties, why)
        detail = {"statements": row.statements, "undone": notes}
        await audit.record(connection, audit.Act(by, "bank_void.undo", f"bank_void:{number}", detail))
    if await bank_reconciliation.is_stated(connection):
        await bank_reconciliation.reconcile(connection, by)
    else:
        await breaks.record_run(connection, by, BANK_SCOPE, 0, ())


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Leave the statements as they are."""
    await advance(connection, bank_void, BANK_VOID, by, "decline", subjects)


async def _check(connection: AsyncConnection, row: Row[Any]) -> None:
    for statement_no in row.statements:
        found = await imports.find(connection, statement_no)
        if found.void_order is not None:
            raise Refused("ILLEGAL_STEP", f"statement {statement_no} is voided already")
        if more := [later for later in await _later(connection, found) if later not in row.statements]:
            raise _followed(found, more)


async def _check_still(connection: AsyncConnection, ties: Sequence[Row[Any]]) -> None:
    """Raise Refused (ILLEGAL_STEP) while money that must be undone, or is being undone, is on its way to the engine."""
    for row in ties:
        moving = [row.cash_id] if row.how in CREATED and row.status == CASH_SENDING else []
        if row.cash_id is not None and (back := await payouts.back_of(connection, row.cash_id)) is not None:
            undone = await undoing.find(connection, back.cash_id)
            moving += [undone.attempt] if undone is not None and undone.status == CASH_SENDING else []
        if moving:
            raise Refused("ILLEGAL_STEP", f"cash {moving[0]} is on its way to the engine: approve when it has answered")


async def _undo_ties(connection: AsyncConnection, by: str, ties: Sequence[Row[Any]], order: int) -> None:
    """Move ties to those that were voided, and mark the clerks' own among them."""
    numbers = [row.match_no for row in ties]
    columns = [column for column in voided_match.c if column.name != "void_order"]
    kept = select(*(bank_match.c[column.name] for column in columns), literal(order).label("void_order"))
    kept = kept.where(among(bank_match.c.match_no, numbers))
    names = [*(column.name for column in columns), "void_order"]
    await connection.execute(insert(voided_match).from_select(names, kept))
    await connection.execute(delete(bank_match).where(among(bank_match.c.match_no, numbers)))
    items = literal([row.item_no for row in ties], bank_tie.c.payments.type)
    by_hand = select(bank_tie.c.tie_no).where(bank_tie.c.status == "TIED", bank_tie.c.payments.op("&&")(items))
    if by_hand_numbers := list(await connection.scalars(by_hand.order_by(bank_tie.c.tie_no))):
        await advance(connection, bank_tie, BANK_TIE, by, "undo", by_hand_numbers)


async def _undo_money(connection: AsyncConnection, by: str, ties: Sequence[Row[Any]], why: str) -> list[str]:
    """Undo the money behind ties; return what became of it."""
    notes: list[str] = []
    done = {row.item_no: row for row in ties if row.how in CREATED and row.status == CASH_DONE}
    paired: set[int] = set()
    for row in ties:
        if row.how in CREATED and row.status == CASH_PROPOSED:
            await cash.declined(connection, by, [row.cash_id])
            await proposals.lapse(connection, by, "cash", [row.cash_id])
            notes.append(f"cash {row.cash_id} is declined")
        elif row.how == "RETURN" and row.status == CASH_DONE and (original := done.get(row.against_item)) is not None:
            # The bank's own return has undone it already; neither stands.
            await undoing.pair(connection, by, original.cash_id, row.cash_id, "VOIDED", why)
            paired |= {original.cash_id, row.cash_id}
            notes.append(f"cash {original.cash_id} was undone by cash {row.cash_id}")
        elif row.how in ("RECORDED", "TIED"):
            notes.append(f"cash {row.cash_id} is open again")
            notes += await _not_paid(connection, by, row.cash_id, why)
            order = await payouts.came_back_for(connection, row.cash_id)
            if order is not None and await payouts.is_paid(connection, order):
                notes.append(await payouts.paid(connection, by, order))
    for row in done.values():
        if row.cash_id not in paired:
            notes.append(str(await undoing.undo(connection, by, row.cash_id, "VOIDED", why)))
    return notes


async def _not_paid(connection: AsyncConnection, by: str, cash_id: int, why: str) -> list[str]:
    """End the claim that an order was paid after all, unless another statement or answer of the bank says so."""
    back = await payouts.back_of(connection, cash_id)
    if back is None or await payouts.is_paid(connection, cash_id):
        return []
    undone = await undoing.find(connection, back.cash_id)
    if undone is None:
        return []
    if undone.status == CASH_DONE:
        return [str(await undoing.undo(connection, by, undone.attempt, "VOIDED", why))]
    return [await undoing.end(connection, by, back.cash_id, why)]


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the voids by number, each with the account of its statement."""
    query = (
        select(bank_void, bank_account.c.account_number)
        .join(bank_statement, bank_statement.c.statement_no == bank_void.c.statement_no)
        .join(bank_account, bank_account.c.account_id == bank_statement.c.account_id)
    )
    return await fetch(connection, query, (bank_void.c.void_no,), page)
