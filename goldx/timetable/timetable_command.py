"""``goldx timetable``: compiles, shows and follows the timetable."""

import asyncio
import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

import click
import structlog
from redis.exceptions import RedisError

from goldx.hosting import logging
from goldx.hosting.running import resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.output import print_table
from goldx.protocol import terms
from goldx.streams.history import EventsMissing
from goldx.streams.segments import BadArchive
from goldx.timetable import compiled, process, random_end
from goldx.timetable.authored import BadTimetable
from goldx.timetable.calendar import OutsideCalendar
from goldx.timetable.calendar_command import DAY, FILE, read_calendar
from goldx.timetable.compiled import DayPlan
from goldx.timetable.deviations_command import delay, hold, release
from goldx.timetable.options import TIMETABLE, read_timetable
from goldx.timetable.venue_time import now_ms, shown_time


@click.group(invoke_without_command=True)
@click.pass_context
def timetable(context: click.Context) -> None:
    """Follow the timetable of the settings until SIGTERM; with a command: compile it and show it."""
    if context.invoked_subcommand is not None:
        return
    logging.configure("timetable")
    settings = Settings()
    if settings.timetable_file is None:
        raise click.ClickException("timetable_file is not set: it must be a path")
    try:
        asyncio.run(process.serve(settings, resolve_redis_url(settings), settings.timetable_file))
    except (BadTimetable, BadArchive, EventsMissing, RedisError, OSError) as error:
        structlog.get_logger().critical("the timetable stops", kind=type(error).__name__, reason=str(error))
        sys.exit(1)


for _command in (hold, release, delay):
    timetable.add_command(_command)


@timetable.command("compile")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--calendar", "calendar_file", type=FILE, help="Default: the setting calendar_file.")
@click.option("--out", type=FILE, help="Default: the setting timetable_file.")
def compile_command(source: Path, calendar_file: Path | None, out: Path | None) -> None:
    """Check the timetable SOURCE with the calendar, and write both into one compiled file; print its hash."""
    target = out or Settings().timetable_file
    if target is None:
        raise click.ClickException("say where to: --out FILE, or the setting timetable_file")
    try:
        found = compiled.compile_timetable(source.read_text(encoding="utf-8"), read_calendar(calendar_file))
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(found.write())
        os.replace(partial, target)
    except BadTimetable as error:
        raise click.ClickException("the timetable is refused:\n  " + "\n  ".join(error.problems)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{target}: {len(found.instruments)} instruments, days {found.calendar.first} to {found.calendar.last}")
    click.echo(f"sha256 {found.sha256}")


@timetable.command("plan")
@click.option("--day", type=DAY, help="A trading day; default: the present one, by this machine's clock.")
@click.option("--symbol", help="One instrument alone.")
@TIMETABLE
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def plan_command(day: date | None, symbol: str | None, file: Path | None, as_json: bool) -> None:
    """Show the plan of a trading day: when each instrument enters which phase. A random step has a latest time, too."""
    found = read_timetable(file)
    try:
        plan = found.plan(day or found.day_at(now_ms()))
    except (OutsideCalendar, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if symbol is not None and symbol not in plan.steps:
        raise click.ClickException(f"{symbol} is not in the timetable; there are {', '.join(plan.steps)}")
    rows = _rows(plan, symbol)
    if as_json:
        shown = {"day": str(plan.day), "ends_at": shown_time(plan.ends_at), "sha256": found.sha256, "steps": rows}
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    click.echo(f"trading day {plan.day}, timetable {found.sha256}")
    table = [[row[name] for name in ("symbol", "at", "latest", "state", "phase")] for row in rows]
    table.append(["all", shown_time(plan.ends_at), None, "end of the day", None])
    print_table("instrument from at_the_latest state phase", table)


def _rows(plan: DayPlan, symbol: str | None) -> list[dict[str, Any]]:
    steps = [step for found, steps in plan.steps.items() if symbol in (None, found) for step in steps]
    return [
        {
            "symbol": step.symbol,
            "at": shown_time(step.planned_at),
            "latest": shown_time(step.planned_at + step.window_ms) if step.window_ms else None,
            "state": step.state,
            "phase": terms.PHASES[step.phase],
            "planned_at": step.planned_at,
        }
        for step in sorted(steps, key=lambda step: step.planned_at)
    ]


@timetable.command("draw")
@click.option("--day", type=DAY, required=True, help="A trading day that has ended.")
@click.option("--key", "key_text", required=True, metavar="HEX", help="The key of that day, as it was published.")
@TIMETABLE
def draw_command(day: date, key_text: str, file: Path | None) -> None:
    """Compute the random ends of a day again from its published key, and the commitment that it must have had."""
    found = read_timetable(file)
    try:
        key = bytes.fromhex(key_text)
        plan = found.plan(day)
    except (OutsideCalendar, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if len(key) != random_end.KEY_BYTES:
        raise click.BadParameter(f"{random_end.KEY_BYTES} bytes in hexadecimal", param_hint="--key")
    click.echo(f"commitment {random_end.commitment(key)}")
    for row in _rows(plan, None):
        if row["latest"] is not None:
            steps = (step for step in plan.steps[row["symbol"]] if step.planned_at == row["planned_at"])
            window = next(steps).window_ms
            drawn = random_end.draw(key, day, row["symbol"], row["planned_at"], window)
            at = row["planned_at"] + drawn
            click.echo(f"{row['symbol']}  {row['state']}  {shown_time(at)}.{at % 1000:03}")
