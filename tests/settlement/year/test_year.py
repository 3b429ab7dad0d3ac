"""A simulated year closes every day without a break, and any day gives the same bytes again.

``pytest -n 0 -m slow tests/settlement/year --days 250 --trades 2000 --seed S`` runs the year and prints a line a day;
three weeks are a campaign.
"""

import asyncio
import faulthandler
import json
import os
import secrets
import sys
from datetime import date, timedelta
from typing import Any

import pytest

from tests.moved_clock import MovedClock

HAPPENINGS = (
    "annulled trades",
    "bills",
    "breaks of the books",
    "breaks of the warehouse",
    "corrections",
    "counts",
    "days computed again",
    "deposits",
    "lots in",
    "nights",
    "withdrawals",
)
"""Happenings of any three weeks, whatever the seed."""
RARE = (
    "closes that were started again",
    "load-outs",
    "load-outs that expired",
    "payments taken back",
    "withdrawals declined",
)
"""Happenings of any year besides."""
GROWTH = 3
"""The last tenth of a year's closes may take so many times as long as the first, on a machine with other work."""


async def lived(
    clock: MovedClock, days: int, trades: int, seed: int, again_every: int
) -> tuple[list[str], dict[str, Any]]:
    """Run the program, and return its line of each day and its summary."""
    numbers = {"days": days, "trades": trades, "seed": seed, "again-every": again_every}
    arguments = [part for name, value in numbers.items() for part in (f"--{name}", str(value))]
    command = (sys.executable, "-m", "tests.settlement.year.live", *arguments)
    environment, pipe = {**os.environ, **clock.environment}, asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe)
    assert program.stdout is not None
    lines: list[str] = []
    try:
        async for line in program.stdout:
            print(line.decode().rstrip(), flush=True)
            lines.append(line.decode())
        assert await program.wait() == 0
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return [line for line in lines if " trades in " in line], json.loads(lines[-1])


def check(lines: list[str], found: dict[str, Any], days: int, trades: int) -> None:
    """Check that each day was closed, that fees accrued for every calendar day, and that everything happened."""
    assert (len(lines), found["days"]) == (days, days)
    assert [happened for happened in HAPPENINGS if not found.get(happened)] == []
    assert found["trades"] >= days * trades // 2
    first, last = (date.fromisoformat(lines[place].split()[0]) for place in (0, -1))
    calendar_days = (last - first) // timedelta(days=1) + 1
    for kind in ("STORAGE_OWN", "STORAGE_BOUGHT"):
        assert found[f"days with {kind}"] >= calendar_days, kind


@pytest.mark.campaign
@pytest.mark.timeout(600)
async def test_three_weeks_close_and_are_the_same_again(moved_clock: MovedClock) -> None:
    """Long enough that statements are accepted by time, counts are held and load-outs become overdue."""
    lines, found = await lived(moved_clock, 15, 60, secrets.randbelow(2**32), 5)
    check(lines, found, 15, 60)
    assert found.get("load-outs", 0) + found.get("load-outs that expired", 0) > 0
    assert found["statements ACCEPTED"] > found["statements confirmed"]


@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_a_year_closes_every_day(
    moved_clock: MovedClock, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    faulthandler.cancel_dump_traceback_later()
    given = pytestconfig.option.seed
    seed = secrets.randbelow(2**32) if given is None else given
    days, trades = pytestconfig.option.days, pytestconfig.option.trades
    with capsys.disabled():
        print(f"\nseed {seed}", flush=True)
        lines, found = await lived(moved_clock, days, trades, seed, 5)
    check(lines, found, days, trades)
    if days >= 250:
        assert [happened for happened in RARE if not found.get(happened)] == []
        assert found["last_closes_s"] <= GROWTH * found["first_closes_s"], "a close costs what its day costs"
