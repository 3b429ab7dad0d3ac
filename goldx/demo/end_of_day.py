"""The end of the demonstration's day: the market closes, the day is closed step by step, and three people sign it."""

import json
from datetime import date, timedelta
from typing import Any

from goldx.demo import scenario, staff
from goldx.demo.shell import Shell
from goldx.demo.staff import Operator
from goldx.timetable.venue_time import today

SATURDAY = 5


def weekday_after(day: date) -> date:
    """Return the weekday after a day: the demonstration's calendar has no holidays."""
    day += timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day


async def end(operator: Operator) -> None:
    """Close all instruments and end the trading day; a mistyped next trading day waits for a second person in vain."""
    await staff.set_phase(operator, "closed")
    following = weekday_after(today())
    await operator.command("market.end_day", next_trading_day=str(weekday_after(weekday_after(following))))
    await operator.command("market.end_day", next_trading_day=str(following))


async def close_and_sign(shell: Shell) -> dict[str, Any]:
    """Close the day that is over, let settlement, warehouse and risk sign it, and return what became of it.

    That is ``{"day", "closed", "signed", "steps", "record"}``, with the hash of each step's output. Raises
    CommandFailed, which says what stands in the way.
    """
    closed = json.loads(await shell.run("day", "--as", scenario.CLERK.code, "close", "--json"))
    (day,) = closed["closed"]
    for person, capacity in scenario.SIGNERS:
        await shell.run("day", "--as", person.code, "sign", day, "--for", capacity)
    await shell.run("day", "--as", scenario.CLERK.code, "verify", day)
    shown = json.loads(await shell.run("day", "--as", scenario.CLERK.code, "status", day, "--json"))
    return {
        "day": day,
        "closed": all(step["status"] == "DONE" for step in shown["steps"]),
        "signed": shown["state"] == "SIGNED",
        "steps": {step["step"]: step["output_hash"] for step in shown["steps"]},
        "record": shown["record"],
    }
