"""Days that tests of the calendar and the timetable use.

A made-up notice closes Thursday 2026-10-01 to Wednesday 2026-10-07; 2026-10-10, a Saturday, is worked for it.
"""

from datetime import date, timedelta

from goldx.timetable import calendar
from goldx.timetable.calendar import WORKED_WEEKEND, Calendar

FIRST, LAST = date(2026, 9, 1), date(2026, 12, 31)
HOLIDAYS = tuple(date(2026, 10, 1) + timedelta(days=number) for number in range(7))
WORKED = date(2026, 10, 10)


def text_of() -> str:
    """Return the calendar file of these days."""
    days = calendar.draft(FIRST, LAST, "TEST-NOTICE", HOLIDAYS)
    return calendar.write(day._replace(kind=WORKED_WEEKEND) if day.day == WORKED else day for day in days)


def example() -> Calendar:
    return calendar.parse(text_of(), "calendar.csv")
