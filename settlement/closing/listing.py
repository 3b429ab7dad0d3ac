"""The days that are over, as people see them: range, state, steps and signatures."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.paging import ALL, Page, PageRequest, cut
from settlement.closing import close, day, progress, signing
from settlement.tables.closing import business_day, day_record

OVER: Final = "OVER"
"""The day is over, and its close has not begun."""
SIGNED: Final = "SIGNED"
"""The day is closed, and has its record."""


class ListedDay(NamedTuple):
    """A day that is over; ``closing_hash`` is what is signed, ``record`` the hash of its record."""

    day: date
    first: int
    last: int
    state: str
    closing_hash: bytes | None
    record: bytes | None


class Status(NamedTuple):
    """A day with the steps that have begun and the signatures that were given.

    ``progress``: how much of how much of the step that runs now is done, None if none does or nothing is counted.
    """

    day: ListedDay
    steps: Sequence[Row[Any]]
    progress: progress.Running | None
    signatures: Sequence[Row[Any]]


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[ListedDay]:
    """Return the days that are over, oldest first."""
    columns = (business_day.c.day, business_day.c.state, business_day.c.closing_hash, day_record.c.hash)
    joined = business_day.outerjoin(day_record, day_record.c.day == business_day.c.day)
    known = {row.day: row for row in await connection.execute(select(*columns).select_from(joined))}
    found = []
    for each in await day.over(connection):
        row = known.get(each.day)
        if row is None:
            found.append(ListedDay(*each, OVER, None, None))
        else:
            found.append(ListedDay(*each, row.state if row.hash is None else SIGNED, row.closing_hash, row.hash))
    return cut(found, lambda one: one.day.isoformat(), page)


async def status(connection: AsyncConnection, date: date) -> Status:
    """Return how far the close of a day is. Raises BadValue for a day that is not over."""
    await day.find(connection, date)
    (found,) = (one for one in await listing(connection) if one.day == date)
    steps, running = await close.steps_of(connection, date), await progress.of_day(connection, date)
    return Status(found, steps, running, await signing.signatures(connection, date))
