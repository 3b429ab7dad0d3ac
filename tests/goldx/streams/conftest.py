"""Fixtures of the tests of streams."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from goldx.hosting.servers import Server
from goldx.hosting.valkey import start_valkey
from goldx.streams import replicas
from goldx.streams.archive import Archive
from goldx.streams.entries import Position
from goldx.streams.redis_client import connect
from goldx.streams.segments import EVENTS, JOURNAL, Entry, ShardState
from tests.faults.proxy import Proxy
from tests.faults.stack import free_port

SHARD_STATE = ShardState(3, {"gateway-1": 7}, {"gateway-1": {"gateway-1.7.1": "FIRM-A"}})


def entries(first: int, count: int) -> list[Entry]:
    return [(Position(number, number % 3), b"frame %d" % number * 5) for number in range(first, first + count)]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Three segments of the journal and two of the events."""
    made = Archive(tmp_path / "archive")
    with made.writing():
        for stream, first, count in (
            (JOURNAL, 1, 10),
            (EVENTS, 1, 5),
            (JOURNAL, 11, 7),
            (JOURNAL, 18, 1),
            (EVENTS, 6, 9),
        ):
            made.append("0", stream, entries(first, count), first + count, {f"{first}-0": f"{first} abc"}, SHARD_STATE)
    return made


class Pair:
    """A primary with its replica, and a proxy that leads to the primary until the failover."""

    def __init__(self, primary: Server, replica: Server, proxy: Proxy) -> None:
        self.primary = primary
        self.replica = replica
        self.proxy = proxy

    @property
    def url(self) -> str:
        return f"unix://{self.proxy.folder / 'proxy.sock'}"

    async def fail_over(self) -> None:
        """Kill the primary and let the replica take its place."""
        self.primary.process.kill()
        await self.primary.process.wait()
        self.proxy.far = Path(self.replica.url.removeprefix("unix://"))
        self.proxy.cut()


@pytest_asyncio.fixture
async def pair(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    """A primary and a replica that has confirmed a first write."""
    monkeypatch.setattr(replicas, "WAITS_MS", replicas.WAITS_MS[:-2])
    primary = await start_valkey(folder / "primary")
    replica = await start_valkey(folder / "replica")
    proxy = Proxy("redis", folder / "proxy.sock", Path(primary.url.removeprefix("unix://")))
    await proxy.open()
    leader, follower = connect(primary.url), connect(replica.url)
    await leader.config_set("repl-diskless-sync-delay", 0)
    # How long a server that stops waits for a replica that is paused.
    await leader.config_set("shutdown-timeout", 0)
    await leader.config_set("port", port := free_port())
    await follower.replicaof("127.0.0.1", str(port))
    async with asyncio.timeout(20):
        while (await follower.info("replication"))["master_link_status"] != "up":
            await asyncio.sleep(0.02)
        # After the first synchronisation a replica writes its file anew, and confirms nothing before that.
        await leader.set("first", 1)
        while (await leader.waitaof(1, 1, 500))[1] < 1:
            await leader.set("first", 1)
    await leader.aclose()
    await follower.aclose()
    yield Pair(primary, replica, proxy)
    for server in (primary, replica):
        if server.process.returncode is None:
            server.process.send_signal(signal.SIGCONT)
            await server.stop()
    await proxy.close()


@pytest_asyncio.fixture
async def client(pair: Pair) -> AsyncIterator[Redis]:
    """A client of the pair, through the proxy."""
    made = connect(pair.url)
    yield made
    await made.aclose()
