"""The next trading day that an operator names: the one that follows takes one person, any other takes two."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from goldx.protocol.terms import END_OF_DAY_BY_TWO, END_OF_DAY_RULES
from goldx.timetable.calendar import Calendar, OutsideCalendar

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


def rules_for(asked: date, present: date | None, today: date, calendar: Calendar | None) -> int:
    """Return the rules by which ``market.end_day`` ends the present trading day, so that ``asked`` is the next one.

    One person may name the trading day after the present one and, where the present one is over, or none has begun,
    today or the trading day after it. Without a calendar every Monday to Friday is a trading day.
    """
    return END_OF_DAY_RULES if asked in _following(present, today, calendar) else END_OF_DAY_BY_TWO


def _following(present: date | None, today: date, calendar: Calendar | None) -> Iterator[date]:
    """Return the days that one person may name, as far as the calendar has them."""
    try:
        if present is not None:
            yield _next(present, calendar)
        if present is None or present < today:
            yield _next(today - _DAY, calendar)
            yield _next(today, calendar)
    except OutsideCalendar:
        return


def _next(day: date, calendar: Calendar | None) -> date:
    if calendar is not None:
        return calendar.next_trading_day(day)
    day += _DAY
    while day.weekday() >= _SATURDAY:
        day += _DAY
    return day
