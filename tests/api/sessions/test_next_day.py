"""Which next trading day one person names alone."""

from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest

from api.sessions.next_day import rules_for
from goldx.protocol.terms import END_OF_DAY_BY_PLAN, END_OF_DAY_BY_TWO, END_OF_DAY_RULES
from goldx.timetable import calendar, compiled
from goldx.timetable.calendar import Calendar
from goldx.timetable.compiled_file import CompiledFile
from goldx.timetable.venue_time import midnight

THURSDAY = date(2026, 11, 26)
FRIDAY, SATURDAY, MONDAY, TUESDAY = (THURSDAY + timedelta(days=number) for number in (1, 2, 4, 5))


def kept() -> Calendar:
    """Return a calendar of four weeks in which the Monday is a holiday."""
    days = calendar.draft(THURSDAY - timedelta(days=14), THURSDAY + timedelta(days=14), "N", [MONDAY])
    return calendar.parse(calendar.write(days))


NOON: Final = 12 * 3_600_000
CLOSE: Final = 15 * 3_600_000 + 30 * 60_000
"""15:30, when the days of the timetable end."""


@pytest.mark.parametrize(
    ("present", "today", "alone"),
    [
        (THURSDAY, THURSDAY, {THURSDAY}),
        (FRIDAY, FRIDAY, {FRIDAY}),
        (FRIDAY, SATURDAY, {TUESDAY}),
        (THURSDAY, FRIDAY, {FRIDAY}),
        (THURSDAY - timedelta(days=7), MONDAY, {TUESDAY}),
        (None, THURSDAY, {THURSDAY, FRIDAY}),
        (None, FRIDAY, {FRIDAY, TUESDAY}),
        (TUESDAY, THURSDAY, {THURSDAY}),
    ],
)
@pytest.mark.parametrize("at", [0, NOON, 24 * 3_600_000 - 1])
def test_one_person_names_the_day_that_it_is_and_two_name_any_other(
    present: date | None, today: date, alone: set[date], at: int
) -> None:
    """Two do without a calendar, whatever the day. The core refuses days that are not after the present one."""
    for known, expected in ((None, set()), (kept(), alone)):
        ahead = [today + timedelta(days=number) for number in range(9)]
        now = midnight(today) + at
        found = {day for day in ahead if rules_for(day, present, now, known, None) == END_OF_DAY_RULES}
        assert found == expected


def timetable_file(folder: Path) -> Path:
    """Write a compiled timetable of the calendar, of which each day ends at 15:30."""
    text = """
late_seconds = 60
end_of_day = "15:30"

[instruments]
AU = "usual"
[templates.usual]
night = []
day = [{at = "09:00", state = "continuous"}, {at = "15:00", state = "closed"}]
"""
    file = folder / "timetable.json"
    file.write_bytes(compiled.compile_timetable(text, kept()).write())
    return file


def test_the_timetable_says_when_a_day_is_over(tmp_path: Path) -> None:
    timetable = CompiledFile(timetable_file(tmp_path)).current()
    assert timetable is not None
    cases = [
        (THURSDAY, THURSDAY, CLOSE - 1, THURSDAY),
        (THURSDAY, THURSDAY, CLOSE, FRIDAY),
        (FRIDAY, THURSDAY, CLOSE, FRIDAY),
        (FRIDAY, FRIDAY, CLOSE, TUESDAY),
    ]
    for present, today, at, alone in cases:
        ahead = [THURSDAY + timedelta(days=number) for number in range(9)]
        now = midnight(today) + at
        found = {day: rules_for(day, present, now, kept(), timetable) for day in ahead}
        assert found == dict.fromkeys(ahead, END_OF_DAY_BY_TWO) | {alone: END_OF_DAY_BY_PLAN}, (present, today, at)


def test_a_timetable_that_is_replaced_is_read_again_and_one_that_is_altered_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "timetable.json"
    file = CompiledFile(path)
    assert file.current() is None
    timetable_file(tmp_path)
    found = file.current()
    assert found is not None
    assert file.current() is found
    path.write_bytes(path.read_bytes().replace(b"late_ms", b"lost_ms"))
    assert file.current() is None
    timetable_file(tmp_path)
    assert file.current() is not None


def test_a_calendar_that_ends_lets_nobody_name_a_day_alone() -> None:
    last = kept().last
    assert rules_for(last + timedelta(days=1), last, midnight(last) + NOON, kept(), None) == END_OF_DAY_BY_TWO
