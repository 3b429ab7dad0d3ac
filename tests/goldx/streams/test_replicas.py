"""With a required replica: what counts as appended, and what a reader is given. On a real primary and replica."""

import asyncio
import contextlib
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, OutOfMemoryError, ReadOnlyError

from api.sessions.gateway_lease import GatewayLease
from goldx.protocol.commands import ClockTick
from goldx.streams.archive import Archive
from goldx.streams.durability import require_durability
from goldx.streams.entries import BEGINNING, FIELD, parse_entry_id
from goldx.streams.frames import CommandFrame, encode
from goldx.streams.journal import Journal, begin_run
from goldx.streams.keys import Keys
from goldx.streams.outages import redis_passes
from goldx.streams.redis_client import connect
from goldx.streams.replicas import NoReplicas, NotReplicated, Replicas, confirm_entry
from goldx.streams.segments import JOURNAL
from matching.archive.archiver import Archiver, Retention
from tests.goldx.streams.conftest import Pair

KEYS = Keys("r")
FRAME = CommandFrame("test.1", 1, (ClockTick(),))


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


async def test_an_entry_that_only_the_failed_primary_had_is_neither_acknowledged_nor_read(
    pair: Pair, client: Redis
) -> None:
    """The append reaches the primary; the confirmation is asked of the replica that took over."""
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


async def test_a_gateway_has_its_name_when_the_replica_knows_it(
    pair: Pair, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a failover would take the name away again, and the gateway would end as if it had been lost."""
    lease = GatewayLease(client, KEYS, "gateway-1", 1)
    pair.replica.process.send_signal(signal.SIGSTOP)
    with pytest.raises(NotReplicated):
        await lease.claim()
    assert not lease.claimed
    pair.replica.process.send_signal(signal.SIGCONT)
    monkeypatch.setattr("api.sessions.gateway_lease.BEAT_SECONDS", 3_600)
    async with asyncio.timeout(60):
        await lease.claim()  # without a wait, since its own entry is no other gateway's
    await pair.fail_over()
    with contextlib.suppress(ConnectionError):
        await client.ping()
    entry = str(await client.hget(KEYS.gateways, "gateway-1"))
    assert lease.fence.token in entry, "the name outlives the primary"


async def test_a_server_that_cannot_wait_for_replicas_is_refused(client: Redis) -> None:
    assert str(await require_durability(client, allow_weak=False, replicas=2)).endswith("always,replicas=2")
    await client.config_set("appendonly", "no")
    with pytest.raises(NoReplicas, match="require_replicas is 2, but the server cannot wait for replicas"):
        await require_durability(client, allow_weak=True, replicas=2)


async def test_errors_of_a_full_server_and_of_a_replica_pass(pair: Pair, client: Redis) -> None:
    await client.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError) as full:
        await client.set("more", 1)
    follower = connect(pair.replica.url)
    with pytest.raises(ReadOnlyError) as replica:
        await follower.set("more", 1)
    await follower.aclose()
    assert redis_passes(full.value)
    assert redis_passes(replica.value)


async def test_only_entries_that_the_replica_has_are_archived(pair: Pair, client: Redis, tmp_path: Path) -> None:
    """After a failover other entries may stand where lost ones stood, and the archive could not be corrected."""
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
