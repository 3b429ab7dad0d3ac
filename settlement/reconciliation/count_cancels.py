"""The cancelling of an inventory count.

Before a counter has signed any clerk may do it. Afterwards somebody who has not counted does it, and the differences
that are known by then become breaks: a bar that was found missing is not found again by ending the count.
"""

from sqlalchemy import Row, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import advance, allow
from settlement.base.texts import printable
from settlement.documents.counts import INVENTORY_COUNT
from settlement.intake.bar_rows import BarKey
from settlement.reconciliation import breaks, count_results, count_sessions, counting
from settlement.reconciliation.breaks import Break, count_scope
from settlement.reconciliation.count_results import CountResult
from settlement.tables.counts import count_signature, inventory_count


async def cancel(connection: AsyncConnection, by: str, number: int, reason: str) -> tuple[Break, ...]:
    """End a count without a record; what was entered is kept. Return the differences that were known, now breaks.

    Raises BadValue; Refused: ILLEGAL_STEP, SAME_PERSON for a counter once somebody has signed.
    """
    values = {"reason": printable("reason", reason, 200), "closed_at": now_ms()}
    await audit.lock(connection)
    row = await count_sessions.find(connection, number)
    allow(INVENTORY_COUNT, "cancel", number, row.status)
    found: tuple[Break, ...] = ()
    if await connection.scalar(select(exists().where(count_signature.c.count_no == number))):
        if by in count_results.counters_of(row):
            text = f"{by} has counted in count {number}, and a counter has signed"
            raise Refused("SAME_PERSON", f"{text}; somebody who has not counted cancels it")
        found = await _known(connection, row)
    if found:
        lots = [one.lot_id for one in found if one.lot_id is not None]
        await breaks.record_run(connection, by, count_scope(row.warehouse), len(found), found, only_lots=lots)
    await advance(connection, inventory_count, INVENTORY_COUNT, by, "cancel", [number], values)
    return found


async def _known(connection: AsyncConnection, row: Row[object]) -> tuple[Break, ...]:
    """Return the differences from the register about which those who have signed agree."""
    results: dict[BarKey, CountResult | None] = {}
    unclear: set[BarKey] = set()
    listed = await count_results.listed(connection, row.count_no, 1)
    for turn in range(1, count_results.round_of(row) + 1):
        signed = await count_results.signed_of(connection, row, turn)
        entered = [await count_results.of_counter(connection, row.count_no, turn, name) for name in signed]
        if not entered or (turn == 2 and len(entered) < 2):
            continue
        first, second = entered[0], entered[-1]
        here = {*await count_results.listed(connection, row.count_no, turn), *first, *second}
        differ = set(count_results.compared(first, second))
        unclear = (unclear - here) | differ
        results |= {key: count_results.agreed(first.get(key), second.get(key)) for key in here - differ}
    if not results:
        return ()
    skipped = {listed[key] for key in unclear if key in listed}
    known = {key: result for key, result in results.items() if key not in unclear}
    return tuple(one for one in await counting.compare(connection, row, known) if one.lot_id not in skipped)
