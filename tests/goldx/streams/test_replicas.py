"""A primary and its replica, real ones: what counts as written, and what a reader is given, when one is required."""

import asyncio
import contextlib
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, OutOfMemoryError, ReadOnlyError

from goldx.hosting import embedded
from goldx.protocol.commands import ClockTick
from goldx.streams import replicas
from goldx.streams.archive import JOURNAL, Archive
from goldx.streams.durability import require_durability
from goldx.streams.entries import BEGINNING, FIELD, parse_entry_id
from goldx.streams.frames import CommandFrame, encode
from goldx.streams.journal import Journal, begin_run
from goldx.streams.keys import Keys
from goldx.streams.outages import redis_passes
from goldx.streams.redis_client import connect
from goldx.streams.replicas import NoReplicas, NotReplicated, Replicas, confirm_entry
from matching.archive.archiver import Archiver, Retention
from tests.faults.proxy import Proxy
from tests.faults.stack import free_port

KEYS = Keys("r")
FRAME = CommandFrame("test.1", 1, (ClockTick(),))


class Pair:
    """``primary`` and ``replica``, and a ``line`` that leads to the primary until it is turned."""

    def __init__(self, primary: embedded.Server, replica: embedded.Server, line: Proxy) -> None:
        self.primary = primary
        self.replica = replica
        self.line = line

    @property
    def url(self) -> str:
        return f"unix://{self.line.folder / 'line.sock'}"

    async def fail_over(self) -> None:
        """The primary dies, and what was its replica takes its place."""
        self.primary.process.kill()
        await self.primary.process.wait()
        self.line.there = Path(self.replica.url.removeprefix("unix://"))
        self.line.cut()


@pytest_asyncio.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(replicas, "WAITS_MS", replicas.WAITS_MS[:-2])
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    primary = await embedded.start_valkey(folder / "primary")
    replica = await embedded.start_valkey(folder / "replica")
    line = Proxy("redis", folder / "line.sock", Path(primary.url.removeprefix("unix://")))
    await line.open()
    leader, follower = connect(primary.url), connect(replica.url)
    await leader.config_set("repl-diskless-sync-delay", 0)
    # A server that stops waits as long as this for a replica that has stood still.
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
    yield Pair(primary, replica, line)
    for server in (primary, replica):
        if server.process.returncode is None:
            server.process.send_signal(signal.SIGCONT)
            await server.stop()
    await line.close()
    shutil.rmtree(folder)


@pytest_asyncio.fixture
async def client(pair: Pair) -> AsyncIterator[Redis]:
    made = connect(pair.url)
    yield made
    await made.aclose()


async def test_an_append_counts_when_the_replica_has_it(pair: Pair, client: Redis) -> None:
    journal = Journal(client, KEYS, 1)
    position = await journal.append(FRAME)
    assert await journal.find("test.1", 1, BEGINNING) == position
    pair.replica.process.send_signal(signal.SIGSTOP)
    with pytest.raises(NotReplicated, match="0 of the 1 required replicas"):
        await journal.append(CommandFrame("test.1", 2, (ClockTick(),)))


async def test_a_reader_is_given_an_entry_only_when_the_replica_has_it(pair: Pair, client: Redis) -> None:
    pair.replica.process.send_signal(signal.SIGSTOP)
    await Journal(client, KEYS).append(FRAME)
    journal = Journal(client, KEYS, 1)
    for read in (journal.read, journal.wait):
        with pytest.raises(NotReplicated):
            await read(BEGINNING)
    pair.replica.process.send_signal(signal.SIGCONT)
    assert len(await journal.wait(BEGINNING)) == len(await journal.read(BEGINNING)) == 1


async def test_what_the_failed_primary_had_alone_is_neither_acknowledged_nor_read(pair: Pair, client: Redis) -> None:
    """The append reaches the primary, the question for it the replica that took over."""
    follower = connect(pair.replica.url)
    await follower.replicaof("NO", "ONE")
    await follower.aclose()
    journal = Journal(client, KEYS)
    position = await journal.append(FRAME)
    data = (await journal.read(BEGINNING))[0][1]
    await pair.fail_over()
    # The client finds its old connection broken, in some Pythons only by a command that is lost with it.
    with contextlib.suppress(ConnectionError):
        await client.ping()
    # No replica is left, so none is asked for: what is missing is the entry.
    with pytest.raises(NotReplicated, match="not the primary any more"):
        await confirm_entry(client, Replicas(KEYS.mark, 0), KEYS.journal, (position, data))
    assert await journal.read(BEGINNING) == []


async def test_a_run_begins_when_the_replica_knows_it(pair: Pair, client: Redis) -> None:
    assert await begin_run(client, KEYS, "gateway-1", 1) == 1
    pair.replica.process.send_signal(signal.SIGSTOP)
    with pytest.raises(NotReplicated):
        await begin_run(client, KEYS, "gateway-1", 1)
    pair.replica.process.send_signal(signal.SIGCONT)
    assert await begin_run(client, KEYS, "gateway-1", 1) == 3, "the second may be in use"


async def test_a_server_that_cannot_wait_for_replicas_is_refused(client: Redis) -> None:
    assert str(await require_durability(client, allow_weak=False, replicas=2)).endswith("always,replicas=2")
    await client.config_set("appendonly", "no")
    with pytest.raises(NoReplicas, match="require_replicas is 2, but the server cannot wait for replicas"):
        await require_durability(client, allow_weak=True, replicas=2)


async def test_refusals_of_a_server_that_is_full_or_a_replica_pass(pair: Pair, client: Redis) -> None:
    await client.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError) as full:
        await client.set("more", 1)
    follower = connect(pair.replica.url)
    with pytest.raises(ReadOnlyError) as replica:
        await follower.set("more", 1)
    await follower.aclose()
    assert redis_passes(full.value)
    assert redis_passes(replica.value)


async def test_only_what_the_replica_has_is_archived(pair: Pair, client: Redis, tmp_path: Path) -> None:
    """What a failover takes away, the shard may put other entries in the place of; the archive could not follow."""
    archive = Archive(tmp_path)
    archiver = Archiver(client, KEYS, archive, Retention(), 1)
    pair.replica.process.send_signal(signal.SIGSTOP)
    position = parse_entry_id(await client.xadd(KEYS.journal, {FIELD: encode(FRAME)}))
    with pytest.raises(NotReplicated):
        await archiver.run()
    assert archive.segments() == []
    pair.replica.process.send_signal(signal.SIGCONT)
    assert (await archiver.run()).archived[JOURNAL] == 1
    assert list(archive.entries(JOURNAL)) == [(position, encode(FRAME))]
