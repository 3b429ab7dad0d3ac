"""Which next trading day one person names alone."""

from datetime import date, timedelta

import pytest

from api.sessions.next_day import rules_for
from goldx.protocol.terms import END_OF_DAY_BY_TWO, END_OF_DAY_RULES
from goldx.timetable import calendar
from goldx.timetable.calendar import Calendar

THURSDAY = date(2026, 11, 26)
FRIDAY, SATURDAY, MONDAY, TUESDAY = (THURSDAY + timedelta(days=number) for number in (1, 2, 4, 5))


def kept() -> Calendar:
    """Return a calendar of four weeks in which the Monday is a holiday."""
    days = calendar.draft(THURSDAY - timedelta(days=14), THURSDAY + timedelta(days=14), "N", [MONDAY])
    return calendar.parse(calendar.write(days))


@pytest.mark.parametrize(
    ("present", "today", "of_weekdays", "of_calendar"),
    [
        (THURSDAY, THURSDAY, {FRIDAY}, {FRIDAY}),
        (FRIDAY, FRIDAY, {MONDAY}, {TUESDAY}),
        (FRIDAY, SATURDAY, {MONDAY}, {TUESDAY}),
        (THURSDAY, FRIDAY, {FRIDAY, MONDAY}, {FRIDAY, TUESDAY}),
        (THURSDAY - timedelta(days=7), MONDAY, {MONDAY, TUESDAY}, {TUESDAY}),
        (None, THURSDAY, {THURSDAY, FRIDAY}, {THURSDAY, FRIDAY}),
        (TUESDAY, THURSDAY, set(), set()),
    ],
)
def test_one_person_names_the_day_that_follows_and_two_name_any_other(
    present: date | None, today: date, of_weekdays: set[date], of_calendar: set[date]
) -> None:
    for known, alone in ((None, of_weekdays), (kept(), of_calendar)):
        ahead = [today + timedelta(days=number) for number in range(9 if present == TUESDAY else 5)]
        found = {day for day in ahead if rules_for(day, present, today, known) == END_OF_DAY_RULES}
        follows = {TUESDAY + timedelta(days=1)} if present == TUESDAY else set()
        assert found == alone | follows


def test_a_calendar_that_ends_lets_nobody_name_a_day_alone() -> None:
    last = kept().last
    assert rules_for(last + timedelta(days=1), last, last, kept()) == END_OF_DAY_BY_TWO
