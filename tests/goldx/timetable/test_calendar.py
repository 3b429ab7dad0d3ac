"""The trading calendar: its rules, its strict bounds, and the night sessions around weekends and holidays."""

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from goldx.cli import main
from goldx.hosting.health import Unhealthy
from goldx.hosting.settings import Settings
from goldx.timetable import calendar
from goldx.timetable.calendar import BadCalendar, OutsideCalendar
from goldx.timetable.calendar_file import CalendarFile, health, status
from goldx.timetable.venue_time import today
from tests.goldx.timetable.days import FIRST, HOLIDAYS, LAST, WORKED, example, text_of


def problems(text: str) -> list[str]:
    with pytest.raises(BadCalendar) as error:
        calendar.parse(text, "c.csv")
    return error.value.problems


def changed(change: Callable[[list[str]], object]) -> list[str]:
    """Return what is wrong with the calendar of these tests after a change of its lines; line 1 is the header."""
    lines = text_of().splitlines()
    change(lines)
    return problems("\n".join(lines))


def test_the_night_of_a_monday_begins_on_friday() -> None:
    assert date(2026, 11, 23).weekday() == 0
    assert example().evening_before(date(2026, 11, 23)) == date(2026, 11, 20)
    assert example().evening_before(date(2026, 11, 24)) == date(2026, 11, 23)


def test_no_night_session_before_a_holiday_and_one_again_on_the_first_night_after() -> None:
    found = example()
    eve, first_after = date(2026, 9, 30), date(2026, 10, 8)
    assert found.next_trading_day(eve) == first_after
    assert found.previous_trading_day(first_after) == eve
    # The evening of the eve of the holiday would belong to the first day after it.
    assert found.evening_before(first_after) is None
    assert found.evening_before(date(2026, 10, 9)) == first_after


def test_a_worked_weekend_is_worked_and_not_traded() -> None:
    found = example().day(WORKED)
    assert (found.worked, found.traded) == (True, False)
    assert example().next_trading_day(date(2026, 10, 9)) == date(2026, 10, 12)
    assert [example().day(day).worked for day in HOLIDAYS] == [False] * 7


def test_a_day_that_is_not_in_it_is_not_guessed() -> None:
    found = example()
    for ask in (found.day, found.trading_day, found.evening_before, found.next_trading_day, found.previous_trading_day):
        with pytest.raises(OutsideCalendar, match="2027-01-01 is not in the calendar, which runs from 2026-09-01"):
            ask(date(2027, 1, 1))
    with pytest.raises(OutsideCalendar):
        found.next_trading_day(LAST)
    with pytest.raises(OutsideCalendar):
        found.previous_trading_day(FIRST)
    with pytest.raises(ValueError, match="2026-10-01 is no trading day but a holiday"):
        found.trading_day(date(2026, 10, 1))


def test_each_fault_has_its_line_and_column() -> None:
    assert changed(lambda lines: lines.pop(3)) == ["c.csv:4:1: day: missing before 2026-09-04: 2026-09-03"]
    found = changed(lambda lines: lines.__delitem__(slice(3, 5)))
    assert found == ["c.csv:4:1: day: missing before 2026-09-05: 2026-09-03 to 2026-09-04"]
    assert changed(lambda lines: lines.insert(3, lines[2])) == ["c.csv:4:1: day: 2026-09-02 comes twice"]
    assert "c.csv:4:1: day: 2026-09-01 comes after 2026-09-02" in changed(lambda lines: lines.insert(3, lines[1]))
    (unknown,) = changed(lambda lines: lines.__setitem__(2, "2026-09-02,open,N"))
    assert unknown.startswith("c.csv:3:12: kind: 'open' is not allowed; it must be one of trading, trading_no_night")
    short = changed(lambda lines: lines.__setitem__(2, "2026-9-2,trading,N"))[0]
    assert short == "c.csv:3:1: day: '2026-9-2' is not allowed; it must be a date such as 2026-11-24"
    (empty,) = changed(lambda lines: lines.__setitem__(2, "2026-09-02,trading, "))
    assert empty.startswith("c.csv:3:20: notice:")
    assert changed(lambda lines: lines.__setitem__(2, "2026-09-02,trading"))[0].startswith("c.csv:3:19: a line has")
    assert problems("date,kind\n")[0] == "c.csv:1:1: the first line must be day,kind,notice"
    assert problems("day,kind,notice\n2026-09-05,weekend,N\n") == ["c.csv: there is no trading day in it"]


