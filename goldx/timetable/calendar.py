"""The trading calendar: a text file in which the operator enters every day, with the notice that it comes from.

China moves days around its holidays by a notice each year, and no package knows the next one. So the calendar has a
line for each day and ends where the notices end; it answers nothing about days outside:

    day,kind,notice
    2026-09-30,trading,NOTICE-2026
    2026-10-01,holiday,NOTICE-2026

===============  ========  ========  ====================================================================
kind             traded    worked    meaning
===============  ========  ========  ====================================================================
trading          yes       yes       a night session before it, on the evening of the trading day before
trading_no_night yes       yes       no night session before it: the first trading day after a holiday
holiday          no        no
weekend          no        no        a Saturday or Sunday
worked_weekend   no        yes       a Saturday or Sunday that is worked in exchange for a holiday
===============  ========  ========  ====================================================================

A trading day is from Monday to Friday (domain sheet 1.2; the matching core has the same rule). Lines that are empty or
begin with ``#`` are ignored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

TRADING: Final = "trading"
TRADING_NO_NIGHT: Final = "trading_no_night"
HOLIDAY: Final = "holiday"
WEEKEND: Final = "weekend"
WORKED_WEEKEND: Final = "worked_weekend"
KINDS: Final = (TRADING, TRADING_NO_NIGHT, HOLIDAY, WEEKEND, WORKED_WEEKEND)
TRADED: Final = frozenset((TRADING, TRADING_NO_NIGHT))
WORKED: Final = TRADED | {WORKED_WEEKEND}
_ON_WEEKENDS: Final = frozenset((HOLIDAY, WEEKEND, WORKED_WEEKEND))
_ON_WEEKDAYS: Final = frozenset((TRADING, TRADING_NO_NIGHT, HOLIDAY))

HEADER: Final = "day,kind,notice"
ALERT_DAYS: Final = 30
"""The number of days before a calendar's end at which the alert to continue it begins."""
LARGEST_BYTES: Final = 4_000_000
LONGEST_NOTICE: Final = 200
_SATURDAY: Final = 5
_ONE_DAY: Final = timedelta(days=1)
_MOST_PROBLEMS: Final = 50


