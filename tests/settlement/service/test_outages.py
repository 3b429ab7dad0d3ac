"""PostgreSQL goes away in the middle of a batch: waiting helps, and nothing is half done."""

import asyncio

import pytest
from sqlalchemy import URL, func, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.streams.frames import EventFrame
from settlement.base import database
from settlement.service.process import is_outage
from settlement.service.writer import Ledger
from settlement.tables.ledger import trade
from tests.faults.proxy import Proxy
from tests.settlement.service import TRADES


async def post(url: URL, shard: str, batch: EventFrame) -> Exception | None:
    """Post a batch over connections of its own; return the error, if any."""
    engine = database.connect(url.render_as_string(hide_password=False))
    try:
        ledger = Ledger(engine, shard)
        await ledger.open()
        await ledger.post([batch])
    except Exception as error:
        return error
    finally:
        await engine.dispose()
    return None


async def posted(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(trade)) or 0)


@pytest.mark.parametrize("how", ["cut", "terminated"])
async def test_postgresql_may_go_away_at_any_moment_of_a_batch(
    how: str, migrated_url: str, engine: AsyncEngine, shard: str, postgres_line: Proxy, batch: EventFrame
) -> None:
    """At the first piece of traffic, then at the second, and so on, until a batch gets through."""
    through = make_url(migrated_url).set(query={"host": str(postgres_line.folder)})
    ending: list[asyncio.Task[None]] = []

    async def terminate() -> None:
        async with engine.connect() as connection:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            await connection.execute(text(f"SELECT pg_terminate_backend(pid, 5000) {others}"))
        postgres_line.release()

    def blown() -> None:
        postgres_line.hold()
        ending.append(asyncio.create_task(terminate()))

    pieces = 0
    while True:
        postgres_line.call_after(pieces, postgres_line.cut if how == "cut" else blown)
        error = await post(through, shard, batch)
        if postgres_line.action_is_due:
            break  # the batch was through before
        await asyncio.gather(*ending)
        assert error is None or is_outage(error), f"after {pieces} pieces: {error!r}"
        # Where the answer to the commit was lost, all of it is there.
        assert await posted(engine) in (0, TRADES)
        pieces += 1
    assert pieces > 20, "it went away in the middle of the batch"
    assert await posted(engine) == TRADES
