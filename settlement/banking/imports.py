"""The intake of bank statements: read, proved, compared with known ones, and kept entry by entry."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, BadValue, format_money
from settlement.banking import accounts, chain, voided
from settlement.banking.statements import BOOKED, BankStatement, without_placeholders
from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.intake import files
from settlement.tables.banking import bank_account, bank_entry, bank_item, bank_statement, bank_void

KIND: Final = "bank"


class ImportedStatement(NamedTuple):
    """The outcome of one statement of a file; ``new`` entries of all ``entries`` were not known before.

    ``statement_no`` is None where nothing of it is new, and in a preview.
    """

    statement_no: int | None
    account: str
    format: str
    kind: str
    stated_id: str
    first_day: str
    last_day: str
    opening_fen: int | None
    closing_fen: int | None
    entries: int
    new: int
    known: bool
    notes: tuple[str, ...]


class ImportedFile(NamedTuple):
    """The outcome of a file; ``file_no`` is None where it brought nothing new, and in a preview."""

    file_no: int | None
    statements: tuple[ImportedStatement, ...]


class _Plan(NamedTuple):
    """One statement, the row of its account, and the part of it that is new."""

    found: BankStatement
    account: Row[Any]
    new: BankStatement | None


async def preview(
    connection: AsyncConnection, data: bytes, statements: Sequence[BankStatement], entries: str | None = None
) -> ImportedFile:
    """Return what ``take_in`` would do; change nothing. Raises as it does."""
    plans = await _plan(connection, data, statements, entries)
    return ImportedFile(None, tuple(_taken(plan, None) for plan in plans))


async def take_in(
    connection: AsyncConnection,
    by: str,
    name: str,
    data: bytes,
    statements: Sequence[BankStatement],
    entries: str | None = None,
) -> ImportedFile:
    """Keep a bank's file and the new part of its statements, all or nothing.

    A file whose statements are all known changes nothing. ``entries`` says of those without references that equal
    known ones whether they are these (``known``) or others (``new``). Raises BadValue for an account that is not the
    venue's, and Refused: STATEMENT_GAP, STATEMENT_DIFFERS and STATEMENT_AMBIGUOUS, as ``settlement.banking.chain``
    does, and STATEMENT_VOIDED for one that was voided as wrong.
    """
    await audit.lock(connection)
    plans = await _plan(connection, data, statements, entries)
    again = await voided.about(connection, KIND, data)
    new = [plan for plan in plans if plan.new is not None]
    if not new:
        return ImportedFile(None, tuple(_taken(plan, None) for plan in plans))
    result = {"statements": len(new), "entries": sum(len(plan.new.entries) for plan in new if plan.new is not None)}
    file_no = await files.keep(connection, by, KIND, name, data, sum(len(s.entries) for s in statements), result, again)
    numbers = [await _keep(connection, by, file_no, plan) for plan in plans]
    taken = (_taken(plan, number) for plan, number in zip(plans, numbers, strict=True))
    return ImportedFile(file_no, tuple(taken))


async def _plan(
    connection: AsyncConnection, data: bytes, statements: Sequence[BankStatement], entries: str | None
) -> list[_Plan]:
    """Return the new part of each statement, those of an account in the order of their days."""
    if entries not in (None, *chain.READINGS):
        raise BadValue("entries", str(entries), " or ".join(chain.READINGS))
    statements = [without_placeholders(found) for found in statements]
    if await files.known(connection, KIND, data) is not None and not await voided.about(connection, KIND, data):
        entries = chain.KNOWN
    rows = {found.account: await accounts.find(connection, found.account, found.currency) for found in statements}
    known: dict[int, chain.ChainedAccount] = {}
    plans = []
    for found in sorted(statements, key=lambda found: (found.first_day, found.last_day)):
        row = rows[found.account]
        if found.currency != CASH:
            raise BadValue("currency", found.currency, f"{CASH}, the currency of account {row.account_number}")
        if found.kind != BOOKED:
            plans.append(_Plan(found, row, None if await _is_kept(connection, row.account_id, found) else found))
            continue
        if row.account_id not in known:
            since = min(other.first_day for other in statements if rows[other.account].account_id == row.account_id)
            known[row.account_id] = await chain.load(connection, row.account_id, row.account_number, since)
        plans.append(_Plan(found, row, known[row.account_id].add(found, entries)))
    for plan in plans:
        if plan.new is not None:
            await voided.check(connection, plan.account, plan.new)
    return plans


async def _is_kept(connection: AsyncConnection, account_id: int, found: BankStatement) -> bool:
    """Return whether a report or a notice of the same number, days and entries was taken in."""
    columns = bank_statement.c
    query = select(columns.statement_no).where(
        columns.account_id == account_id,
        columns.void_order.is_(None),
        columns.kind == found.kind,
        columns.stated_id == found.stated_id,
        columns.first_day == found.first_day,
        columns.last_day == found.last_day,
    )
    for row in await connection.execute(query):
        kept = select(bank_entry.c.day, bank_entry.c.amount_fen).where(bank_entry.c.statement_no == row.statement_no)
        there = sorted(tuple(entry) for entry in await connection.execute(kept))
        if there == sorted((entry.day, entry.amount_fen) for entry in found.entries):
            return True
    return False


async def _keep(connection: AsyncConnection, by: str, file_no: int, plan: _Plan) -> int | None:
    """Keep the new part of a statement; return its number, None where there is none."""
    new = plan.new
    if new is None:
        return None
    row = {
        "account_id": plan.account.account_id,
        "file_no": file_no,
        "format": new.format,
        "kind": new.kind,
        "stated_id": new.stated_id,
        "first_day": new.first_day,
        "last_day": new.last_day,
        "opening_fen": new.opening_fen,
        "closing_fen": new.closing_fen,
        "entries": len(new.entries),
        "notes": list(new.notes),
        "unclear_reversals": new.unclear_reversals,
        "taken_at": now_ms(),
        "taken_by": by,
    }
    added = insert(bank_statement).values(row).returning(bank_statement.c.statement_no)
    number = int((await connection.execute(added)).scalar_one())
    if new.entries:
        await connection.execute(insert(bank_entry), list(_entries(number, new)))
        await connection.execute(insert(bank_item), list(_items(number, new)))
    balances = {"opening": new.opening_fen, "closing": new.closing_fen}
    shown = {name: None if fen is None else format_money(fen) for name, fen in balances.items()}
    detail = {"account": plan.account.account_number, "kind": new.kind, "entries": len(new.entries), **shown}
    await audit.record(connection, audit.Act(by, "bank_statement.take_in", f"bank_statement:{number}", detail))
    return number


def _entries(number: int, found: BankStatement) -> Iterable[dict[str, Any]]:
    for place, entry in enumerate(found.entries, 1):
        values = entry._asdict()
        del values["items"]
        yield {"statement_no": number, "place": place, **values}


def _items(number: int, found: BankStatement) -> Iterable[dict[str, Any]]:
    for place, entry in enumerate(found.entries, 1):
        for part, item in enumerate(entry.items, 1):
            yield {"statement_no": number, "place": place, "part": part, **item._asdict()}


def _taken(plan: _Plan, number: int | None) -> ImportedStatement:
    found, new = plan.found, plan.new
    return ImportedStatement(
        number,
        plan.account.account_number,
        found.format,
        found.kind,
        found.stated_id,
        found.first_day.isoformat(),
        found.last_day.isoformat(),
        found.opening_fen,
        found.closing_fen,
        len(found.entries),
        0 if new is None else len(new.entries),
        new is None,
        found.notes,
    )


async def listing(
    connection: AsyncConnection, page: PageRequest = ALL, *, account: str | None = None
) -> Page[Row[Any]]:
    """Return the statements that were taken in, by number; ``account``: those of one account.

    ``void_no`` and ``void_reason`` are those of the void, None of a statement that counts.
    """
    query = _listed()
    if account is not None:
        found = await accounts.find(connection, account)
        query = query.where(bank_statement.c.account_id == found.account_id)
    return await fetch(connection, query, (bank_statement.c.statement_no,), page)


def _listed() -> Select[Any]:
    return (
        select(
            bank_statement,
            bank_account.c.account_number,
            bank_void.c.void_no,
            bank_void.c.reason.label("void_reason"),
        )
        .join(bank_account, bank_account.c.account_id == bank_statement.c.account_id)
        .outerjoin(bank_void, bank_void.c.void_order == bank_statement.c.void_order)
    )


async def find(connection: AsyncConnection, number: int) -> Row[Any]:
    """Return one statement. Raises BadValue for an unknown number."""
    wanted = _listed().where(bank_statement.c.statement_no == number)
    row: Row[Any] | None = (await connection.execute(wanted)).first()
    if row is None:
        raise BadValue("bank statement", number, "the number of a bank statement that was taken in")
    return row


async def items(
    connection: AsyncConnection, page: PageRequest = ALL, *, statement: int | None = None
) -> Page[Row[Any]]:
    """Return single payments with their entries, by statement, place and part; ``statement``: those of one.

    ``voided``: the statement is, so the payment counts for nothing.
    """
    columns = [column for column in bank_item.c if column.name != "amount_fen"]
    query = select(
        *columns,
        bank_item.c.amount_fen,
        bank_entry.c.day,
        bank_entry.c.value_day,
        bank_entry.c.reversal,
        bank_entry.c.bank_reference,
        bank_entry.c.code,
        bank_entry.c.line,
        bank_statement.c.void_order.is_not(None).label("voided"),
    ).join(
        bank_entry,
        (bank_entry.c.statement_no == bank_item.c.statement_no) & (bank_entry.c.place == bank_item.c.place),
    )
    query = query.join(bank_statement, bank_statement.c.statement_no == bank_item.c.statement_no)
    if statement is not None:
        query = query.where(bank_item.c.statement_no == (await find(connection, statement)).statement_no)
    return await fetch(connection, query, (bank_item.c.item_no,), page)
