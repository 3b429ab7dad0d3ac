"""The process, a line to PostgreSQL that can be disturbed, a batch of trades, and a database full of lots."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.lots.fill import fill
from goldx.streams.frames import EventFrame
from tests.faults.proxy import Proxy
from tests.settlement.publisher import Publisher
from tests.settlement.service import EACH, LOTS, SOCKET, TRADES
from tests.settlement.service_process import Service


@pytest_asyncio.fixture
async def service(migrated_url: str, valkey_url: str, shard: str) -> AsyncIterator[Service]:
    """``goldx settlement``, not yet started."""
    made = Service(migrated_url, valkey_url, shard)
    yield made
    await made.kill()


@pytest_asyncio.fixture
async def postgres_line(migrated_url: str) -> AsyncIterator[Proxy]:
    """A line to PostgreSQL that can be disturbed."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    made = Proxy("postgres", folder / SOCKET, Path(str(make_url(migrated_url).query["host"])) / SOCKET)
    await made.open()
    yield made
    await made.close()
    shutil.rmtree(folder)


@pytest.fixture
def batch(publisher: Publisher) -> EventFrame:
    """A frame of trades, and the deposits before them."""
    publisher.fund()
    for _ in range(TRADES):
        publisher.trade("A.H", "B.H", "AU", 60_000, 1_000, 0)
    return publisher.take_frame()


@pytest_asyncio.fixture
async def filled(engine: AsyncEngine) -> AsyncEngine:
    """A database with LOTS lots of EACH events."""
    async with engine.begin() as connection:
        await fill(connection, LOTS, EACH)
    return engine
