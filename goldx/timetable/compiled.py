"""The compiled timetable: calendar and templates in one checked and hashed file, which services read.

``content_sha256`` is over everything else in the file, as canonical JSON: a file that was changed by hand is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from goldx.timetable import calendar as calendars
from goldx.timetable.authored import PHASES, Authored, BadTimetable, Template, TemplateEntry, parse
from goldx.timetable.calendar import BadCalendar, Calendar
from goldx.timetable.venue_time import day_of, midnight

FORMAT: Final = 1


class PlannedStep(NamedTuple):
    """A planned change of an instrument's phase. ``planned_at`` in ms since the epoch identifies it.

    It is made at that time or, at random, up to ``window_ms`` later.
    """

    symbol: str
    planned_at: int
    state: str
    window_ms: int

    @property
    def phase(self) -> int:
        """The phase of the engine, from ``goldx.protocol.terms``."""
        return PHASES[self.state]


class DayPlan(NamedTuple):
    """The plan of one trading day: the steps of each instrument in order, and when the day ends."""

    day: date
    steps: Mapping[str, tuple[PlannedStep, ...]]
    ends_at: int


class Timetable:
    """A compiled timetable. ``sha256`` is its hash."""

    def __init__(self, authored: Authored, calendar: Calendar, source_sha256: str) -> None:
        self.calendar: Final = calendar
        self.late_ms: Final = authored.late_ms
        self.instruments: Final = authored.instruments
        self._authored = authored
        self._source_sha256 = source_sha256
        self.sha256: Final = hashlib.sha256(_canonical(self.content())).hexdigest()

    def plan(self, day: date) -> DayPlan:
        """Return the plan of a trading day. Raises OutsideCalendar, or ValueError if it is no trading day."""
        evening = self.calendar.evening_before(day)
        steps: dict[str, tuple[PlannedStep, ...]] = {}
        for symbol, name in self.instruments.items():
            template = self._authored.templates[name]
            night = () if evening is None else _steps(symbol, evening, template.night)
            steps[symbol] = night + _steps(symbol, day, template.day)
        return DayPlan(day, steps, self.ends_at(day))

    def ends_at(self, day: date) -> int:
        """Return when a trading day ends, in ms since the epoch."""
        return midnight(day) + self._authored.end_of_day_ms

    def day_at(self, at: int) -> date:
        """Return the trading day that a time belongs to: the first one that ends after it. Raises OutsideCalendar."""
        day = day_of(at)
        if self.calendar.day(day).traded and at < self.ends_at(day):
            return day
        return self.calendar.next_trading_day(day)

    def write(self) -> bytes:
        """Return the file."""
        return _canonical(self.content() | {"content_sha256": self.sha256}) + b"\n"

    def content(self) -> dict[str, Any]:
        """Return the contents of the file, without the hash."""
        return {
            "format": FORMAT,
            "calendar_sha256": self.calendar.sha256,
            "source_sha256": self._source_sha256,
            "late_ms": self.late_ms,
            "end_of_day_ms": self._authored.end_of_day_ms,
            "instruments": self.instruments,
            "templates": self._authored.templates,
            "calendar": calendars.write(self.calendar.days),
        }


def compile_timetable(text: str, calendar: Calendar) -> Timetable:
    """Return the compiled timetable of a file's text and a calendar. Raises BadTimetable."""
    return Timetable(parse(text), calendar, hashlib.sha256(text.encode()).hexdigest())


def read(file: Path) -> Timetable:
    """Return the timetable in a compiled file. Raises OSError, and BadTimetable for an altered file."""
    try:
        content = json.loads(file.read_bytes())
        named = content.pop("content_sha256")
        templates = {
            name: Template(*(tuple(TemplateEntry(*entry) for entry in session) for session in sessions))
            for name, sessions in content["templates"].items()
        }
        authored = Authored(content["late_ms"], content["end_of_day_ms"], content["instruments"], templates)
        calendar = calendars.parse(content["calendar"], f"the calendar in {file.name}")
        found = Timetable(authored, calendar, content["source_sha256"])
    except (BadCalendar, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadTimetable(
            [f"{file}: not a compiled timetable ({error}); make it with `goldx timetable compile`"]
        ) from None
    if content.get("format") != FORMAT or named != found.sha256 or _canonical(content) != _canonical(found.content()):
        raise BadTimetable([f"{file}: altered since it was compiled, or of another version; compile it again"])
    return found


def _steps(symbol: str, day: date, entries: tuple[TemplateEntry, ...]) -> tuple[PlannedStep, ...]:
    return tuple(
        PlannedStep(symbol, midnight(day) + entry.offset_ms, entry.state, entry.random_ms) for entry in entries
    )


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
