"""The cost of a close: how many rows its steps read does not grow with the days before."""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.closing import books, bulletin, fees, prices, proofs, statements
from settlement.closing import day as days
from settlement.closing.close import steps_of
from settlement.reconciliation import three_way
from tests.settlement.closing.days import DAYS, pass_equal_days
from tests.settlement.small_exchange import SmallExchange

GROWING = (
    "posting",
    "ledger_entry",
    "trade",
    "balance_at_end",
    "holding_at_end",
    "stock_at_end",
    "account_statement",
)
"""The tables that get rows with each day."""
READ = text(
    "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables "
    "WHERE relname = ANY (CAST(:tables AS text[]))"
)


Work = Callable[[AsyncConnection], Awaitable[object]]


async def rows_read(exchange: SmallExchange, work: Work) -> Counter[str]:
    """Do a step's work once more, take it back, and return the number of rows that it read of each table."""
    async with exchange.engine.connect() as connection:
        # The tables are so small that reading all of them would be quickest.
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            await connection.execute(text(f"SET LOCAL enable_{way} = off"))
        before = await _read(connection)
        await work(connection)
        after = await _read(connection)
        await connection.rollback()
    return after - before


async def _read(connection: AsyncConnection) -> Counter[str]:
    rows = await connection.execute(READ, {"tables": list(GROWING)})
    return Counter({row.relname: row.rows for row in rows})


async def read_by_steps(exchange: SmallExchange) -> dict[str, Counter[str]]:
    """Return how many rows each step of the newest day's close reads, except for the reconciliation."""
    async with exchange.engine.connect() as connection:
        day = (await days.over(connection))[-1]
        facts = {row.step: row.facts or b"" for row in await steps_of(connection, day.day)}
    work: dict[str, Work] = {
        books.NAME: partial(books.work, day=day),
        prices.NAME: partial(prices.work, day=day),
        fees.NAME: partial(fees.work, day=day, kept=facts[fees.NAME]),
        statements.NAME: partial(statements.work, day=day),
        bulletin.NAME: partial(bulletin.work, day=day, kept=facts[bulletin.NAME]),
    }
    return {name: await rows_read(exchange, one) for name, one in work.items()}


async def compared(exchange: SmallExchange) -> tuple[int, int, int]:
    """Return how many rows, acts and figures the close of the next day compares.

    How many rows the database reads for them depends on plans, which in so small tables are a matter of chance.
    """
    async with exchange.engine.connect() as connection:
        since = await proofs.find(connection)
        assert since is not None
        made = await three_way.compare(connection, since)
    assert made.breaks == []
    return sum(map(len, since.changed.values())), len(since.acts), made.checked


@pytest.mark.campaign
async def test_the_steps_of_a_close_read_as_many_rows_after_twelve_days_as_after_three(
    equal_days_closed: SmallExchange,
) -> None:
    exchange = equal_days_closed
    early, compared_early = await read_by_steps(exchange), await compared(exchange)
    await pass_equal_days(exchange, DAYS[3:])
    async with exchange.engine.connect() as connection:
        assert len(await days.over(connection)) == len(DAYS) == 12
    late = await read_by_steps(exchange)
    assert all(early.values()), early
    assert {name: late[name] - early[name] for name in early} == {name: Counter() for name in early}, early
    assert await compared(exchange) == compared_early
    assert min(compared_early) > 0
