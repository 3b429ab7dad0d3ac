"""Working days: Monday to Friday, except for the days that the operator has entered (domain sheet 5.5).

China moves working days around its holidays by a notice each year. So holidays and worked weekends are entered into a
table by hand, and a deadline in a year without any entry is refused.
"""

from datetime import date, datetime, timedelta, timezone
from typing import Final, NamedTuple

from sqlalchemy import extract, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.paging import ALL, Page, PageRequest, cut
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.tables.base import calendar_day

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has had one time and no summer time since 1991."""


def today() -> date:
    """Return the date in Shanghai."""
    return datetime.now(SHANGHAI).date()


def day_of(at: int) -> date:
    """Return the date in Shanghai of a time in ms since the epoch."""
    return datetime.fromtimestamp(at // 1_000, SHANGHAI).date()


def midnight(day: date) -> int:
    """Return when a day begins in Shanghai, in ms since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).timestamp()) * 1_000


def shown_time(at: int) -> str:
    """Return a time in ms since the epoch as people in Shanghai read it: ``2026-11-24 09:30:00``."""
    return datetime.fromtimestamp(at // 1_000, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(9998, 12, 31)
"""Days that people may name; before, between and after them there is room for a time zone and for a next day."""


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
    """Enter a holiday, or a day of a weekend that is worked."""
    printable("name", name, 64)
    values = {"day": day, "working": working, "name": name}
    added = insert_or(calendar_day).values(values)
    await connection.execute(added.on_conflict_do_update(index_elements=["day"], set_=values))
    await audit.record(connection, audit.Act(by, "calendar.set", day.isoformat(), {"working": working, "name": name}))


class Day(NamedTuple):
    """A holiday or a worked day of a weekend; ``name`` is the reason."""

    day: date
    working: bool
    name: str


async def days(connection: AsyncConnection, year: int, page: PageRequest = ALL) -> Page[Day]:
    """Return the days of a year that were entered, in order."""
    query = select(calendar_day).where(extract("year", calendar_day.c.day) == year).order_by(calendar_day.c.day)
    found = [Day(*row) for row in await connection.execute(query)]
    return cut(found, lambda day: day.day.isoformat(), page)


async def is_working(connection: AsyncConnection, day: date) -> bool:
    """Return whether a day is worked. Raises Refused (CALENDAR_UNKNOWN) in a year without any entry."""
    entered = await connection.scalar(select(calendar_day.c.working).where(calendar_day.c.day == day))
    if entered is not None:
        return bool(entered)
    year = select(calendar_day.c.day).where(extract("year", calendar_day.c.day) == day.year).limit(1)
    if await connection.scalar(year) is None:
        raise Refused("CALENDAR_UNKNOWN", f"the calendar has no holiday of {day.year}: its days must be entered first")
    return day.weekday() < 5


async def after(connection: AsyncConnection, day: date, working_days: int) -> date:
    """Return the day that is so many working days after ``day``, which does not count itself."""
    while working_days:
        day += timedelta(days=1)
        working_days -= await is_working(connection, day)
    return day
