"""The steps of a close, in their order.

A step is a function of the connection and the day that writes its rows and returns the canonical bytes of its output.
The same day gives the same bytes whenever it is run, since a step reads what the day's events determine. A step that
needs to know more has facts: they are read once, when the step is first run, kept with it, and given to it ever after.
Most are positions in records that only grow, from which the step is computed again; ``kept_facts`` names the others.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from settlement.closing import (
    benchmark_prices,
    books,
    bulletin,
    fees,
    invoices,
    left_open,
    prices,
    progress,
    reconciled,
    statements,
)
from settlement.closing.day import Day
from settlement.closing.obstacles import Obstacle
from settlement.closing.progress import ReportDone

Work = Callable[[AsyncConnection, Day], Awaitable[bytes]]
LongWork = Callable[[AsyncConnection, Day, ReportDone], Awaitable[bytes]]
WorkWithFacts = Callable[[AsyncConnection, Day, bytes], Awaitable[bytes]]


class CloseStep(NamedTuple):
    """One step of a close, with ``work`` or, where it has ``facts``, with ``work_with_facts``.

    ``long_work`` is work that tells how far it is.

    ``prepare`` is done before the step's transaction, whenever it is tried. ``obstacles`` returns what stands in the
    step's way now. ``kept_facts`` returns which of the facts of a day are taken as they were kept, and are not computed
    anew: nothing but their hash proves these.
    """

    name: str
    work: Work | None = None
    facts: Work | None = None
    work_with_facts: WorkWithFacts | None = None
    long_work: LongWork | None = None
    prepare: Callable[[AsyncEngine, str, Day, ReportDone], Awaitable[None]] | None = None
    obstacles: Callable[[AsyncConnection, Day], Awaitable[list[Obstacle]]] | None = None
    kept_facts: Callable[[bytes], Sequence[str]] | None = None

    async def run(
        self, connection: AsyncConnection, day: Day, facts: bytes | None, report_done: ReportDone = progress.silent
    ) -> bytes:
        """Do the step's work with the facts that were kept for it and return its output."""
        if self.work_with_facts is not None:
            return await self.work_with_facts(connection, day, facts or b"")
        if self.long_work is not None:
            return await self.long_work(connection, day, report_done)
        assert self.work is not None
        return await self.work(connection, day)


STEPS: Final = (
    CloseStep(books.NAME, books.work, obstacles=books.obstacles),
    CloseStep(prices.NAME, prices.work),
    CloseStep(
        benchmark_prices.NAME,
        facts=benchmark_prices.facts,
        work_with_facts=benchmark_prices.work,
        kept_facts=benchmark_prices.kept_facts,
    ),
    CloseStep(fees.NAME, facts=fees.facts, work_with_facts=fees.work, kept_facts=fees.kept_facts),
    CloseStep(invoices.NAME, invoices.work),
    CloseStep(statements.NAME, long_work=statements.work),
    CloseStep(bulletin.NAME, facts=bulletin.facts, work_with_facts=bulletin.work, kept_facts=bulletin.kept_facts),
    CloseStep(
        reconciled.NAME,
        facts=reconciled.facts,
        work_with_facts=reconciled.work,
        prepare=reconciled.prepare,
        obstacles=reconciled.obstacles,
        kept_facts=reconciled.kept_facts,
    ),
    CloseStep(left_open.NAME, facts=left_open.facts, work_with_facts=left_open.work, kept_facts=left_open.kept_facts),
)
