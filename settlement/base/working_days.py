"""Working days: Monday to Friday, except for holidays and worked weekends (domain sheet 5.5).

China moves working days around its holidays by a notice each year. If the exchange has a trading calendar
(``goldx.timetable.calendar``), its days are copied into a table here as the only source: nothing can be entered by
hand, and a deadline beyond its end is refused. Without one, holidays and worked weekends are entered by hand, and a
deadline in a year without any entry is refused.
"""

from datetime import date, timedelta
from typing import Final, NamedTuple

from sqlalchemy import delete, extract, insert, select, text
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from goldx.timetable.calendar import HOLIDAY, WORKED_WEEKEND, Calendar
from goldx.timetable.venue_time import SHANGHAI, day_of, midnight, shown_time, today
from settlement.base import audit
from settlement.base.paging import ALL, Page, PageRequest, cut
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.tables.base import calendar_day, calendar_source

__all__ = (
    "FIRST_DAY",
    "LAST_DAY",
    "SHANGHAI",
    "ExceptionalDay",
    "after",
    "day_of",
    "days",
    "is_working",
    "midnight",
    "parse_day",
    "set_day",
    "shown_time",
    "take_over",
    "today",
)

FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(9998, 12, 31)
"""The first and last day that people may enter; time zones and a next day stay within the range of dates."""


_SATURDAY: Final = 5
_TAKE_OVER_LOCK: Final = 0xCA1E
"""Advisory lock: one process at a time takes a calendar over."""


def parse_day(field: str, text: str) -> date:
    """Return the date that a text such as ``2026-11-24`` names, from FIRST_DAY to LAST_DAY. Raises BadValue."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not FIRST_DAY <= day <= LAST_DAY:
        raise BadValue(field, text, f"a date such as 2026-11-24, from {FIRST_DAY} to {LAST_DAY}")
    return day


async def set_day(connection: AsyncConnection, by: str, day: date, working: bool, name: str) -> None:
    """Enter a holiday, or a day of a weekend that is worked. Raises Refused where there is a trading calendar."""
    printable("name", name, 64)
    if (bounds := await _bounds(connection)) is not None:
        text = "working days come from the trading calendar (calendar_file), which runs from {} to {}: change it there"
        raise Refused("CALENDAR_IN_FILE", text.format(*bounds))
    values = {"day": day, "working": working, "name": name}
    added = insert_or(calendar_day).values(values)
    await connection.execute(added.on_conflict_do_update(index_elements=["day"], set_=values))
    await audit.record(connection, audit.Act(by, "calendar.set", day.isoformat(), {"working": working, "name": name}))


async def take_over(connection: AsyncConnection, by: str, calendar: Calendar) -> bool:
    """Make the days of a trading calendar the working days; return False if they are already."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _TAKE_OVER_LOCK})
    if await connection.scalar(select(calendar_source.c.sha256)) == calendar.sha256:
        return False
    await connection.execute(delete(calendar_source))
    await connection.execute(delete(calendar_day))
    rows = [
        {"day": day.day, "working": day.worked, "name": day.notice}
        for day in calendar.days
        if day.kind in (HOLIDAY, WORKED_WEEKEND)
    ]
    if rows:
        await connection.execute(insert(calendar_day), rows)
    source = {"sha256": calendar.sha256, "first_day": calendar.first, "last_day": calendar.last}
    await connection.execute(insert(calendar_source).values(one=True, **source))
    await audit.record(
        connection, audit.Act(by, "calendar.take_over", calendar.sha256, {k: str(source[k]) for k in source})
    )
    return True


class ExceptionalDay(NamedTuple):
    """A holiday or a worked day of a weekend; ``name`` is the reason."""

    day: date
    working: bool
    name: str


async def days(connection: AsyncConnection, year: int, page: PageRequest = ALL) -> Page[ExceptionalDay]:
    """Return the days of a year that were entered, in order."""
    query = select(calendar_day).where(extract("year", calendar_day.c.day) == year).order_by(calendar_day.c.day)
    found = [ExceptionalDay(*row) for row in await connection.execute(query)]
    return cut(found, lambda day: day.day.isoformat(), page)


async def is_working(connection: AsyncConnection, day: date) -> bool:
    """Return whether a day is worked. Raises Refused (CALENDAR_UNKNOWN) for a day outside the trading calendar.

    Without one, in a year without any entry.
    """
    bounds = await _bounds(connection)
    if bounds is not None and not bounds[0] <= day <= bounds[1]:
        raise Refused("CALENDAR_UNKNOWN", f"the trading calendar runs from {bounds[0]} to {bounds[1]}: not to {day}")
    entered = await connection.scalar(select(calendar_day.c.working).where(calendar_day.c.day == day))
    if entered is not None:
        return bool(entered)
    if bounds is not None:
        return day.weekday() < _SATURDAY
    year = select(calendar_day.c.day).where(extract("year", calendar_day.c.day) == day.year).limit(1)
    if await connection.scalar(year) is None:
        raise Refused("CALENDAR_UNKNOWN", f"the calendar has no holiday of {day.year}: its days must be entered first")
    return day.weekday() < _SATURDAY


async def after(connection: AsyncConnection, day: date, working_days: int) -> date:
    """Return the day that is a number of working days after ``day``, which does not count itself."""
    while working_days:
        day += timedelta(days=1)
        working_days -= await is_working(connection, day)
    return day


async def _bounds(connection: AsyncConnection) -> tuple[date, date] | None:
    """Return the first and the last day of the trading calendar that was taken over, or None."""
    found = (await connection.execute(select(calendar_source.c.first_day, calendar_source.c.last_day))).first()
    return None if found is None else (found[0], found[1])
