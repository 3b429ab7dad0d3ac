"""A close whose process is killed at any moment and started again ends with the same bytes as one that is not.

The process is ``goldx day close``; its lines say which step it begins.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from random import Random, SystemRandom
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.base import database
from settlement.closing import as_of
from settlement.closing import close as closing
from settlement.closing.steps import STEPS
from settlement.tables.closing import balance_at_end, business_day, close_step, day_benchmark, day_price
from settlement.tables.papers import account_statement, bulletin, invoice
from tests.settlement.service_process import GOLDX
from tests.settlement.small_exchange import ONE, SmallExchange

DAYS_OVER = 3
LONGEST_MOMENT_S = 0.04
"""The longest time after the beginning of a step at which the process is killed; a step takes less."""
RESULTS = {
    business_day: ("day", "first_sequence", "last_sequence", "state", "closing_hash"),
    close_step: ("day", "step", "position", "status", "facts", "input_hash", "output", "output_hash", "obstacles"),
    day_price: ("day", "symbol", "closing_price", "closing_method", "settlement_price", "settlement_method", "inputs"),
    day_benchmark: ("day", "form", "price", "method", "trades", "quantity_mg", "amount_fen", "inputs"),
    balance_at_end: ("account_id", "sequence", "balance"),
    account_statement: ("day", "member", "account", "status", "hash"),
    bulletin: ("day", "hash"),
    invoice: ("invoice_no", "day", "member", "hash"),
}
"""All that a close makes, without the times at which it did."""


async def results(engine: AsyncEngine) -> dict[str, list[Any]]:
    """Return all that the closes have made, by table."""
    async with engine.connect() as connection:
        found = {}
        for table, names in RESULTS.items():
            rows = await connection.execute(select(*(table.c[name] for name in names)))
            found[table.name] = sorted(str([_lasting(value) for value in row]) for row in rows)
        return found


def _lasting(value: object) -> object:
    """Return a value without the position at which records were read: a close that was killed has written more acts."""
    return as_of.without_position(value) if isinstance(value, bytes) else value


class KilledCloses:
    """Runs ``goldx day close`` again and again and kills it once in each of some steps of the three days."""

    def __init__(self, url: str, dice: Random, count: int) -> None:
        self._url = url
        self._dice = dice
        self._wanted = set(dice.sample(range(DAYS_OVER * len(STEPS)), count))
        """The steps in which it is still to be killed, counted over all days."""
        self._days: list[bytes] = []
        self.killed = 0

    async def run(self) -> None:
        """Run it until it ends by itself."""
        while not await self._ends():
            pass

    async def _ends(self) -> bool:
        """Run it once. Return whether it has closed all days.

        For a moment the lock of the close may be held by the connection of a process that was killed.
        """
        environment = {**os.environ, "GOLDX_DATABASE_URL": self._url}
        pipe = asyncio.subprocess.PIPE
        command = (GOLDX, "day", "--as", ONE, "close")
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
        assert process.stdout is not None
        assert process.stderr is not None
        killed = False
        async for line in process.stdout:
            if line.endswith(b": RUNNING\n") and not killed and self._is_wanted(line):
                await asyncio.sleep(self._dice.uniform(0, LONGEST_MOMENT_S))
                killed = True
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        errors = (await process.stderr.read()).decode()
        code = await process.wait()
        self.killed += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL) or "another close is running" in errors, errors
        return code == 0

    def _is_wanted(self, line: bytes) -> bool:
        """Return whether the process is to be killed in the step that begins, such as ``2026-11-30 2/8 prices``."""
        day, number, *_ = line.split()
        if day not in self._days:
            self._days.append(day)
        step = self._days.index(day) * len(STEPS) + int(number.partition(b"/")[0]) - 1
        if step not in self._wanted:
            return False
        self._wanted.remove(step)
        return True


async def compare(engine: AsyncEngine, copy: str, killed: KilledCloses) -> None:
    """Close the same days in two databases, one of them with kills, and compare the results."""
    undisturbed = database.connect(copy)
    await closing.close(undisturbed, ONE, lambda _: None)
    await killed.run()
    expected, found = await results(undisturbed), await results(engine)
    await undisturbed.dispose()
    for table, rows in expected.items():
        assert found[table] == rows, table
    assert len(found["close_step"]) == DAYS_OVER * len(STEPS)


@pytest.mark.campaign
async def test_a_close_that_is_killed_in_some_steps_ends_with_the_same_bytes(
    three_days_over: SmallExchange, migrated_url: str, copied: Callable[[], Awaitable[str]]
) -> None:
    seed = SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    killed = KilledCloses(migrated_url, Random(seed), 3)
    await compare(three_days_over.engine, await copied(), killed)


@pytest.mark.faults
@pytest.mark.timeout(1_200)
@pytest.mark.usefixtures("three_days_over")
async def test_a_close_that_is_killed_in_every_step_ends_with_the_same_bytes(
    copied: Callable[[], Awaitable[str]], pytestconfig: pytest.Config
) -> None:
    """``--seed S --rounds N``: each round closes the days once more, killed in each step of each day."""
    given: int | None = pytestconfig.getoption("seed")
    first = SystemRandom().randrange(10**6) if given is None else given
    for seed in range(first, first + pytestconfig.getoption("rounds")):
        url = await copied()
        killed = KilledCloses(url, Random(seed), DAYS_OVER * len(STEPS))
        engine = database.connect(url)
        await compare(engine, await copied(), killed)
        await engine.dispose()
        print(f"seed {seed}: killed {killed.killed} times")
