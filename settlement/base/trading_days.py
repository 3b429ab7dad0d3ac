"""The trading days that the engine has begun, as settlement has read them in the events, without a clock.

An evening belongs to the trading day that has begun by then, so what happens before and after midnight of one night
session happens on one trading day (domain sheet 1.2). Before the first day that the engine began, the date in Shanghai
counts.
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.events import DayEnded
from settlement.base import working_days
from settlement.tables.base import trading_day


async def record(connection: AsyncConnection, ended: Sequence[DayEnded]) -> None:
    """Record the trading days that begin with these events. A text that is no date is left out.

    What engine and ledger had at each of them is kept in the same transaction (``settlement.ledger.day_ends``).
    """
    rows = []
    for event in ended:
        try:
            day = date.fromisoformat(event.next_trading_day)
        except ValueError:
            continue
        rows.append({"sequence": event.sequence, "day": day, "begun_at": event.at, "kept": True})
    if rows:
        await connection.execute(insert(trading_day).on_conflict_do_nothing(), rows)


async def at(connection: AsyncConnection, time: int) -> date:
    """Return the trading day at a time in ms since the epoch."""
    query = select(trading_day.c.day).where(trading_day.c.begun_at <= time).order_by(trading_day.c.sequence.desc())
    found: date | None = await connection.scalar(query.limit(1))
    return working_days.day_of(time) if found is None else found


async def present(connection: AsyncConnection) -> date:
    """Return the present trading day: the newest one that the engine has begun."""
    query = select(trading_day.c.day).order_by(trading_day.c.sequence.desc())
    found: date | None = await connection.scalar(query.limit(1))
    return working_days.today() if found is None else found
