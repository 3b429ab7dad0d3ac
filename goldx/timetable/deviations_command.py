"""The commands with which an operator deviates from the timetable: hold, release and delay, each with a reason."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click

from goldx.hosting.operator_request import give_command
from goldx.protocol.commands import TimetableDelay, TimetableHold
from goldx.protocol.units import BadValue
from goldx.timetable.calendar import OutsideCalendar
from goldx.timetable.calendar_command import DAY, FILE
from goldx.timetable.compiled import PlannedStep
from goldx.timetable.options import TIMETABLE, read_timetable
from goldx.timetable.venue_time import now_ms, shown_time

MINUTE_MS = 60_000
LONGEST_MINUTES = 24 * 60


def _as_operator(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that is given with an operator's key."""
    for option in (
        click.option("--url", help="The gateway; default: gateway_url, or the running `goldx serve`."),
        click.option("--key", "key_file", required=True, type=FILE, help="The operator's key."),
        click.option("--reason", required=True, help="The reason, which the audit log records."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("symbol")
@_as_operator
def hold(symbol: str, reason: str, key_file: Path, url: str | None) -> None:
    """Hold the timetable of SYMBOL: it stays in its phase until it is released."""
    _give(TimetableHold.method, {"symbol": symbol, "held": True}, reason, key_file, url)


@click.command()
@click.argument("symbol")
@_as_operator
def release(symbol: str, reason: str, key_file: Path, url: str | None) -> None:
    """Release the timetable of SYMBOL: it enters at once the phase that is planned for now."""
    _give(TimetableHold.method, {"symbol": symbol, "held": False}, reason, key_file, url)


@click.command()
@click.argument("symbol")
@click.option("--from", "first", required=True, metavar="HH:MM", help="The planned time of the first delayed step.")
@click.option("--to", "last", metavar="HH:MM", help="That of the last one; default: the day's last step.")
@click.option("--minutes", required=True, type=click.IntRange(0, LONGEST_MINUTES), help="0 takes a delay back.")
@click.option("--day", type=DAY, help="The trading day; default: the present one, by this machine's clock.")
@TIMETABLE
@_as_operator
def delay(
    symbol: str,
    first: str,
    last: str | None,
    minutes: int,
    day: date | None,
    file: Path | None,
    reason: str,
    key_file: Path,
    url: str | None,
) -> None:
    """Delay steps of SYMBOL: a late opening, or with the closing steps a longer session.

    A new delay of an instrument takes the place of the one before, and the day's end ends it.
    """
    timetable = read_timetable(file)
    try:
        plan = timetable.plan(day or timetable.day_at(now_ms()))
    except (OutsideCalendar, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if symbol not in plan.steps:
        raise click.ClickException(f"{symbol} is not in the timetable; there are {', '.join(plan.steps)}")
    steps = plan.steps[symbol]
    begins = _find(steps, first)
    ends = _find(steps, last) if last is not None else len(steps) - 1
    limits = [(step.planned_at, step.state) for step in steps[ends + 1 : ends + 2]] or [
        (plan.ends_at, "end of the day")
    ]
    latest = steps[ends].planned_at + steps[ends].window_ms + minutes * MINUTE_MS
    if begins > ends:
        raise click.ClickException(f"--from {first} comes after --to {last}")
    if latest >= limits[0][0]:
        at, name = limits[0]
        raise click.ClickException(
            f"{steps[ends].state} would begin until {shown_time(latest)}; at {shown_time(at)} comes {name}"
        )
    params = {
        "symbol": symbol,
        "first_at": steps[begins].planned_at,
        "last_at": steps[ends].planned_at,
        "delay_ms": minutes * MINUTE_MS,
    }
    _give(TimetableDelay.method, params, reason, key_file, url)


def _find(steps: tuple[PlannedStep, ...], text: str) -> int:
    """Return the place of the step that is planned for a time such as ``09:00``. Raises ClickException."""
    times = [shown_time(step.planned_at)[11:16] for step in steps]
    if times.count(text) != 1:
        raise click.ClickException(f"{text} is not the time of one planned step; there are {', '.join(times)}")
    return times.index(text)


def _give(method: str, params: dict[str, Any], reason: str, key_file: Path, url: str | None) -> None:
    try:
        answer = give_command(method, params, reason, key_file, url)
    except BadValue as error:
        raise click.BadParameter(str(error)) from error
    for event in answer["events"]:
        click.echo(json.dumps(event, ensure_ascii=False))
