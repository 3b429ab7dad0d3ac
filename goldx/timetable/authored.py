"""The timetable as the operator writes it: a TOML file with templates of sessions, and the template of each instrument.

    late_seconds = 120
    end_of_day = "15:45"

    [instruments]
    AU-DORE = "standard"

    [templates.standard]
    night = [
        {at = "19:50", state = "auction", random_end_seconds = 30},
        {at = "20:00", state = "continuous"},
        {at = "02:30", state = "break"},
    ]
    day = [
        {at = "09:00", state = "continuous"},
        {at = "15:25", state = "closing_auction", random_end_seconds = 30},
        {at = "15:30", state = "closed"},
    ]

Times are those of Shanghai, whole seconds, and texts: ``9:30`` without quotes means something else in many formats. The
night session begins on the evening before the trading day; its times from midnight on are those of the next morning.
"""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from typing import Any, Final, NamedTuple

from goldx.protocol import terms
from goldx.protocol.units import BadValue, parse_identifier

PRE_OPEN: Final = "pre_open"
AUCTION: Final = "auction"
CONTINUOUS: Final = "continuous"
BREAK: Final = "break"
CLOSING_AUCTION: Final = "closing_auction"
CLOSED: Final = "closed"

PHASES: Final = {
    PRE_OPEN: terms.PRE_OPEN,
    AUCTION: terms.AUCTION,
    CONTINUOUS: terms.CONTINUOUS,
    BREAK: terms.CLOSED,
    CLOSING_AUCTION: terms.AUCTION,
    CLOSED: terms.CLOSED,
}
"""State of an instrument in the timetable -> its phase in the engine. In a break new orders are refused."""
_OPENING: Final = (PRE_OPEN, AUCTION, CONTINUOUS)
NEXT_STATES: Final = {
    CLOSED: _OPENING,
    BREAK: (*_OPENING, CLOSING_AUCTION),
    PRE_OPEN: (AUCTION, CONTINUOUS),
    AUCTION: (CONTINUOUS,),
    CONTINUOUS: (BREAK, CLOSING_AUCTION, CLOSED),
    CLOSING_AUCTION: (BREAK, CLOSED),
}
"""State -> the states that may follow."""

SECOND: Final = 1_000
DAY_MS: Final = 86_400_000
NOON_MS: Final = DAY_MS // 2
MOST_STEPS: Final = 50
MOST_ENTRIES: Final = 10_000
LONGEST_LATE_SECONDS: Final = 3_600
LONGEST_RANDOM_SECONDS: Final = 1_800
LARGEST_BYTES: Final = 4_000_000
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_TOP: Final = ("late_seconds", "end_of_day", "instruments", "templates")


class BadTimetable(ValueError):
    """A timetable that is not allowed: ``problems`` has a line for each fault, ``PLACE: what is wrong``."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TemplateEntry(NamedTuple):
    """One line of a template: the state begins at a time, or at random up to ``random_ms`` later.

    ``offset_ms`` counts from midnight of the evening's date in a night session, from that of the trading day in a day
    session.
    """

    offset_ms: int
    state: str
    random_ms: int


class Template(NamedTuple):
    """The sessions of one trading day."""

    night: tuple[TemplateEntry, ...]
    day: tuple[TemplateEntry, ...]


class Authored(NamedTuple):
    """The contents of a timetable file. A step that is late by more than ``late_ms`` is left out."""

    late_ms: int
    end_of_day_ms: int
    instruments: dict[str, str]
    templates: dict[str, Template]


def parse(text: str) -> Authored:
    """Return the contents of a timetable file. Raises BadTimetable with every fault."""
    if len(text) > LARGEST_BYTES:
        raise BadTimetable([f"the file: larger than {LARGEST_BYTES} characters"])
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadTimetable([f"the file is not TOML: {error}"]) from None
    reader = _TemplateReader()
    found = reader.read(tree)
    if reader.problems:
        raise BadTimetable(reader.problems)
    return found


def parse_time(text: object) -> int | None:
    """Return the milliseconds after midnight that a text such as ``09:30`` or ``09:30:15`` names, or None."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * SECOND


