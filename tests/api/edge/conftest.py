"""The exchange of tests that freeze its database."""

import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from goldx.hosting.embedded import temporary_servers
from settlement.base import key_reader
from tests.api.conftest import Desk, build
from tests.api.edge.frozen import Venue


@pytest_asyncio.fixture
async def venue(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Venue]:
    """An exchange with a database of its own, which can be frozen; that is noticed sooner than usual."""
    async with temporary_servers(durable=False) as (valkey, postgres), contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, valkey.url, postgres.url)
        desk = Desk(services, await services.start_gateway(), 1)
        await desk.open()
        monkeypatch.setattr(key_reader, "READ_SECONDS", 0.3)
        yield Venue(services, desk, postgres)
