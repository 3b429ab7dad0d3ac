"""The cost of a close: how many rows its steps read does not grow with the days before."""

from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.closing import books, bulletin, fees, prices, statements
from settlement.closing import day as days
from settlement.closing.close import steps_of
from tests.settlement.closing.days import DAYS
from tests.settlement.small_exchange import SmallExchange

GROWING = ("posting", "ledger_entry", "trade", "balance_at_end", "holding_at_end", "stock_at_end")
"""The tables that get rows with each day."""
READ = text(
    "SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::bigint "
    "FROM pg_stat_xact_user_tables WHERE relname = ANY (CAST(:tables AS text[]))"
)


Work = Callable[[AsyncConnection], Awaitable[bytes]]


async def rows_read(exchange: SmallExchange, work: Work) -> int:
    """Do a step's work once more, take it back, and return the number of rows that it read."""
    async with exchange.engine.connect() as connection:
        # The tables are so small that reading all of them would be quickest.
        for way in ("seqscan", "bitmapscan"):
            await connection.execute(text(f"SET LOCAL enable_{way} = off"))
        before = int(await connection.scalar(READ, {"tables": list(GROWING)}) or 0)
        await work(connection)
        after = int(await connection.scalar(READ, {"tables": list(GROWING)}) or 0)
        await connection.rollback()
    return after - before


async def test_the_steps_of_a_close_read_as_many_rows_on_the_last_day_as_on_the_third(
    equal_days_closed: SmallExchange,
) -> None:
    exchange = equal_days_closed
    async with exchange.engine.connect() as connection:
        over = await days.over(connection)
        steps = {day.day: await steps_of(connection, day.day) for day in over}
    assert len(over) == len(DAYS)
    read: dict[str, list[int]] = {}
    for day in (over[2], over[-1]):
        facts = {row.step: row.facts or b"" for row in steps[day.day]}
        work: dict[str, Work] = {
            books.NAME: partial(books.work, day=day),
            prices.NAME: partial(prices.work, day=day),
            fees.NAME: partial(fees.work, day=day, kept=facts[fees.NAME]),
            statements.NAME: partial(statements.work, day=day),
            bulletin.NAME: partial(bulletin.work, day=day, kept_facts=facts[bulletin.NAME]),
        }
        for name, one in work.items():
            read.setdefault(name, []).append(await rows_read(exchange, one))
    assert all(early for early, _ in read.values()), read
    assert {name: late for name, (early, late) in read.items() if late > early} == {}, read