class _TemplateReader:
    """Reads the tree of a TOML file and collects its faults."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, tree: dict[str, Any]) -> Authored:
        """Return what it says; it counts only where ``problems`` is empty afterwards."""
        self._names("the file", tree, _TOP, _TOP)
        late = self._whole("late_seconds", tree.get("late_seconds"), 1, LONGEST_LATE_SECONDS)
        end_of_day = self._time("end_of_day", tree.get("end_of_day"))
        templates = {
            name: self._template(f"templates.{name}", template)
            for name, template in self._table("templates", tree.get("templates")).items()
        }
        instruments = self._table("instruments", tree.get("instruments"))
        for symbol, name in instruments.items():
            try:
                parse_identifier(symbol, "symbol")
            except BadValue as error:
                self._report(f"instruments.{symbol}", str(error))
            if not isinstance(name, str) or name not in templates:
                allowed = "the name of a template: " + ", ".join(templates)
                self._report(f"instruments.{symbol}", f"{name!r} is not allowed; it must be {allowed}")
        for name, template in templates.items():
            self._check_end(f"templates.{name}", template, end_of_day)
        return Authored(late * SECOND, end_of_day, instruments, templates)

    def _template(self, place: str, found: object) -> Template:
        table = self._table(place, found)
        self._names(place, table, ("night", "day"), ("day",))
        night = self._session(f"{place}.night", table.get("night", []), night=True)
        day = self._session(f"{place}.day", table.get("day", []), night=False)
        for before, entry, where in (("", night, "night"), ("night", day, "day")):
            if entry:
                begins_after = (night[-1].state if before and night else CLOSED, entry[0].state)
                if begins_after[1] not in NEXT_STATES[begins_after[0]]:
                    self._report(f"{place}.{where}[0]", _wrong_state(*begins_after))
        if night and night[-1].state not in (BREAK, CLOSED):
            self._report(f"{place}.night", f"it must end with {BREAK} or {CLOSED}")
        if day and day[-1].state != CLOSED:
            self._report(f"{place}.day", f"it must end with {CLOSED}")
        if night and day and night[-1].offset_ms - DAY_MS + night[-1].random_ms >= day[0].offset_ms:
            self._report(f"{place}.day[0].at", "it must be later than the end of the night session")
        return Template(night, day)

    def _session(self, place: str, found: object, *, night: bool) -> tuple[TemplateEntry, ...]:
        """Return the entries of a session: each later than the latest beginning of the one before it."""
        if not isinstance(found, list) or len(found) > MOST_STEPS:
            self._report(place, f"it must be a list of at most {MOST_STEPS} steps")
            return ()
        entries: list[TemplateEntry] = []
        random_ms = 0
        for number, step in enumerate(found):
            where = f"{place}[{number}]"
            table = self._table(where, step)
            self._names(where, table, ("at", "state", "random_end_seconds"), ("at", "state"))
            state = table.get("state")
            if not isinstance(state, str) or state not in PHASES:
                allowed = ", ".join(PHASES)
                self._report(f"{where}.state", f"{state!r} is not allowed; it must be one of {allowed}")
                continue
            offset = self._time(f"{where}.at", table.get("at"))
            entries.append(TemplateEntry(offset + DAY_MS * (night and offset < NOON_MS), state, random_ms))
            random_ms = 0
            if (seconds := table.get("random_end_seconds")) is not None:
                random_ms = SECOND * self._whole(f"{where}.random_end_seconds", seconds, 1, LONGEST_RANDOM_SECONDS)
                if state not in (AUCTION, CLOSING_AUCTION):
                    self._report(f"{where}.random_end_seconds", "only an auction may have a random end")
        for number, (before, entry) in enumerate(pairwise(entries), 1):
            if entry.offset_ms <= before.offset_ms + before.random_ms:
                after = "the latest beginning of" if before.random_ms else ""
                self._report(
                    f"{place}[{number}].at", f"it must be later than {after} the step before".replace("  ", " ")
                )
            if entry.state not in NEXT_STATES[before.state]:
                self._report(f"{place}[{number}].state", _wrong_state(before.state, entry.state))
        if not entries and not night:
            self._report(place, "it has no step")
        return tuple(entries)

    def _check_end(self, place: str, template: Template, end_of_day: int) -> None:
        if template.day and template.day[-1].offset_ms + template.day[-1].random_ms >= end_of_day:
            self._report(f"{place}.day", "the last step must be earlier than end_of_day")
        if template.night and template.night[0].offset_ms <= end_of_day:
            self._report(f"{place}.night[0].at", "the night session must begin after end_of_day, and after noon")

    def _time(self, place: str, found: object) -> int:
        offset = parse_time(found)
        if offset is None:
            self._report(place, f'{found!r} is not allowed; it must be a text such as "09:30" or "09:30:15"')
            return 0
        return offset

    def _whole(self, place: str, found: object, lowest: int, largest: int) -> int:
        if not isinstance(found, int) or isinstance(found, bool) or not lowest <= found <= largest:
            self._report(place, f"{found!r} is not allowed; it must be a whole number from {lowest} to {largest}")
            return lowest
        return found

    def _table(self, place: str, found: object) -> dict[str, Any]:
        if not isinstance(found, dict) or not 1 <= len(found) <= MOST_ENTRIES:
            self._report(place, f"it must be a table of 1 to {MOST_ENTRIES} entries")
            return {}
        return found

    def _names(self, place: str, table: dict[str, Any], known: tuple[str, ...], needed: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                self._report(place, f"{name!r} is not known; there are {', '.join(known)}")
        for name in needed:
            if table and name not in table:
                self._report(place, f"{name} is missing")

    def _report(self, place: str, text: str) -> None:
        self.problems.append(f"{place}: {text}")


def _wrong_state(before: str, state: str) -> str:
    return f"{state} does not follow {before}; {' or '.join(NEXT_STATES[before])} does"
