"""The end of a trading day that an operator asks for: one person may end a day that is over, two may end any other."""

import asyncio
from datetime import date, timedelta
from typing import Final, NamedTuple

from msgspec.structs import replace

from api.edge.outcome import Refusal
from goldx.hosting.settings import Settings
from goldx.protocol.commands import MarketEndDay
from goldx.protocol.terms import END_OF_DAY_BY_PLAN, END_OF_DAY_BY_TWO, END_OF_DAY_RULES
from goldx.timetable.calendar import Calendar, OutsideCalendar
from goldx.timetable.calendar_file import CalendarFile
from goldx.timetable.compiled import Timetable
from goldx.timetable.compiled_file import CompiledFile
from goldx.timetable.venue_time import day_of, now_ms

_DAY: Final = timedelta(days=1)


class Plans(NamedTuple):
    """The files that say which days are trading days and when each ends; None where there is none."""

    calendar: CalendarFile | None = None
    timetable: CompiledFile | None = None


def plans_of(settings: Settings) -> Plans:
    """Return the files that the settings name."""
    return Plans(
        None if settings.calendar_file is None else CalendarFile(settings.calendar_file),
        None if settings.timetable_file is None else CompiledFile(settings.timetable_file),
    )


async def with_rules(command: MarketEndDay, trading_day: str | None, plans: Plans) -> MarketEndDay:
    """Return the end of the trading day with the rules that hold for it now.

    Raises Refusal for a next trading day that the calendar does not have as one.
    """
    asked, calendar = date.fromisoformat(command.next_trading_day), None
    if plans.calendar is not None:
        calendar = await asyncio.to_thread(plans.calendar.current)
        try:
            if calendar is None:
                raise ValueError(f"the trading calendar is refused: {plans.calendar.problem}")
            calendar.trading_day(asked)
        except (OutsideCalendar, ValueError) as error:
            raise Refusal("BAD_VALUE", f"next_trading_day: {error}") from error
    try:
        present = date.fromisoformat(trading_day or "")
    except ValueError:  # none has begun, or by the oldest rules one without a date
        present = None
    timetable = None if plans.timetable is None else await asyncio.to_thread(plans.timetable.current)
    return replace(command, rules=rules_for(asked, present, now_ms(), calendar, timetable))


def rules_for(
    asked: date, present: date | None, now: int, calendar: Calendar | None, timetable: Timetable | None
) -> int:
    """Return the rules by which ``market.end_day`` ends the present trading day, so that ``asked`` is the next one.

    One person may name the trading day that it is now, and no other: so nobody ends days ahead of the calendar alone.
    That is the one of the timetable's plan, which ends a day at its time; without a timetable it is today, or the first
    trading day after it, so that a day is over when its date is. A new exchange, which has no trading day yet, may
    begin with the one after it as well. ``now`` is in ms since the epoch. Without a calendar no day is known to be a
    trading day, so two people name each.
    """
    today = day_of(now)
    try:
        if timetable is not None and asked == timetable.day_at(now):
            return END_OF_DAY_BY_PLAN
        alone = []
        if calendar is not None:
            alone += [calendar.next_trading_day(today - _DAY)] if timetable is None else []
            alone += [calendar.next_trading_day(today)] if present is None else []
    except OutsideCalendar:
        alone = []
    return END_OF_DAY_RULES if asked in alone else END_OF_DAY_BY_TWO