class BadCalendar(ValueError):
    """A calendar that is not allowed: ``problems`` has a line for each fault, ``FILE:LINE:COLUMN: what is wrong``."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class OutsideCalendar(LookupError):
    """Raised for a day that the calendar does not define."""


class CalendarDay(NamedTuple):
    """One day: its kind (one of KINDS) and the notice on which the kind is based."""

    day: date
    kind: str
    notice: str

    @property
    def traded(self) -> bool:
        return self.kind in TRADED

    @property
    def worked(self) -> bool:
        return self.kind in WORKED


class Calendar:
    """The days of a calendar, without a gap. ``sha256`` is the hash of the day, kind and notice of each.

    Every method raises OutsideCalendar rather than guess about a day that is not in it.
    """

    def __init__(self, days: Iterable[CalendarDay]) -> None:
        self.days: Final = tuple(days)
        self._by_day: Mapping[date, CalendarDay] = {day.day: day for day in self.days}
        self.first: Final = self.days[0].day
        self.last: Final = self.days[-1].day
        self.sha256: Final = hashlib.sha256(write(self.days).encode()).hexdigest()

    def day(self, day: date) -> CalendarDay:
        """Return a day."""
        found = self._by_day.get(day)
        if found is None:
            raise OutsideCalendar(f"{day} is not in the calendar, which runs from {self.first} to {self.last}")
        return found

    def trading_day(self, day: date) -> CalendarDay:
        """Return a trading day. Raises ValueError if the market is closed on that day."""
        found = self.day(day)
        if not found.traded:
            raise ValueError(f"{day} is no trading day but a {found.kind} ({found.notice})")
        return found

    def next_trading_day(self, day: date) -> date:
        """Return the first trading day after a day."""
        return self._search(day, _ONE_DAY)

    def previous_trading_day(self, day: date) -> date:
        """Return the last trading day before a day."""
        return self._search(day, -_ONE_DAY)

    def evening_before(self, day: date) -> date | None:
        """Return the date on whose evening the night session of a trading day begins, or None if it has none.

        That is the trading day before: the night session of a Monday begins on Friday.
        """
        if self.trading_day(day).kind == TRADING_NO_NIGHT:
            return None
        return self.previous_trading_day(day)

    def days_left(self, day: date) -> int:
        """Return the number of days in the calendar after a day; negative if it ended before."""
        return (self.last - day).days

    def _search(self, day: date, step: timedelta) -> date:
        self.day(day)
        while True:
            day += step
            if self.day(day).traded:
                return day


def read(file: Path) -> Calendar:
    """Return the calendar in a file. Raises OSError, and BadCalendar with every fault that was found."""
    if file.stat().st_size > LARGEST_BYTES:
        raise BadCalendar([f"{file.name}: larger than {LARGEST_BYTES} bytes"])
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCalendar([f"{file.name}: byte {error.start + 1} is not UTF-8"]) from None
    return parse(text, file.name)


def parse(text: str, name: str = "calendar") -> Calendar:
    """Return the calendar that a text describes. Raises BadCalendar."""
    reader = _CalendarReader(name)
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            reader.take(number, line)
    return reader.finish()


def write(days: Iterable[CalendarDay]) -> str:
    """Return days as the text of a calendar file."""
    return "".join(f"{line}\n" for line in (HEADER, *(",".join((str(d.day), d.kind, d.notice)) for d in days)))


def draft(first: date, last: date, notice: str, holidays: Iterable[date] = ()) -> list[CalendarDay]:
    """Return the days from first to last as a draft, to which the operator adds the missing holidays.

    The draft has the given holidays, and no night session before the first trading day after one. The first trading day
    has none either, because the evening before is not in this calendar.
    """
    closed = frozenset(holidays)
    days = []
    night = False
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if day in closed:
            kind, night = HOLIDAY, False
        elif day.weekday() >= _SATURDAY:
            kind = WEEKEND
        else:
            kind, night = TRADING if night else TRADING_NO_NIGHT, True
        days.append(CalendarDay(day, kind, notice))
    return days


class _CalendarReader:
    """Reads the lines of a calendar one by one and collects their faults."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._problems: list[str] = []
        self._days: list[CalendarDay] = []
        self._header = False
        self._night = False
        """Whether a night session may come before the next trading day: not at the beginning, not after a holiday."""

    def take(self, number: int, line: str) -> None:
        """Read a line that is not empty."""
        if not self._header:
            self._header = True
            if line != HEADER:
                self._report(number, 1, f"the first line must be {HEADER}")
            return
        fields = line.split(",", 2)
        if len(fields) != 3:
            self._report(number, len(line) + 1, f"a line has three fields, {HEADER}")
            return
        text, kind, notice = fields
        day = self._read_day(number, text)
        column = len(text) + 2
        if kind not in KINDS:
            self._report(number, column, f"kind: {kind!r} is not allowed; it must be one of {', '.join(KINDS)}")
            kind = ""
        column += len(fields[1]) + 1
        if not notice.strip() or len(notice) > LONGEST_NOTICE or not notice.isprintable():
            self._report(
                number, column, f"notice: printable text of 1 to {LONGEST_NOTICE} characters, where it is from"
            )
        if day is not None:
            self._check(number, len(text) + 2, day, kind)
            self._days.append(CalendarDay(day, kind, notice))

    def finish(self) -> Calendar:
        """Return the calendar. Raises BadCalendar."""
        if not self._problems and not any(day.traded for day in self._days):
            self._problems.append(f"{self._name}: there is no trading day in it")
        if self._problems:
            more = len(self._problems) - _MOST_PROBLEMS
            raise BadCalendar(self._problems[:_MOST_PROBLEMS] + [f"{self._name}: and {more} more"] * (more > 0))
        return Calendar(self._days)

    def _read_day(self, number: int, text: str) -> date | None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
        if day is None or str(day) != text:
            self._report(number, 1, f"day: {text!r} is not allowed; it must be a date such as 2026-11-24")
            return None
        previous = self._days[-1].day if self._days else None
        if previous is not None and day != previous + _ONE_DAY:
            if day == previous:
                self._report(number, 1, f"day: {day} comes twice")
            elif day < previous:
                self._report(number, 1, f"day: {day} comes after {previous}")
            else:
                missing = f"{previous + _ONE_DAY}" + f" to {day - _ONE_DAY}" * (day - previous > 2 * _ONE_DAY)
                self._report(number, 1, f"day: missing before {day}: {missing}")
        return day

    def _check(self, number: int, column: int, day: date, kind: str) -> None:
        """Check a kind against the weekday and against the days before."""
        allowed = _ON_WEEKENDS if day.weekday() >= _SATURDAY else _ON_WEEKDAYS
        if kind and kind not in allowed:
            words = ", ".join(word for word in KINDS if word in allowed)
            self._report(number, column, f"kind: {day} is a {day:%A}, so it must be one of {words}")
        if kind == HOLIDAY:
            self._night = False
        elif kind in TRADED:
            if kind == TRADING and not self._night:
                why = "there is no night session before a holiday" if self._days else "the calendar begins with it"
                if self._days and not any(earlier.traded for earlier in self._days):
                    why = "the trading day before is not in the calendar"
                self._report(number, column, f"kind: {day} must be {TRADING_NO_NIGHT}: {why}")
            self._night = True

    def _report(self, number: int, column: int, text: str) -> None:
        self._problems.append(f"{self._name}:{number}:{column}: {text}")
