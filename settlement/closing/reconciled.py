"""The reconciliation of a close: ledger, warehouse, engine and bank are compared, and no break is past its limit.

Of the books, what was written since the newest proved and signed day is compared (``settlement.closing.proofs``);
``goldx clerk reconcile`` compares everything.

The bank's balances at the end of the day are held against the ledger's at the day's last event, to the fen, as far as
statements are in. What differs is explained payment by payment (``settlement.banking.bank_reconciliation``).
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from settlement.banking import bank_reconciliation
from settlement.banking.bank_reconciliation import KnownNumbers
from settlement.closing import as_of, proofs
from settlement.closing.as_of import EVERYTHING, RecordPosition
from settlement.closing.canonical import canonical
from settlement.closing.day import Day
from settlement.closing.obstacles import Obstacle
from settlement.closing.progress import ReportDone, silent
from settlement.documents.reconciliation import CORRECTED
from settlement.reconciliation import break_states, breaks, past_limits, three_way
from settlement.reconciliation.break_areas import ENGINE

NAME: Final = "reconciliation"
WAIT_SECONDS: Final = 600
"""A close waits so long for a reconciliation that somebody has started."""


async def prepare(engine: AsyncEngine, by: str, day: Day, report_done: ReportDone = silent) -> None:
    """Compare the books and the bank now, so that the breaks are those of this moment; keep the proof of the day.

    Raises Refused (RECONCILIATION_RUNNING) if another reconciliation does not end.
    """
    run = await three_way.run(engine, by, proofs.find, report_done, WAIT_SECONDS)
    async with engine.begin() as connection:
        await proofs.keep(connection, by, day, run)
        if await bank_reconciliation.is_stated(connection):
            await bank_reconciliation.reconcile(connection, by)


async def obstacles(connection: AsyncConnection, day: Day) -> list[Obstacle]:  # noqa: ARG001
    """Return what stops the close now: breaks past their limit, and a signed day whose balances were changed.

    Breaks between engine and ledger do not. These were compared at the end of the day, by the first step. What differs
    now has been taken over from that end or is of a later day, whose own close it stops; in either case it keeps the
    next day from opening.
    """
    found = [_obstacle(stop) for stop in await past_limits.past_limit(connection) if stop.area != ENGINE]
    if (changed := await proofs.changed_balances(connection)) is not None:
        what = f"the balances kept at the end of {changed.day} are not those that were signed"
        found.append(Obstacle(NAME, what, f"settlement finds the cause (`goldx day recompute {changed.day}`)"))
    return found


async def stops(connection: AsyncConnection) -> list[Obstacle]:
    """Return the breaks that stop the next day now (``settlement.reconciliation.past_limits``)."""
    return [_obstacle(stop) for stop in await past_limits.past_limit(connection)]


def _obstacle(stop: past_limits.Stop) -> Obstacle:
    what = f"break {stop.break_id} ({stop.kind} {stop.subject}): {stop.why}"
    return Obstacle(NAME, what, "; or ".join(stop.clear))


async def facts(connection: AsyncConnection, day: Day) -> bytes:  # noqa: ARG001
    """Return how far the records have come, and the ages of the open breaks in working days, which the calendar gives.

    ``bank`` is what is known of the bank, null without statements.
    """
    position = await as_of.now(connection)
    stated = await bank_reconciliation.is_stated(connection)
    bank = (await bank_reconciliation.known(connection))._asdict() if stated else None
    ages = {str(row.break_id): row.days for row in await _open(connection, position, aged=True)}
    return canonical({"seen": position._asdict(), "bank": bank, "working_days": ages})


async def work(connection: AsyncConnection, day: Day, kept: bytes) -> bytes:
    """Return the breaks that were open, and the proof of the bank as of the day's end, null without statements.

    ``compared_after`` is the last sequence of the proved day after which the books were compared, null if all were.
    """
    known = json.loads(kept)
    if "seen" not in known:
        return kept
    position, ages = RecordPosition(**known["seen"]), known["working_days"]
    names = ("break_id", "scope", "kind", "subject", "asset", "unit", "owner", "status", "explanation")
    found = [
        {
            **{name: getattr(row, name) for name in names},
            "expected": row.expected,
            "found": row.found,
            "working_days": ages.get(str(row.break_id)),
        }
        for row in await _open(connection, position)
    ]
    compared = await three_way.last_run(connection, newest=position.runs)
    bank = None
    if known["bank"] is not None:
        proof = await bank_reconciliation.prove(connection, day, KnownNumbers(**known["bank"]))
        bank = json.loads(proof.content())
    return canonical({"breaks": found, "bank": bank, "compared_after": compared and compared.since})


async def _open(connection: AsyncConnection, position: RecordPosition, *, aged: bool = False) -> Sequence[Row[Any]]:
    """Return the breaks that were not corrected; ``aged``: each with its age today."""
    query = break_states.as_of(position.breaks)
    if aged:
        query = query.add_columns(breaks.days_old())
    return [row for row in await connection.execute(query) if row.status != CORRECTED]


def kept_facts(kept: bytes) -> Sequence[str]:
    """Return which facts the step does not compute anew; of a day that an older program has closed, all."""
    return ("working_days",) if "seen" in json.loads(kept) else EVERYTHING
