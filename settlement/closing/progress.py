"""The progress of the step that a close is running: reported to its caller, and stored for everybody else.

A connection of its own stores it, because the transaction of the step shows nothing before it ends. Only the progress
of the running step is stored. A step that is run again begins at zero.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from settlement.base.database import now_ms
from settlement.documents.closing import RUNNING
from settlement.tables.closing import close_progress, close_step

EVERY_SECONDS: Final = 1.0
"""The shortest time between two reports of one step."""

ReportDone = Callable[[int, int], Awaitable[None]]
"""Reports how much of how much is done."""


async def silent(_done: int, _of: int) -> None:
    """Report nothing, where nobody follows the progress."""


class StepProgress(NamedTuple):
    """A step that has begun, goes on or is done: its day, its place among all steps of the day, and its status.

    ``done`` of ``of`` parts of the step are done: accounts, or comparisons; both are 0 where a step counts nothing.
    """

    day: date
    step: str
    number: int
    steps: int
    status: str
    done: int = 0
    of: int = 0

    def __str__(self) -> str:
        counted = f" {self.done:,} of {self.of:,}" if self.of else ""
        return f"{self.day} {self.number}/{self.steps} {self.step}: {self.status}{counted}"


Report = Callable[[StepProgress], None]


class ProgressReporter:
    """Reports how far one step is, and keeps it, at most once in EVERY_SECONDS."""

    def __init__(self, engine: AsyncEngine, step: StepProgress, report: Report) -> None:
        self._engine = engine
        self._step = step
        self._report = report
        self._last = time.monotonic()

    async def __call__(self, done: int, of: int) -> None:
        if time.monotonic() - self._last < EVERY_SECONDS:
            return
        values = {"step": self._step.step, "done": done, "of": of, "at": now_ms()}
        keeping = insert(close_progress).values(day=self._step.day, **values)
        async with self._engine.begin() as connection:
            await connection.execute(keeping.on_conflict_do_update(index_elements=["day"], set_=values))
        self._report(self._step._replace(done=done, of=of))
        self._last = time.monotonic()


class Running(NamedTuple):
    """The step that runs, and how much of how much of it is done."""

    step: str
    done: int
    of: int


async def of_day(connection: AsyncConnection, day: date) -> Running | None:
    """Return the step of a day that runs now, and how much of how much of it is done; None if that is not known.

    What was kept before the step began is of a close that was killed.
    """
    kept, step = close_progress.c, close_step.c
    query = select(kept.step, kept.done, kept.of)
    query = query.join(close_step, (step.day == kept.day) & (step.step == kept.step))
    query = query.where(kept.day == day, step.status == RUNNING, kept.at >= step.started_at)
    row = (await connection.execute(query)).first()
    return None if row is None else Running(*row)
