"""Gateways behind a proxy, and small file systems."""

import asyncio
import contextlib
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from api.journal.sequencer import Sequencer
from goldx.hosting.servers import Server
from goldx.hosting.valkey import start_valkey
from goldx.streams.entries import BEGINNING
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.conftest import Desk
from tests.api.journal.journaled import Journaled
from tests.api.journal.proxied import ProxiedGateway, proxied_gateway
from tests.api.journal.watched import Watched, watched_gateway
from tests.faults.proxy import Proxy

_numbers = itertools.count(2)


@pytest_asyncio.fixture(scope="module")
async def shared_gateway(servers: tuple[Server, Server]) -> AsyncIterator[ProxiedGateway]:
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    valkey = await start_valkey(folder)
    async with proxied_gateway(valkey, servers[1]) as opened:
        yield opened
    await valkey.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture
async def proxied(shared_gateway: ProxiedGateway) -> ProxiedGateway:
    """Return the gateway that the tests of a module share, with a desk of the test's own."""
    shared_gateway.desk = Desk(shared_gateway.services, shared_gateway.server, next(_numbers))
    await shared_gateway.desk.open()
    return shared_gateway


@pytest.fixture
def small_disk() -> Any:
    """Mount a file system of 32 MB."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


@pytest_asyncio.fixture
async def journaled(redis: Redis, shard: str, folder: Path) -> AsyncIterator[Journaled]:
    """A sequencer that runs, with a journal of its own."""
    far = redis.connection_pool.connection_kwargs["path"]
    proxy = Proxy("journal", folder / "v.sock", Path(far))
    await proxy.open()
    keys = Keys(shard)
    sequencer = Sequencer(f"unix://{folder / 'v.sock'}", keys, "gateway-1.1", lambda: BEGINNING, 0)
    await sequencer.open()
    running = asyncio.create_task(sequencer.run())
    yield Journaled(sequencer, Journal(redis, keys), proxy)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await sequencer.close()
    await proxy.close()


@pytest_asyncio.fixture(scope="module")
async def watched(servers: tuple[Server, Server]) -> AsyncIterator[Watched]:
    """A gateway behind a proxy, asked as a monitor asks it."""
    async with watched_gateway(servers) as found:
        yield found
