"""A day that ``goldx bench close`` makes of copied bars is the day that the product would have made."""

import json
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.closing import copies
from benchmarks.closing.exchange import ONE, Exchange
from settlement.base import audit, working_days
from settlement.closing import close as closing
from settlement.reconciliation import breaks, three_way
from settlement.tables.columns import metadata
from tests.benchmarks.conftest import AT_ONCE, BARS, NewExchange

TIMES: Final = {"at", "begun", "journal_end"}
"""Columns with another value in each exchange; so are all that end with ``_at``."""
HASHES: Final = {"hash", "previous", "before", "digest"}
"""Columns that cover such a value; the chains and the digests are verified on their own."""


@pytest.mark.campaign
async def test_a_day_of_copied_bars_is_the_one_that_the_product_makes(new_exchange: NewExchange) -> None:
    copied, taken_in = await new_exchange(copied=True), await new_exchange(copied=False)
    made, wanted = await _content(copied), await _content(taken_in)
    for table, rows in wanted.items():
        assert made[table] == rows, table
    assert len(made["lot"]) == BARS
    async with copied.engine.connect() as connection:
        await audit.verify(connection)
    await _end_day(copied)
    assert not (await three_way.reconcile(copied.engine, ONE)).breaks
    await closing.close(copied.engine, ONE, lambda _: None)
    assert not await _open(copied)


async def test_the_close_finds_what_is_planted_into_copied_bars(new_exchange: NewExchange) -> None:
    exchange = await new_exchange(copied=True)
    async with exchange.engine.connect() as connection:
        after = await copies.watch(connection)
        await connection.execute(text("UPDATE scale SET calibration = 'CAL-2'"))
        with pytest.raises(RuntimeError, match="no rows are copied: scale"):
            await copies.seen(connection, after)
    first, second, third, fourth = range(AT_ONCE + 1, 2 * AT_ONCE + 1)
    async with exchange.engine.connect() as connection:
        query = f"SELECT event_id FROM custody_event WHERE lot_id = {second} AND step = 'weigh'"
        weighed = await connection.scalar(text(query))
    planted = (
        f"UPDATE lot SET declared_gross_cg = declared_gross_cg + 1 WHERE lot_id = {first}",
        f"DELETE FROM custody_event WHERE event_id = {weighed}",
        f"UPDATE sample SET weight_cg = weight_cg + 1 WHERE lot_id = {third}",
        f"UPDATE receipt SET fine_mg = fine_mg + 1 WHERE lot_id = {fourth}",
    )
    async with exchange.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in planted:
            await connection.execute(text(statement))
    await _end_day(exchange)
    await closing.close(exchange.engine, ONE, lambda _: None)
    found = {(row.kind, row.subject) for row in await _open(exchange)}
    assert found == {
        ("HISTORY", f"lot:{first} row"),
        ("HISTORY", f"custody_event:{weighed} row"),
        ("HISTORY", f"sample:{third} row"),
        ("HISTORY", f"receipt:{fourth} row"),
        ("HISTORY", f"receipt:{fourth} amounts"),
        ("RECEIPT", f"lot:{fourth}"),
    }


async def _end_day(exchange: Exchange) -> None:
    await exchange.trade(5)
    await exchange.end_day(working_days.today() + timedelta(days=1))
    await exchange.post()


async def _open(exchange: Exchange) -> list[Any]:
    async with exchange.engine.connect() as connection:
        return list(await breaks.open_breaks(connection))


async def _content(exchange: Exchange) -> dict[str, list[str]]:
    """Return the rows of all tables but those with numbers of transactions and names of streams, without times."""
    async with exchange.engine.connect() as connection:
        found = {table.name: await _rows(connection, table.name) for table in metadata.sorted_tables}
    for others in ("row_act", "progress"):
        del found[others]
    return found


async def _rows(connection: AsyncConnection, table: str) -> list[str]:
    rows = await connection.scalars(text(f"SELECT to_jsonb(t) FROM {table} t"))
    if table == "row_change":
        # Numbered by statements, which are others in a copy; of each row the changes are the same in the same order.
        changes = sorted(rows, key=lambda row: (row["of_table"], row["key"], row["change_no"]))
        return [json.dumps([row["of_table"], row["key"], row["columns"]]) for row in changes]
    return sorted(json.dumps(_without_times(row), sort_keys=True) for row in rows)


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in TIMES | HASHES and not key.endswith("_at")}
        return {key: _without_times(each) for key, each in kept.items()}
    if isinstance(value, list):
        return [_without_times(each) for each in value]
    if isinstance(value, str) and value.startswith("{"):
        return _without_times(json.loads(value))
    return value
