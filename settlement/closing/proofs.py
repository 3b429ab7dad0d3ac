"""Proofs of days: the comparison of a close that found nothing, from which a later close compares only what has come.

The proof of a day counts once the day is signed, and as long as the balances that were kept at its end are those that
were signed: their SHA-256 is in the output of the day's first step. It counts in the database cluster and with the
schema in which it was made (``settlement.reconciliation.since.RecordEnds``). With a break of the books that is neither
corrected nor written off there is no proof, since a comparison has to show that the break is gone.
"""

import json
from datetime import date

from sqlalchemy import exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit
from settlement.closing import books
from settlement.closing.canonical import digest
from settlement.closing.day import Day, balances_at
from settlement.documents.reconciliation import BREAK_WAITS, WRITTEN_OFF
from settlement.reconciliation import since, three_way
from settlement.reconciliation.break_areas import BOOKS
from settlement.reconciliation.since import RecordEnds, Since
from settlement.tables.closing import business_day, close_step, day_proof, day_record
from settlement.tables.reconciliation import recon_break


async def find(connection: AsyncConnection) -> Since | None:
    """Return what was written since the newest day that is proved and signed; None if everything has to be compared."""
    if await _waiting(connection):
        return None
    newest = select(day_proof).join(day_record, day_record.c.day == day_proof.c.day)
    row = (await connection.execute(newest.order_by(day_proof.c.sequence.desc()).limit(1))).first()
    if row is None or await changed_balances(connection, row.day) is not None:
        return None
    at = RecordEnds(row.audit_number, row.change_no, row.transaction, row.cluster, row.revision)
    return await since.read(connection, row.sequence, row.trade_fees_fen, at)


async def _waiting(connection: AsyncConnection) -> bool:
    columns = recon_break.c
    waiting = select(exists().where(columns.scope == BOOKS, columns.status.in_(BREAK_WAITS)))
    return bool(await connection.scalar(waiting))


async def changed_balances(connection: AsyncConnection, date: date | None = None) -> Day | None:
    """Return a signed day, the newest without a date, if the balances kept at its end are no longer those signed."""
    days, step = business_day.c, close_step.c
    query = select(days.day, days.first_sequence, days.last_sequence, step.output, step.output_hash)
    query = query.join(day_record, day_record.c.day == days.day)
    query = query.join(close_step, (step.day == days.day) & (step.step == books.NAME))
    if date is not None:
        query = query.where(days.day == date)
    row = (await connection.execute(query.order_by(day_record.c.record_no.desc()).limit(1))).first()
    if row is None:
        return None
    kept = books.balances_hash(await balances_at(connection, row.last_sequence))
    signed = json.loads(row.output)["balances_sha256"] if digest(row.output) == row.output_hash.hex() else None
    return None if kept == signed else Day(row.day, row.first_sequence, row.last_sequence)


async def keep(connection: AsyncConnection, by: str, day: Day, run: three_way.Run) -> None:
    """Store the proof of a day after a run has found no difference, unless the day has a proof or a break is open.

    What the run has found is no proof either if another run has found it gone by now.
    """
    await audit.lock(connection)
    columns = recon_break.c
    found = exists().where(columns.scope == BOOKS, columns.last_run >= run.report.run_id, columns.status != WRITTEN_OFF)
    there = exists().where(day_proof.c.day == day.day)
    if await connection.scalar(select(found | there)) or await _waiting(connection):
        return
    known = 0 if run.since is None else run.since.trade_fees_fen
    proved = 0 if run.since is None else run.since.sequence
    values = {
        "day": day.day,
        "run_id": run.report.run_id,
        "sequence": day.last,
        "trade_fees_fen": known + await three_way.trade_fees(connection, proved, day.last),
        **run.marks._asdict(),
    }
    await connection.execute(insert(day_proof).values(values))
    detail = {"run": run.report.run_id, "sequence": day.last}
    await audit.record(connection, audit.Act(by, "day.prove", f"day:{day.day.isoformat()}", detail))
