"""The timetable: its file, what is refused in it, the compiled file, the plan of a day, and the random ends."""

import json
import secrets
from datetime import date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

import goldx.timetable
from goldx.cli import main
from goldx.protocol import terms
from goldx.timetable import authored, compiled, random_end
from goldx.timetable.authored import BadTimetable
from goldx.timetable.calendar import OutsideCalendar
from goldx.timetable.compiled import Timetable
from goldx.timetable.venue_time import SHANGHAI, shown_time
from tests.goldx.timetable.days import example, text_of

EXAMPLE = (Path(goldx.timetable.__file__).parent / "example.toml").read_text()
MONDAY = date(2026, 11, 23)


def timetable(text: str = EXAMPLE) -> Timetable:
    return compiled.compile_timetable(text, example())


def at(text: str) -> int:
    """Return a time in Shanghai in ms since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()) * 1_000


def problems(old: str, new: str) -> list[str]:
    """Return what is wrong with the example after a change of its text."""
    assert old in EXAMPLE
    with pytest.raises(BadTimetable) as error:
        authored.parse(EXAMPLE.replace(old, new, 1))
    return error.value.problems


def test_the_plan_of_a_monday_begins_on_friday_evening() -> None:
    plan = timetable().plan(MONDAY)
    steps = plan.steps["AU-DORE"]
    assert [(shown_time(step.planned_at), step.state, step.window_ms) for step in steps] == [
        ("2026-11-20 19:45:00", "pre_open", 0),
        ("2026-11-20 19:50:00", "auction", 0),
        ("2026-11-20 20:00:00", "continuous", 30_000),
        ("2026-11-21 02:30:00", "break", 0),
        ("2026-11-23 08:45:00", "pre_open", 0),
        ("2026-11-23 08:50:00", "auction", 0),
        ("2026-11-23 09:00:00", "continuous", 30_000),
        ("2026-11-23 11:30:00", "break", 0),
        ("2026-11-23 13:30:00", "continuous", 0),
        ("2026-11-23 15:25:00", "closing_auction", 0),
        ("2026-11-23 15:30:00", "closed", 30_000),
    ]
    phases = {step.state: terms.PHASES[step.phase] for step in steps}
    assert (phases["break"], phases["closing_auction"]) == ("closed", "auction")
    assert shown_time(plan.ends_at) == "2026-11-23 15:45:00"


def test_the_first_day_after_a_holiday_has_no_night_session_and_the_next_one_has() -> None:
    first, second = (timetable().plan(date(2026, 10, day)).steps["AU-DORE"] for day in (8, 9))
    assert shown_time(first[0].planned_at) == "2026-10-08 08:45:00"
    assert shown_time(second[0].planned_at) == "2026-10-08 19:45:00"


@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2026-11-20 15:44:59", date(2026, 11, 20)),
        ("2026-11-20 15:45:00", MONDAY),
        ("2026-11-20 23:00:00", MONDAY),
        ("2026-11-21 01:00:00", MONDAY),
        ("2026-11-22 12:00:00", MONDAY),
        ("2026-09-30 20:00:00", date(2026, 10, 8)),
        ("2026-10-08 15:50:00", date(2026, 10, 9)),
    ],
)
def test_every_time_belongs_to_one_trading_day(time: str, day: date) -> None:
    assert timetable().day_at(at(time)) == day


def test_a_day_beyond_the_calendar_has_no_plan() -> None:
    found = timetable()
    with pytest.raises(OutsideCalendar):
        found.day_at(at("2026-12-31 15:45:00"))
    with pytest.raises(OutsideCalendar):
        found.plan(date(2027, 1, 4))
    with pytest.raises(ValueError, match="2026-11-22 is no trading day but a weekend"):
        found.plan(date(2026, 11, 22))


def test_a_compiled_file_is_read_back_and_refused_when_it_was_altered(tmp_path: Path) -> None:
    file = tmp_path / "timetable.json"
    made = timetable()
    file.write_bytes(made.write())
    read = compiled.read(file)
    assert (read.sha256, read.plan(MONDAY), read.calendar.sha256) == (made.sha256, made.plan(MONDAY), example().sha256)
    assert timetable(EXAMPLE + "\n# a remark").sha256 != made.sha256
    content = json.loads(made.write())
    for name, value in (("late_ms", 1), ("content_sha256", "0" * 64), ("format", 2), ("more", 1)):
        file.write_text(json.dumps(content | {name: value}))
        with pytest.raises(BadTimetable, match="altered since it was compiled, or of another version"):
            compiled.read(file)
    file.write_text(made.write().decode().replace("2026-11-23,trading,", "2026-11-23,weekend,"))
    with pytest.raises(BadTimetable, match="not a compiled timetable"):
        compiled.read(file)
    file.write_text("[]")
    with pytest.raises(BadTimetable, match="not a compiled timetable"):
        compiled.read(file)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"09:00"', "9:30", "the file is not TOML: "),
        ('"09:00"', '"9:00"', "templates.standard.day[2].at: '9:00' is not allowed; it must be a text such as"),
        ('"09:00"', "09:00:00", "templates.standard.day[2].at: datetime.time(9, 0) is not allowed"),
        ('"09:00"', '"08:50"', "templates.standard.day[2].at: it must be later than the step before"),
        ('"11:30"', '"09:00:30"', "templates.standard.day[3].at: it must be later than the latest beginning of"),
        ('"13:30", state = "continuous"', '"13:30", state = "closed"', "day[4].state: closed does not follow break"),
        ('state = "closed"', 'state = "break"', "templates.standard.day: it must end with closed"),
        ('"02:30", state = "break"', '"02:30", state = "closing_auction"', "standard.night: it must end with break or"),
        ('"02:30"', '"08:45"', "templates.standard.day[0].at: it must be later than the end of the night session"),
        ('"15:45"', '"15:30:30"', "templates.standard.day: the last step must be earlier than end_of_day"),
        ('"19:45"', '"15:00"', "templates.standard.night[0].at: the night session must begin after end_of_day"),
        (
            '"11:30", state = "break"',
            '"11:30", state = "lunch"',
            "day[3].state: 'lunch' is not allowed; it must be one of",
        ),
        (
            '"11:30", state = "break"',
            '"11:30", state = "break", random_end_seconds = 5',
            "only an auction may have a random end",
        ),
        ("random_end_seconds = 30", "random_end_seconds = 0", "night[1].random_end_seconds: 0 is not allowed"),
        ("late_seconds = 120", "late_seconds = true", "late_seconds: True is not allowed; it must be a whole number"),
        ("late_seconds = 120", "", "the file: late_seconds is missing"),
        (
            'AU-DORE = "standard"',
            'AU-DORE = "other"',
            "instruments.AU-DORE: 'other' is not allowed; it must be the name",
        ),
        ('AU-DORE = "standard"', '"A U" = "standard"', 'instruments.A U: symbol: "A U" is not allowed'),
        ("[instruments]", "more = 1\n[instruments]", "the file: 'more' is not known; there are late_seconds"),
        ('"08:45", state', '"08:45", states', "templates.standard.day[0]: 'states' is not known; there are at, state"),
    ],
)
def test_each_fault_of_the_file_is_named_with_its_place(old: str, new: str, problem: str) -> None:
    found = problems(old, new)
    assert any(problem in line for line in found), found


def test_a_random_end_is_within_its_window_and_known_from_the_key_alone() -> None:
    key = bytes(range(32))
    drawn = [random_end.draw(key, MONDAY, f"S{number}", 1, 30_000) for number in range(400)]
    assert drawn == [random_end.draw(key, MONDAY, f"S{number}", 1, 30_000) for number in range(400)]
    assert min(drawn) >= 0
    assert max(drawn) <= 30_000
    assert len(set(drawn)) > 390
    # Another day, instrument, step or key gives another end, and without a window there is nothing to draw.
    again = [(key, MONDAY, "S1", 1), (key, MONDAY, "S1", 2), (key, MONDAY, "S2", 1), (key, date(2026, 11, 24), "S1", 1)]
    again.append((secrets.token_bytes(random_end.KEY_BYTES), MONDAY, "S1", 1))
    assert len({random_end.draw(*which, 1_800_000) for which in again}) == 5
    assert random_end.draw(key, MONDAY, "S1", 1, 0) == 0
    assert {random_end.draw(key, MONDAY, f"S{number}", 1, 1) for number in range(40)} == {0, 1}


def test_the_commands_compile_show_and_draw(tmp_path: Path) -> None:
    run = CliRunner().invoke
    calendar, source, out = tmp_path / "calendar.csv", tmp_path / "timetable.toml", tmp_path / "timetable.json"
    calendar.write_text(text_of())
    source.write_text(EXAMPLE)
    made = run(main, ["timetable", "compile", str(source), "--calendar", str(calendar), "--out", str(out)])
    assert made.exit_code == 0, made.output
    assert f"sha256 {timetable().sha256}" in made.output
    of_day = ["--day", "2026-11-23", "--timetable", str(out)]
    shown = run(main, ["timetable", "plan", *of_day, "--symbol", "AU-DORE"]).output.splitlines()
    assert shown[1].split() == ["instrument", "from", "at_the_latest", "state", "phase"]
    assert shown[4].split() == [
        "AU-DORE",
        "2026-11-20",
        "20:00:00",
        "2026-11-20",
        "20:00:30",
        "continuous",
        "continuous",
    ]
    assert shown[-1].split() == ["all", "2026-11-23", "15:45:00", "-", "end", "of", "the", "day", "-"]
    found = json.loads(run(main, ["timetable", "plan", *of_day, "--json"]).output)
    assert (found["day"], len(found["steps"]), found["sha256"]) == ("2026-11-23", 22, timetable().sha256)
    key = secrets.token_bytes(random_end.KEY_BYTES)
    drawn = run(main, ["timetable", "draw", *of_day, "--key", key.hex()]).output.splitlines()
    assert drawn[0] == f"commitment {random_end.commitment(key)}"
    assert len(drawn) == 1 + 2 * 3
    for arguments, text in (
        (["plan", "--day", "2027-01-04", "--timetable", str(out)], "2027-01-04 is not in the calendar"),
        (["plan", *of_day, "--symbol", "AU-X"], "AU-X is not in the timetable"),
        (["draw", *of_day, "--key", "00"], "32 bytes in hexadecimal"),
    ):
        refused = run(main, ["timetable", *arguments])
        assert (refused.exit_code != 0, text in refused.output) == (True, True), refused.output
    source.write_text(EXAMPLE.replace('"09:00"', '"9:00"'))
    refused = run(main, ["timetable", "compile", str(source), "--calendar", str(calendar), "--out", str(out)])
    assert (refused.exit_code, "day[2].at: '9:00' is not allowed" in refused.output) == (1, True)
    assert compiled.read(out).sha256 == timetable().sha256
