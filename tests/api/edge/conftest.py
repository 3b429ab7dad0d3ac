"""The exchange of tests that freeze its database."""

import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio

from goldx.hosting.embedded import temporary_servers
from tests.api.conftest import Desk, build
from tests.api.edge.frozen import Venue


@pytest_asyncio.fixture
async def venue() -> AsyncIterator[Venue]:
    """An exchange whose own database can be frozen."""
    async with temporary_servers(durable=False) as (valkey, postgres), contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, valkey.url, postgres.url)
        desk = Desk(services, await services.start_gateway(), 1)
        await desk.open()
        yield Venue(services, desk, postgres)