def test_every_fault_is_named_at_once_up_to_fifty() -> None:
    assert len(changed(lambda lines: lines.__setitem__(slice(2, 4), ["2026-09-02,x,N", "2026-09-03,y,"]))) == 3
    many = "day,kind,notice\n" + "x,y,z\n" * 60
    assert problems(many)[-1] == "c.csv: and 70 more"


def test_a_kind_has_to_fit_the_weekday_and_the_days_before() -> None:
    saturday = changed(lambda lines: lines.__setitem__(5, "2026-09-05,trading,N"))
    assert (
        "c.csv:6:12: kind: 2026-09-05 is a Saturday, so it must be one of holiday, weekend, worked_weekend" in saturday
    )
    assert changed(lambda lines: lines.__setitem__(2, "2026-09-02,weekend,N")) == [
        "c.csv:3:12: kind: 2026-09-02 is a Wednesday, so it must be one of trading, trading_no_night, holiday"
    ]
    line = text_of().splitlines().index("2026-10-08,trading_no_night,TEST-NOTICE")
    assert changed(lambda lines: lines.__setitem__(line, "2026-10-08,trading,N")) == [
        f"c.csv:{line + 1}:12: kind: 2026-10-08 must be trading_no_night: there is no night session before a holiday"
    ]
    assert changed(lambda lines: lines.__setitem__(1, "2026-09-01,trading,N")) == [
        "c.csv:2:12: kind: 2026-09-01 must be trading_no_night: the calendar begins with it"
    ]


def test_the_hash_is_that_of_what_the_days_say() -> None:
    again = calendar.parse("# a remark\n\n" + text_of())
    assert again.sha256 == example().sha256
    assert calendar.parse(text_of().replace("TEST-NOTICE", "ANOTHER", 1)).sha256 != again.sha256


def test_a_calendar_is_read_again_when_its_file_changes_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "calendar.csv"
    followed = CalendarFile(file)
    assert followed.current() is None
    assert "No such file" in str(followed.problem)
    file.write_text(text_of())
    first = followed.current()
    assert first is not None
    assert str(followed.problem) == "None"
    file.write_text("day,kind,notice\n")
    assert followed.current() is first
    assert followed.problem == "calendar.csv: there is no trading day in it"
    assert status(followed, "2026-12-01")["days_left"] == 30


def test_an_alert_comes_thirty_days_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "calendar.csv"
    now = today()
    monkeypatch.setenv("GOLDX_CALENDAR_FILE", str(file))

    def write_until(days: int) -> None:
        days_of = calendar.draft(now.replace(year=now.year - 1, day=1), date.fromordinal(now.toordinal() + days), "N")
        file.write_text(calendar.write(days_of))

    write_until(31)
    assert "in 3" in asyncio.run(health(Settings()))
    write_until(28)
    with pytest.raises(Unhealthy, match=r"the trading calendar ends on .* enter those of the next notice"):
        asyncio.run(health(Settings()))
    file.write_text("nothing")
    with pytest.raises(Unhealthy, match=r"calendar.csv:1:1: the first line"):
        asyncio.run(health(Settings()))


def test_the_command_makes_checks_and_shows_a_calendar(tmp_path: Path) -> None:
    file = tmp_path / "2028.csv"
    run = CliRunner().invoke
    made = run(
        main,
        [
            "calendar",
            "draft",
            "2028-01-03",
            "2028-12-31",
            "--notice",
            "N",
            "--holiday",
            "2028-01-04",
            "--out",
            str(file),
        ],
    )
    assert made.exit_code == 0, made.output
    assert run(main, ["calendar", "check", str(file)]).output.startswith("2028-01-03 to 2028-12-31, 259 trading days")
    shown = run(main, ["calendar", "show", "2028-01-03", "2028-01-06", "--calendar", str(file)]).output.splitlines()
    assert [line.split()[:4] for line in shown[1:]] == [
        ["2028-01-03", "Mon", "trading_no_night", "-"],
        ["2028-01-04", "Tue", "holiday", "-"],
        ["2028-01-05", "Wed", "trading_no_night", "-"],
        ["2028-01-06", "Thu", "trading", "2028-01-05"],
    ]
    outside = run(main, ["calendar", "show", "2029-01-01", "--calendar", str(file)])
    assert (outside.exit_code, "2029-01-01 is not in the calendar" in outside.output) == (1, True)
    file.write_text(file.read_text().replace("2028-01-06,trading,N", "2028-01-06,traded,N"))
    refused = run(main, ["calendar", "check", str(file)])
    assert refused.exit_code == 1
    assert "2028.csv:5:12: kind: 'traded'" in refused.output
