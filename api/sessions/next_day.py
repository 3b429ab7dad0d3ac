"""The next trading day that an operator names: the one that follows takes one person, any other takes two."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from msgspec.structs import replace

from api.edge.outcome import Refusal
from goldx.protocol.commands import MarketEndDay
from goldx.protocol.terms import END_OF_DAY_BY_TWO, END_OF_DAY_RULES
from goldx.timetable.calendar import Calendar, OutsideCalendar
from goldx.timetable.calendar_file import CalendarFile
from goldx.timetable.venue_time import today

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


async def with_rules(command: MarketEndDay, trading_day: str | None, file: CalendarFile | None) -> MarketEndDay:
    """Return the end of the trading day with the rules that hold for the next one.

    Raises Refusal for one that the calendar does not have as a trading day.
    """
    asked, calendar = date.fromisoformat(command.next_trading_day), None
    if file is not None:
        calendar = await asyncio.to_thread(file.current)
        try:
            if calendar is None:
                raise ValueError(f"the trading calendar is refused: {file.problem}")
            calendar.trading_day(asked)
        except (OutsideCalendar, ValueError) as error:
            raise Refusal("BAD_VALUE", f"next_trading_day: {error}") from error
    try:
        present = date.fromisoformat(trading_day or "")
    except ValueError:  # none has begun, or by the oldest rules one without a date
        present = None
    return replace(command, rules=rules_for(asked, present, today(), calendar))


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
