"""``goldx calendar``: makes, checks and shows the trading calendar."""

import json
from datetime import date
from pathlib import Path

import click

from goldx.hosting.settings import Settings
from goldx.timetable import calendar as calendars
from goldx.timetable.calendar import BadCalendar, Calendar, OutsideCalendar
from goldx.timetable.venue_time import today

FILE = click.Path(dir_okay=False, path_type=Path)
NAMES = {0: "Mon", 1: "Tue", 2: "Wed", 3: "Thu", 4: "Fri", 5: "Sat", 6: "Sun"}


class CalendarDayType(click.ParamType[date]):
    """The type of arguments such as ``2026-11-24``."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a date such as 2026-11-24", param, ctx)


DAY = CalendarDayType()


def read_calendar(file: Path | None) -> Calendar:
    """Return the calendar in a file, or the one of the settings. Raises ClickException with every fault."""
    found = file or Settings().calendar_file
    if found is None:
        raise click.ClickException("there is no calendar: name a file, or set calendar_file")
    try:
        return calendars.read(found)
    except BadCalendar as error:
        raise click.ClickException("the calendar is refused:\n  " + "\n  ".join(error.problems)) from None
    except OSError as error:
        raise click.ClickException(str(error)) from None


@click.group()
def calendar() -> None:
    """Make, check and show the trading calendar."""


@calendar.command("check")
@click.argument("file", type=FILE, required=False)
def check(file: Path | None) -> None:
    """Check FILE (or the one of the settings): every fault with its line and column, exit code 1."""
    found = read_calendar(file)
    traded = sum(day.traded for day in found.days)
    click.echo(f"{found.first} to {found.last}, {traded} trading days, sha256 {found.sha256}")
    if (left := found.days_left(today())) < calendars.ALERT_DAYS:
        click.echo(f"it has {max(left, 0)} days left: enter the days of the next notice")


@calendar.command("show")
@click.argument("first", type=DAY)
@click.argument("last", type=DAY, required=False)
@click.option("--calendar", "file", type=FILE, help="Default: the setting calendar_file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(first: date, last: date | None, file: Path | None, as_json: bool) -> None:
    """Show the days from FIRST to LAST, with the evening on which the night session of each begins."""
    found = read_calendar(file)
    try:
        days = [found.day(first), *(day for day in found.days if last and first < day.day <= last)]
        if last is not None:
            found.day(last)
        rows = [(day, found.evening_before(day.day) if day.traded else None) for day in days]
    except OutsideCalendar as error:
        raise click.ClickException(str(error)) from None
    if not as_json:
        click.echo(f"{'day':<15} {'kind':<17} {'night session on':<16}  notice")
    for day, evening in rows:
        night = None if evening is None else str(evening)
        if as_json:
            row = {"day": str(day.day), "kind": day.kind, "night_session_on": night, "notice": day.notice}
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(f"{day.day} {NAMES[day.day.weekday()]:<4} {day.kind:<17} {night or '-':<16}  {day.notice}")


@calendar.command("draft")
@click.argument("first", type=DAY)
@click.argument("last", type=DAY)
@click.option("--notice", required=True, help="The notice that the days come from.")
@click.option("--holiday", "holidays", type=DAY, multiple=True, help="A day without trading; may be given many times.")
@click.option("--out", type=FILE, required=True, help="A new file.")
def draft(first: date, last: date, notice: str, holidays: tuple[date, ...], out: Path) -> None:
    """Write a calendar from FIRST to LAST: Monday to Friday are traded, but for the holidays. Edit and check it."""
    if last < first:
        raise click.BadParameter(f"{last} comes before {first}")
    try:
        found = calendars.parse(calendars.write(calendars.draft(first, last, notice, holidays)), out.name)
        with out.open("x", encoding="utf-8") as file:
            file.write(calendars.write(found.days))
    except BadCalendar as error:
        raise click.ClickException("\n".join(error.problems)) from None
    except FileExistsError:
        raise click.ClickException(f"{out} exists already: name a file that does not, or move this one away") from None
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from None
    click.echo(f"{out}: {found.first} to {found.last}")
