"""The end of an inventory count: what differs is counted again, and a supervisor closes it.

A bar is counted again if the two counters differ about it, if it is not on the list, or if what they found differs from
the register. What they agree on in the second round is the result. The differences that stay are breaks of the
warehouse, compared as a warehouse's statement is; a later count that finds a bar right ends its breaks. The record of a
closed count is never changed, and its report says nothing else.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import advance, allow
from settlement.documents.counts import INVENTORY_COUNT
from settlement.intake.bar_rows import BarKey
from settlement.lots import lots
from settlement.reconciliation import breaks, count_results, count_sessions, warehouse_statement
from settlement.reconciliation.breaks import Break, count_scope
from settlement.reconciliation.count_results import CountResult
from settlement.reconciliation.count_sessions import FULL
from settlement.reconciliation.statement_file import StatementBar
from settlement.tables.base import staff
from settlement.tables.counts import count_again, count_lot, count_record, count_signature, inventory_count

_ABSENT: Final = ("MISSING_AT_WAREHOUSE", "TIMING")


class ClosedCount(NamedTuple):
    """A closed count: the bars of its list, those found, and the breaks."""

    count_no: int
    run_id: int
    bars: int
    found: int
    breaks: tuple[Break, ...]


async def _entries(connection: AsyncConnection, row: Row[Any], turn: int) -> tuple[dict[BarKey, CountResult], ...]:
    counters = count_results.counters_of(row)
    return tuple([await count_results.of_counter(connection, row.count_no, turn, name) for name in counters])


async def _to_count_again(connection: AsyncConnection, row: Row[Any]) -> dict[BarKey, tuple[BarKey, int | None]]:
    """Return the bars to be counted again after the first round, as typed and with their lots.

    They are given by ``BarKey.compared``, those of the list first.
    """
    expected = await count_results.listed(connection, row.count_no, 1)
    first, second = await _entries(connection, row, 1)
    typed = {key: one.key for key, one in {**second, **first}.items()}
    again = set(count_results.compared(first, second)) | (typed.keys() - expected.keys())
    results = {key: count_results.agreed(first.get(key), second.get(key)) for key in typed if key not in again}
    differing = {found.lot_id for found in await compare(connection, row, results)}
    again |= {key for key, lot_id in expected.items() if lot_id in differing}
    known = await _typed_list(connection, row.count_no)
    ordered = [key for key in (*expected, *typed) if key in again]
    return {key: (known.get(key) or typed[key], expected.get(key)) for key in ordered}


async def _typed_list(connection: AsyncConnection, number: int) -> dict[BarKey, BarKey]:
    query = select(count_lot).where(count_lot.c.count_no == number)
    keys = (BarKey(row.refiner, row.serial, row.year) for row in await connection.execute(query))
    return {key.compared: key for key in keys}


async def compare(
    connection: AsyncConnection, row: Row[Any], results: Mapping[BarKey, CountResult | None]
) -> tuple[Break, ...]:
    """Compare what was found with the register as a statement of the warehouse is; other bars of it do not count."""
    expected = await count_results.listed(connection, row.count_no, 1)
    rows = await lots.find(connection, [lot_id for lot_id in expected.values() if lot_id is not None])
    found = []
    for key, result in results.items():
        if result is None:
            continue
        lot_id = expected.get(key)
        about = None if lot_id is None else rows[lot_id]
        fineness, gross = 1, result.gross_cg or 0
        if about is not None:
            fineness = about.fineness_e5 or about.declared_fineness_e5
            gross = result.gross_cg or about.melt_cg or about.gross_cg or about.declared_gross_cg
        found.append(StatementBar(None, result.key, gross, fineness, None, result.seal, None))
    counted = set(expected.values())
    outcome = await warehouse_statement.compare(connection, row.warehouse, found)
    return tuple(one for one in outcome.breaks if one.kind not in _ABSENT or one.lot_id in counted)


async def recount(connection: AsyncConnection, by: str, number: int) -> int:
    """Begin the second round with the bars that differ and return how many they are.

    Raises BadValue; Refused: ILLEGAL_STEP, COUNT_UNFINISHED while a counter has not signed, NOTHING_TO_COUNT.
    """
    await audit.lock(connection)
    row = await count_sessions.find(connection, number)
    allow(INVENTORY_COUNT, "recount", number, row.status)
    await count_results.check_signed(connection, row, 1)
    again = await _to_count_again(connection, row)
    if not again:
        raise Refused("NOTHING_TO_COUNT", f"nothing differs in count {number}: a supervisor closes it")
    rows = [
        {"count_no": number, "line": line, "lot_id": lot_id, **key._asdict()}
        for line, (key, lot_id) in enumerate(again.values(), 1)
    ]
    await connection.execute(insert(count_again), rows)
    await advance(connection, inventory_count, INVENTORY_COUNT, by, "recount", [number])
    return len(rows)


async def _results(connection: AsyncConnection, row: Row[Any], turn: int) -> dict[BarKey, CountResult | None]:
    """Return what the counters agree on, by ``BarKey.compared``.

    Raises Refused (COUNT_UNFINISHED) where they differ, or bars are to be counted again first.
    """
    first, second = await _entries(connection, row, 1)
    results = {key: count_results.agreed(first.get(key), second.get(key)) for key in {**first, **second}}
    if turn == 1:
        if again := await _to_count_again(connection, row):
            text = f"{len(again)} bars differ in count {row.count_no}: they are counted again first"
            raise Refused("COUNT_UNFINISHED", text)
        return results
    first, second = await _entries(connection, row, 2)
    if different := count_results.compared(first, second):
        names = count_results.some([{**second, **first}[key].key for key in different])
        raise Refused("COUNT_UNFINISHED", f"the counters differ about {names}: one of them enters it again")
    counted = await count_results.listed(connection, row.count_no, 2)
    return {**results, **{key: count_results.agreed(first.get(key), second.get(key)) for key in counted}}


async def close(connection: AsyncConnection, by: str, number: int) -> ClosedCount:
    """Close a count as its supervisor: the differences become breaks, and the record is written.

    Raises BadValue; Refused: ILLEGAL_STEP, SAME_PERSON for a counter, COUNT_UNFINISHED while a counter has not signed,
    the two differ, or bars are to be counted again.
    """
    await audit.lock(connection)
    row = await count_sessions.find(connection, number)
    allow(INVENTORY_COUNT, "close", number, row.status)
    if by in count_results.counters_of(row):
        raise Refused("SAME_PERSON", f"{by} has counted in count {number}; a supervisor who has not closes it")
    turn = count_results.round_of(row)
    signed = [await count_results.check_signed(connection, row, each) for each in range(1, turn + 1)]
    results = await _results(connection, row, turn)
    found = await compare(connection, row, results)
    expected = await count_results.listed(connection, number, 1)
    counted = None if row.extent == FULL else [lot_id for lot_id in expected.values() if lot_id is not None]
    scope, checked = count_scope(row.warehouse), len({**expected, **results})
    run_id = await breaks.record_run(connection, by, scope, checked, found, only_lots=counted)
    values = {"supervisor": by, "closed_at": now_ms(), "run_id": run_id}
    await advance(connection, inventory_count, INVENTORY_COUNT, by, "close", [number], values)
    await _keep_record(connection, await count_sessions.find(connection, number), results, found, signed)
    there = sum(result is not None for result in results.values())
    return ClosedCount(number, run_id, len(expected), there, found)


async def _keep_record(
    connection: AsyncConnection,
    row: Row[Any],
    results: Mapping[BarKey, CountResult | None],
    found: tuple[Break, ...],
    signed: list[dict[str, int]],
) -> None:
    """Store the record of a closed count: the content of its report as JSON, and its SHA-256."""
    query = select(count_lot).where(count_lot.c.count_no == row.count_no).order_by(count_lot.c.line)
    bars = []
    for line in await connection.execute(query):
        key = BarKey(line.refiner, line.serial, line.year)
        bars.append({"lot": line.lot_id, **key._asdict(), **_said(results.get(key.compared))})
    expected = await count_results.listed(connection, row.count_no, 1)
    extra = [
        {"lot": None, **result.key._asdict(), **_said(result)}
        for key, result in results.items()
        if key not in expected and result is not None
    ]
    again = await count_results.listed(connection, row.count_no, 2)
    columns = ("count_no", "warehouse", "extent", "sample", "seed", "why", "opened_at", "closed_at", "run_id")
    people = [*count_results.counters_of(row), row.supervisor]
    named = select(staff.c.staff, staff.c.name).where(staff.c.staff.in_(people))
    content = {
        **{name: getattr(row, name) for name in columns},
        "names": {one.staff: one.name for one in await connection.execute(named)},
        "counters": list(count_results.counters_of(row)),
        "supervisor": row.supervisor,
        "signed": signed,
        "counted_again": len(again),
        "bars": bars,
        "extra": extra,
        "breaks": [one.content() for one in found],
    }
    written = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = sha256(written.encode()).digest()
    values = {"count_no": row.count_no, "content": written, "hash": digest}
    await connection.execute(insert(count_record).values(values))
    detail = {"sha256": digest.hex(), "bars": len(bars), "breaks": len(found)}
    act = audit.Act(row.supervisor, "inventory_count.record", f"inventory_count:{row.count_no}", detail)
    await audit.record(connection, act)


def _said(result: CountResult | None) -> dict[str, Any]:
    if result is None:
        return {"found": False, "gross_cg": None, "seal": None, "condition": ""}
    return {"found": True, "gross_cg": result.gross_cg, "seal": result.seal, "condition": result.condition}


async def signatures(connection: AsyncConnection, number: int) -> list[Row[Any]]:
    """Return the signatures of the counters, oldest first, the void ones too."""
    query = select(count_signature).where(count_signature.c.count_no == number)
    return list(await connection.execute(query.order_by(count_signature.c.signature_no)))
