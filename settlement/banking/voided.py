"""Statements that were voided, recognized when they come again.

The one that was wrong is not taken in again with the same contents: the bank has to send another one. Those that were
voided only because they followed it may come again as they are.
"""

from hashlib import sha256
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.banking.statements import BankStatement, EntryItem
from settlement.base.refusal import Refused
from settlement.tables.banking import bank_entry, bank_item, bank_statement, bank_void
from settlement.tables.intake import file

_ENTRY = ("day", "value_day", "amount_fen", "reversal", "bank_reference", "code")


async def check(connection: AsyncConnection, account: Row[Any], found: BankStatement) -> None:
    """Raise Refused (STATEMENT_VOIDED) for a statement that was voided as wrong, whatever its file."""
    columns = bank_statement.c
    query = (
        select(columns.statement_no, bank_void.c.void_no, bank_void.c.reason)
        .join(bank_void, (bank_void.c.statement_no == columns.statement_no) & (bank_void.c.status == "VOIDED"))
        .where(
            columns.account_id == account.account_id,
            columns.kind == found.kind,
            columns.first_day == found.first_day,
            columns.last_day == found.last_day,
            columns.opening_fen.is_not_distinct_from(found.opening_fen),
            columns.closing_fen.is_not_distinct_from(found.closing_fen),
        )
        .order_by(columns.statement_no)
    )
    for row in await connection.execute(query):
        if await _entries(connection, row.statement_no) == [
            (*(getattr(entry, name) for name in _ENTRY), *item) for entry in found.entries for item in entry.items
        ]:
            text = f"it is statement {row.statement_no} of account {account.account_number} again, which is voided"
            raise Refused("STATEMENT_VOIDED", f"{text} ({row.reason}): the bank has to send another one")


async def _entries(connection: AsyncConnection, statement_no: int) -> list[tuple[Any, ...]]:
    """Return all that was kept of a statement's payments, in their order."""
    query = (
        select(*(bank_entry.c[name] for name in _ENTRY), *(bank_item.c[name] for name in EntryItem._fields))
        .join(
            bank_item,
            (bank_item.c.statement_no == bank_entry.c.statement_no) & (bank_item.c.place == bank_entry.c.place),
        )
        .where(bank_entry.c.statement_no == statement_no)
        .order_by(bank_entry.c.place, bank_item.c.part)
    )
    return [tuple(row) for row in await connection.execute(query)]


async def about(connection: AsyncConnection, kind: str, data: bytes) -> str:
    """Return a mark that makes a file differ from the same file before its void; empty if it was never voided."""
    query = (
        select(func.max(bank_statement.c.void_order))
        .join(file, file.c.file_no == bank_statement.c.file_no)
        .where(file.c.kind == kind, file.c.sha256 == sha256(data).digest())
    )
    order = await connection.scalar(query)
    return "" if order is None else f"after void {order}"
