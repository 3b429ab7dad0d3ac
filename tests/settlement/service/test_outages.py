"""PostgreSQL goes away in the middle of a batch: whatever the driver says, waiting helps and nothing is half done."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import URL, func, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.units import CASH
from goldx.streams.frames import EventFrame
from settlement.base import database
from settlement.service.process import is_outage
from settlement.service.writer import Ledger
from settlement.tables.ledger import trade
from tests.faults.proxy import Proxy
from tests.settlement.publisher import Publisher

SOCKET = ".s.PGSQL.5432"
TRADES = 200


@pytest_asyncio.fixture
async def line(settled_url: str) -> AsyncIterator[Proxy]:
    """A line to PostgreSQL that can be disturbed."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    made = Proxy("postgres", folder / SOCKET, Path(str(make_url(settled_url).query["host"])) / SOCKET)
    await made.open()
    yield made
    await made.close()
    shutil.rmtree(folder)


@pytest.fixture
def batch(publisher: Publisher) -> EventFrame:
    """A frame of trades, and the deposits before them."""
    publisher.define("AU")
    publisher.open("A.H", "B.H")
    for account in ("A.H", "B.H"):
        publisher.adjust(account, CASH, 10**12, f"cash-{account}")
        publisher.adjust(account, "AU", 10**9, f"gold-{account}")
    for _ in range(TRADES):
        publisher.trade("A.H", "B.H", "AU", 60_000, 1_000, 0)
    return publisher.take_frame()


async def post(url: URL, shard: str, batch: EventFrame) -> Exception | None:
    """Posts a batch over connections of its own; returns what went wrong."""
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
    how: str, settled_url: str, engine: AsyncEngine, shard: str, line: Proxy, batch: EventFrame
) -> None:
    """At the first piece of traffic, then at the second, and so on, until a batch gets through."""
    through = make_url(settled_url).set(query={"host": str(line.folder)})
    ending: list[asyncio.Task[None]] = []

    async def terminate() -> None:
        async with engine.connect() as connection:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            await connection.execute(text(f"SELECT pg_terminate_backend(pid, 5000) {others}"))
        line.release()

    def blown() -> None:
        line.hold()
        ending.append(asyncio.create_task(terminate()))

    pieces = 0
    while True:
        line.call_after(pieces, line.cut if how == "cut" else blown)
        error = await post(through, shard, batch)
        if line.action_is_due:
            break  # the batch was through before
        await asyncio.gather(*ending)
        assert error is None or is_outage(error), f"after {pieces} pieces: {error!r}"
        # Where the answer to the commit was lost, all of it is there.
        assert await posted(engine) in (0, TRADES)
        pieces += 1
    assert pieces > 20, "it went away in the middle of the batch"
    assert await posted(engine) == TRADES
