"""The close of trading days: step by step, each in one transaction, missed days one by one, oldest first.

A close can be killed at any moment and started again: steps that are done stay, the one that was under way is run anew,
and the result is the same. Only one close runs at a time.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Row, insert, null, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from settlement.base import audit
from settlement.base.database import now_ms, one_at_a_time
from settlement.base.refusal import Refused
from settlement.closing.as_of import without_position
from settlement.closing.canonical import canonical, digest
from settlement.closing.day import Day, over
from settlement.closing.differs import PaperDiffers
from settlement.closing.obstacles import Blocked, Obstacle
from settlement.closing.progress import ProgressReporter, Report, ReportDone, StepProgress
from settlement.closing.steps import STEPS, CloseStep
from settlement.documents.closing import BLOCKED, CLOSED, CLOSING, DONE, RUNNING
from settlement.tables.base import trading_day
from settlement.tables.closing import business_day, close_step

_WHO_LOOKS: Final = "settlement finds the cause (`goldx clerk reconcile`, `goldx audit verify`); then `goldx day close`"
_CLOSE_LOCK: Final = 0xC705E
"""Advisory lock of the close that runs."""


async def close(engine: AsyncEngine, by: str, report: Report, until: date | None = None) -> list[date]:
    """Close the days that are over and not closed, oldest first, up to ``until``; return those that were closed.

    Raises Blocked (DAY_BLOCKED) at the first step that cannot be done, and Refused (CLOSE_RUNNING) while another close
    runs.
    """
    closed: list[date] = []
    busy = Refused("CLOSE_RUNNING", "another close is running: `goldx day status` shows how far it is")
    async with one_at_a_time(engine, _CLOSE_LOCK, busy):
        while (day := await _next(engine)) is not None and (until is None or day.day <= until):
            await _close_one(engine, by, day, report)
            closed.append(day.day)
    return closed


async def unclosed(connection: AsyncConnection) -> list[Day]:
    """Return the days that are over and not closed, oldest first."""
    done = select(business_day.c.day).where(business_day.c.state != CLOSING)
    closed = set((await connection.execute(done)).scalars())
    return [day for day in await over(connection) if day.day not in closed]


async def _next(engine: AsyncEngine) -> Day | None:
    async with engine.connect() as connection:
        return next(iter(await unclosed(connection)), None)


async def _close_one(engine: AsyncEngine, by: str, day: Day, report: Report) -> None:
    async with engine.begin() as connection:
        await _open(connection, by, day)
    async with engine.connect() as connection:
        steps = _steps({row.step for row in await steps_of(connection, day.day)})
    for number, step in enumerate(steps, 1):
        async with engine.connect() as connection:
            known = await _row(connection, day, step.name)
        if known is None or known.status != DONE:
            begun = StepProgress(day.day, step.name, number, len(steps), RUNNING)
            report(begun)
            await _run(engine, by, day, number, step, ProgressReporter(engine, begun, report))
        report(StepProgress(day.day, step.name, number, len(steps), DONE))
    async with engine.begin() as connection:
        await audit.lock(connection)
        hashed = digest(canonical(summary(day, await steps_of(connection, day.day))))
        values = {"state": CLOSED, "closed_at": now_ms(), "closing_hash": bytes.fromhex(hashed)}
        await connection.execute(update(business_day).where(business_day.c.day == day.day).values(values))
        detail = {"first": day.first, "last": day.last, "hash": hashed}
        await audit.record(connection, audit.Act(by, "day.close", _subject(day), detail))


def _steps(begun: Collection[str]) -> list[CloseStep]:
    """Return the steps of a close, of which these have begun.

    A step that was added to the program while the close of the day was under way, before one that has begun, is left
    out: the steps of a day are numbered in the order in which they are done.
    """
    newest = max((number for number, step in enumerate(STEPS) if step.name in begun), default=-1)
    return [step for number, step in enumerate(STEPS) if number > newest or step.name in begun]


async def _open(connection: AsyncConnection, by: str, day: Day) -> None:
    """Record that the close of a day has begun, if it has not."""
    times = select(trading_day.c.sequence, trading_day.c.begun_at)
    times = times.where(trading_day.c.sequence.in_((day.first - 1, day.last)))
    at = {row.sequence: row.begun_at for row in await connection.execute(times)}
    values = {
        "day": day.day,
        "first_sequence": day.first,
        "last_sequence": day.last,
        "begun_at": at.get(day.first - 1),
        "ended_at": at[day.last],
        "state": CLOSING,
        "started_at": now_ms(),
        "started_by": by,
    }
    begun = insert_or(business_day).values(values).on_conflict_do_nothing().returning(business_day.c.day)
    if (await connection.execute(begun)).first() is not None:
        detail = {"first": day.first, "last": day.last}
        await audit.record(connection, audit.Act(by, "day.begin", _subject(day), detail))


def _subject(day: Day) -> str:
    return f"day:{day.day.isoformat()}"


async def _row(connection: AsyncConnection, day: Day, name: str) -> Row[Any] | None:
    one = select(close_step).where(close_step.c.day == day.day, close_step.c.step == name)
    return (await connection.execute(one)).first()


async def _run(engine: AsyncEngine, by: str, day: Day, number: int, step: CloseStep, report_done: ReportDone) -> None:
    """Run one step in one transaction. Raises Blocked or PaperDiffers, after recording by what."""
    begun: dict[str, Any] = {"status": RUNNING, "obstacles": null(), "started_at": now_ms()}
    this = (close_step.c.day == day.day, close_step.c.step == step.name)
    async with engine.begin() as connection:
        if await _row(connection, day, step.name) is None:
            await connection.execute(insert(close_step).values(day=day.day, step=step.name, position=number, **begun))
        else:
            await connection.execute(update(close_step).where(*this).values(begun))
        await audit.record(connection, audit.Act(by, "day.step", _subject(day), {"step": step.name, "is": RUNNING}))
    if step.prepare is not None:
        await step.prepare(engine, by, day, report_done)
    try:
        async with engine.begin() as connection:
            found = [] if step.obstacles is None else await step.obstacles(connection, day)
            if not found:
                await _do(connection, by, day, number, step, report_done)
    except PaperDiffers as error:
        await _block(engine, by, day, step, [Obstacle(step.name, str(error), _WHO_LOOKS)])
        raise
    if found:
        await _block(engine, by, day, step, found)
        raise Blocked(day.day.isoformat(), found)


async def _do(
    connection: AsyncConnection, by: str, day: Day, number: int, step: CloseStep, report_done: ReportDone
) -> None:
    """Do the work of a step and record it."""
    facts = None if step.facts is None else await step.facts(connection, day)
    output = await step.run(connection, day, facts, report_done)
    inputs = input_hash(day, await steps_of(connection, day.day), number, facts)
    done: dict[str, Any] = {"status": DONE, "facts": facts, "output": output, "finished_at": now_ms()}
    done |= {"input_hash": bytes.fromhex(inputs), "output_hash": bytes.fromhex(digest(output))}
    this = (close_step.c.day == day.day, close_step.c.step == step.name)
    await connection.execute(update(close_step).where(*this).values(done))
    detail = {"step": step.name, "is": DONE, "output": digest(output)}
    await audit.record(connection, audit.Act(by, "day.step", _subject(day), detail))


async def _block(engine: AsyncEngine, by: str, day: Day, step: CloseStep, found: Sequence[Obstacle]) -> None:
    """Record what keeps a step from being done."""
    blocked: dict[str, Any] = {"status": BLOCKED, "obstacles": [obstacle._asdict() for obstacle in found]}
    this = (close_step.c.day == day.day, close_step.c.step == step.name)
    async with engine.begin() as connection:
        await connection.execute(update(close_step).where(*this).values(blocked))
        detail = {"step": step.name, "is": BLOCKED}
        await audit.record(connection, audit.Act(by, "day.step", _subject(day), detail))


async def steps_of(connection: AsyncConnection, day: date) -> Sequence[Row[Any]]:
    """Return the steps of a day's close that have begun, in their order."""
    query = select(close_step).where(close_step.c.day == day).order_by(close_step.c.position)
    return (await connection.execute(query)).all()


def input_hash(day: Day, steps: Sequence[Row[Any]], position: int, facts: bytes | None) -> str:
    """Return the hash of what a step is made from: the range of the day, the steps before it, and its facts."""
    before = [[row.step, row.output_hash.hex()] for row in steps if row.position < position]
    return digest(canonical([*range_of(day), before, None if facts is None else digest(without_position(facts))]))


def range_of(day: Day) -> tuple[str, int, int]:
    """Return a day and its range in the form that is hashed."""
    return day.day.isoformat(), day.first, day.last


def summary(day: Day, steps: Sequence[Row[Any]]) -> dict[str, Any]:
    """Return what the people who sign a day sign: its range, and the hashes of its steps in their order."""
    name, first, last = range_of(day)
    hashes = [[row.step, row.input_hash.hex(), row.output_hash.hex()] for row in steps]
    return {"day": name, "first": first, "last": last, "steps": hashes}
