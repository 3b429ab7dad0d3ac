"""A trading account's statement: every posting of some days with the balance after it, from the ledger."""

import asyncio
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, BadValue
from settlement.base import working_days
from settlement.tables.ledger import ledger_account, ledger_entry, posting
from settlement.workbooks import writing

HEADING: Final = ("time", "sequence", "kind", "reference", "asset", "amount", "balance")


class AccountPosting(NamedTuple):
    """One posting: amount and balance in fen for CNY, fine mg for gold.

    The first and last entry of an asset are balances and no postings: their ``kind`` is opening or closing, their
    ``sequence`` None.
    """

    at: int
    sequence: int | None
    kind: str
    reference: str
    asset: str
    amount: int
    balance: int


async def entries(connection: AsyncConnection, account: str, first: date, last: date) -> list[AccountPosting]:
    """Return the statement of an account over days in Shanghai, asset by asset: opening, postings, closing.

    Raises BadValue for an account that the ledger does not have, or days that are the wrong way round.
    """
    if first > last:
        raise BadValue("first", first.isoformat(), f"at most the last day, {last.isoformat()}")
    since, until = working_days.midnight(first), working_days.midnight(last + timedelta(days=1))
    assets = select(ledger_account).where(ledger_account.c.kind == "member", ledger_account.c.name == account)
    found: list[AccountPosting] = []
    rows = list(await connection.execute(assets.order_by(ledger_account.c.asset)))
    if not rows:
        raise BadValue("account", account, "an account that has had money or metal")
    for row in rows:
        join = posting.join(ledger_entry, ledger_entry.c.sequence == posting.c.sequence)
        query = select(ledger_entry, posting.c.amount).select_from(join).where(posting.c.account_id == row.account_id)
        before = select(func.coalesce(func.sum(posting.c.amount), 0)).select_from(join)
        before = before.where(posting.c.account_id == row.account_id, ledger_entry.c.at < since)
        balance = int(await connection.scalar(before) or 0)
        found.append(AccountPosting(since, None, "opening", "", row.asset, 0, balance))
        query = query.where(ledger_entry.c.at >= since, ledger_entry.c.at < until)
        for line in await connection.execute(query.order_by(posting.c.sequence, posting.c.line)):
            balance += line.amount
            about = (line.at, line.sequence, line.kind, line.reference or "")
            found.append(AccountPosting(*about, row.asset, line.amount, balance))
        found.append(AccountPosting(until, None, "closing", "", row.asset, 0, balance))
    return found


def _file_row(entry: AccountPosting) -> tuple[Any, ...]:
    places = 2 if entry.asset == CASH else 3
    amounts = (writing.scaled(entry.amount, places), writing.scaled(entry.balance, places))
    about = (entry.sequence, entry.kind, entry.reference, entry.asset)
    return (working_days.shown_time(entry.at), *about, *amounts)


async def export(connection: AsyncConnection, account: str, first: date, last: date, kind: str) -> bytes:
    """Return the statement as csv or xlsx. Raises BadValue."""
    found = await entries(connection, account, first, last)
    return await asyncio.to_thread(writing.write, kind, f"Account {account}", HEADING, map(_file_row, found))
