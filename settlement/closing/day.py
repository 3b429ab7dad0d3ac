"""Trading days as ranges of the engine's events, and what ledger and engine had at an event.

A day's range ends with the ``DayEnded`` event that ends it; the next one begins with the event after it. What comes
later belongs to the next day by definition, so a day that is over never changes, whenever it is closed.

The cost of reading balances does not grow with an account's history: what it had at the newest end that was kept, and
the postings since then (``settlement.tables.closing``).
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.tables.base import trading_day
from settlement.tables.closing import balance_at_end, business_day, holding_at_end, instrument_at_end, stock_at_end
from settlement.tables.ledger import engine_holding, ledger_account, posting, stock

BEGINNING: Final = 1
"""The sequence of the first event."""


class Day(NamedTuple):
    """A trading day that is over: its date, and the sequences of its first and its last event."""

    day: date
    first: int
    last: int


class LedgerBalance(NamedTuple):
    """The balance of an account of the ledger: fen for CNY, fine mg for gold. ``kind`` as in the ledger."""

    account_id: int
    kind: str
    name: str
    asset: str
    balance: int


class Held(NamedTuple):
    """A holding of the engine at the end of a day; the fields are those of HoldingChanged."""

    account: str
    asset: str
    total: int
    reserved: int
    locked: int
    unwithdrawable: int


class OwnStock(NamedTuple):
    """The own stock of an account in a class at the end of a day, and all that it ever sold out of it, in mg."""

    account: str
    symbol: str
    own_mg: int
    own_sold_mg: int


class Prices(NamedTuple):
    """The prices of an instrument at the end of a day in fen per gram, None where there was none."""

    symbol: str
    reference_price: int | None
    last_price: int | None


def ranges(rows: Iterable[Row[Any]]) -> list[Day]:
    """Return the days that are over, oldest first, from the rows of ``trading_day`` in the order of their sequences.

    What came before the first day that the engine began has the date in Shanghai on which it ended, or the day before
    the next one, if that is earlier. A date that comes a second time begins no day. A day that ended before settlement
    kept what the engine held at a day's end cannot be closed, and is left out.
    """
    found: list[Day] = []
    day: date | None = None
    first = BEGINNING
    seen: set[date] = set()
    for row in rows:
        if row.day in seen:
            continue
        if day is None:
            day = min(working_days.day_of(row.begun_at), row.day - timedelta(days=1))
        if row.kept:
            found.append(Day(day, first, row.sequence))
        seen |= {day, row.day}
        day, first = row.day, row.sequence + 1
    return found


async def over(connection: AsyncConnection) -> list[Day]:
    """Return the days that are over and can be closed, oldest first."""
    rows = await connection.execute(select(trading_day).order_by(trading_day.c.sequence))
    return ranges(rows)


async def find(connection: AsyncConnection, day: date) -> Day:
    """Return a day that is over. Raises BadValue for any other."""
    days = await over(connection)
    for found in days:
        if found.day == day:
            return found
    newest = f"; the newest one is {days[-1].day.isoformat()}" if days else "; none is"
    raise BadValue("day", day.isoformat(), f"a trading day that the engine has ended{newest}")


async def before(connection: AsyncConnection, day: Day) -> Day | None:
    """Return the day before a day in the order of events, closed or being closed; None for the first one.

    Days have the order of their events, never that of their dates.
    """
    columns = business_day.c
    query = select(columns.day, columns.first_sequence, columns.last_sequence)
    query = query.where(columns.last_sequence < day.first).order_by(columns.last_sequence.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return None if row is None else Day(*row)


async def ended_at(connection: AsyncConnection, sequence: int) -> int:
    """Return when the day ended that ended with an event, in ms since the epoch; 0 before the first day."""
    return int(await connection.scalar(select(trading_day.c.begun_at).where(trading_day.c.sequence == sequence)) or 0)


def _balances(sequence: int, kept: int, name: str | None) -> Select[Any]:
    """Return the query of the balances at a sequence, from those kept up to ``kept`` and the postings after it."""
    columns = ledger_account.c
    newest = select(balance_at_end.c.balance).where(
        balance_at_end.c.account_id == columns.account_id, balance_at_end.c.sequence <= kept
    )
    before = newest.order_by(balance_at_end.c.sequence.desc()).limit(1).lateral("before")
    moved = select(posting.c.account_id, func.sum(posting.c.amount).label("amount"))
    moved = moved.where(posting.c.sequence > kept, posting.c.sequence <= sequence).group_by(posting.c.account_id)
    if name is not None:
        ids = select(columns.account_id).where(columns.name == name)
        moved = moved.where(posting.c.account_id.in_(ids))
    since = moved.subquery("since")
    balance = func.coalesce(before.c.balance, 0) + func.coalesce(since.c.amount, 0)
    query = select(columns.account_id, columns.kind, columns.name, columns.asset, balance.label("balance"))
    query = query.select_from(
        ledger_account.outerjoin(before, true()).outerjoin(since, since.c.account_id == columns.account_id)
    )
    query = query.where(or_(before.c.balance.is_not(None), since.c.amount.is_not(None)))
    return query if name is None else query.where(columns.name == name)


async def balances_at(
    connection: AsyncConnection, sequence: int, *, name: str | None = None, before: int | None = None
) -> list[LedgerBalance]:
    """Return the balances after an event, by kind, name and asset: of every account that had a posting by then.

    ``name``: those of one trading account. ``before``: use no balance that was kept at this sequence or later, as the
    close of a day does that computes what is to be kept.
    """
    latest = sequence if before is None else min(sequence, before - 1)
    newest = select(func.coalesce(func.max(balance_at_end.c.sequence), 0)).where(balance_at_end.c.sequence <= latest)
    kept = int(await connection.scalar(newest) or 0)
    query = _balances(sequence, kept, name)
    order = (ledger_account.c.kind, ledger_account.c.name, ledger_account.c.asset)
    rows = await connection.execute(query.order_by(*order))
    return [LedgerBalance(row[0], row[1], row[2], row[3], int(row[4])) for row in rows]


async def keep_balances(connection: AsyncConnection, day: Day, balances: Sequence[LedgerBalance]) -> None:
    """Keep balances at the end of a day: those of the accounts that have postings since the end kept before."""
    newest = select(func.coalesce(func.max(balance_at_end.c.sequence), 0)).where(balance_at_end.c.sequence < day.first)
    kept = int(await connection.scalar(newest) or 0)
    touched = select(posting.c.account_id).where(posting.c.sequence > kept, posting.c.sequence <= day.last).distinct()
    moved = set((await connection.execute(touched)).scalars())
    rows = [
        {"account_id": found.account_id, "sequence": day.last, "balance": found.balance}
        for found in balances
        if found.account_id in moved
    ]
    if rows:
        await connection.execute(insert(balance_at_end).on_conflict_do_nothing(), rows)


async def holdings_at(connection: AsyncConnection, day: Day) -> list[Held]:
    """Return what the engine held for every account at the end of a day, by account and asset."""
    here, kept = engine_holding.c, holding_at_end.c
    newest = select(holding_at_end).where(
        kept.account == here.account, kept.asset == here.asset, kept.sequence <= day.last
    )
    found = newest.order_by(kept.sequence.desc()).limit(1).lateral("found")
    query = select(*(found.c[name] for name in Held._fields)).select_from(engine_holding.join(found, true()))
    return [Held(*row) for row in await connection.execute(query.order_by(here.account, here.asset))]


async def stocks_at(connection: AsyncConnection, sequence: int) -> list[OwnStock]:
    """Return the own stock of every account at the end of the day that ended with an event, by account and class."""
    here, kept = stock.c, stock_at_end.c
    newest = select(stock_at_end).where(
        kept.account == here.account, kept.symbol == here.symbol, kept.sequence <= sequence
    )
    found = newest.order_by(kept.sequence.desc()).limit(1).lateral("found")
    query = select(*(found.c[name] for name in OwnStock._fields)).select_from(stock.join(found, true()))
    return [OwnStock(*row) for row in await connection.execute(query.order_by(here.account, here.symbol))]


class AtEnd(NamedTuple):
    """An instrument as it was at the end of a day: its names in English and Chinese, and its form."""

    name: str
    name_zh: str
    form: str


async def instruments_at(connection: AsyncConnection, day: Day) -> dict[str, AtEnd] | None:
    """Return the instruments that there were at the end of a day; None for an end that was kept without their names."""
    columns = instrument_at_end.c
    query = select(columns.symbol, columns.name, columns.name_zh, columns.form).where(columns.sequence == day.last)
    rows = (await connection.execute(query)).all()
    return None if any(row.form is None for row in rows) else {row.symbol: AtEnd(*row[1:]) for row in rows}


async def prices_at(connection: AsyncConnection, day: Day) -> list[Prices]:
    """Return the instruments that there were at the end of a day, with their prices then."""
    columns = instrument_at_end.c
    query = select(columns.symbol, columns.reference_price, columns.last_price).where(columns.sequence == day.last)
    return [Prices(*row) for row in await connection.execute(query.order_by(columns.symbol))]
