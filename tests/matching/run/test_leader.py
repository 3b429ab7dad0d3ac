"""One engine writes: the lease decides which, and the server checks the epoch and the place of every write."""

import asyncio

import pytest
from redis.asyncio import Redis

from goldx.streams.connection import RedisConnection
from goldx.streams.event_stream import EventStream
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.run.fold import EntryEvents, Fold
from matching.run.lease import Deposed, Lease
from matching.run.publisher import Publisher, StreamBroken
from tests.matching.shards import determined, fill, lead_once

LONG = 60_000
FOR_EVER = 20
"""Seconds of silence after which no more messages are expected."""


async def test_the_lease_has_one_holder_at_a_time(redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    first, second = Lease(redis, keys, LONG), Lease(redis, keys, LONG)
    assert await first.try_acquire()
    assert not await second.try_acquire()
    await first.release()
    assert await second.try_acquire()
    assert second.epoch == first.epoch + 1
    await first.release()
    assert await redis.get(keys.leader) == str(second.epoch).encode(), "a lease that is not one's own is left alone"


async def test_a_lease_can_be_acquired_by_another_when_it_is_no_longer_renewed(redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    first, second = Lease(redis, keys, 200), Lease(redis, keys, 200)
    assert await first.try_acquire()
    keeping = asyncio.create_task(first.keep_renewing())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.acquire(), 0.7)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await asyncio.wait_for(second.acquire(), FOR_EVER)
    with pytest.raises(Deposed, match="another engine has led since"):
        await asyncio.wait_for(first.keep_renewing(), FOR_EVER)


async def test_a_lease_that_was_never_renewed_ends(redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    first, second = Lease(redis, keys, 200), Lease(redis, keys, 200)
    assert await first.try_acquire()
    await asyncio.wait_for(second.acquire(), FOR_EVER)
    assert second.epoch == first.epoch + 1


async def test_a_lease_that_expired_without_a_successor_is_taken_up_again(redis: Redis, shard: str) -> None:
    """As after a time without the server: nobody could take it, so nobody has."""
    keys = Keys(shard)
    lease = Lease(redis, keys, LONG)
    assert await lease.try_acquire()
    await redis.delete(keys.leader)
    keeping = asyncio.create_task(lease.keep_renewing())
    while not await redis.exists(keys.leader):
        assert not keeping.done(), "it is lost"
        await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def produced_frames(redis: Redis, keys: Keys) -> list[EntryEvents]:
    """Return the events that follow from a journal, frame by frame."""
    await fill(redis, keys, seed=6, count=100)
    fold = Fold(type((await lead_once(redis, Keys(f"{keys.shard}-empty"))).engine)())
    entries = await Journal(redis, keys).read(fold.position)
    return [made for position, data in entries if (made := fold.apply(position, data)) is not None]


async def publish(publisher: Publisher, frames: list[EntryEvents]) -> None:
    """Publish frames and wait until they are confirmed; raise the error that prevents it."""
    for frame in frames:
        publisher.put(frame)
    running = asyncio.create_task(publisher.run())
    confirmed = asyncio.create_task(publisher.wait_confirmed(frames[-1].last))
    await asyncio.wait((running, confirmed), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        confirmed.cancel()
        await running
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_publisher_knows_for_how_long_events_have_waited(
    redis: Redis, connection: RedisConnection, shard: str
) -> None:
    """The status of the leader says it: an engine that applies and cannot publish answers nobody."""
    keys = Keys(shard)
    frames = await produced_frames(redis, keys)
    lease = Lease(redis, keys, LONG)
    assert await lease.try_acquire()
    publisher = Publisher(connection, keys, lease.epoch, 0)
    assert publisher.unpublished_ms == 0
    publisher.put(frames[0])
    while not publisher.unpublished_ms:
        await asyncio.sleep(0.005)
    await publish(publisher, frames[1:3])
    assert publisher.unpublished_ms == 0


async def test_a_deposed_leaders_events_are_refused_by_the_server(
    redis: Redis, connection: RedisConnection, shard: str
) -> None:
    keys = Keys(shard)
    frames = await produced_frames(redis, keys)
    old, new = Lease(redis, keys, LONG), Lease(redis, keys, LONG)
    assert await old.try_acquire()
    deposed = Publisher(connection, keys, old.epoch, 0)
    await publish(deposed, frames[:3])
    await redis.delete(keys.leader)
    assert await new.try_acquire()
    with pytest.raises(Deposed, match="refused: a newer epoch leads"):
        await publish(deposed, frames[3:])
    with pytest.raises(Deposed, match="refused: a newer epoch leads"):
        await deposed.tick()
    assert await EventStream(redis, keys).last_sequence() == frames[2].last
    await publish(Publisher(connection, keys, new.epoch, frames[2].last), frames[3:])
    assert [body for _, body in await determined(redis, keys)] == [made.body for made in frames]


async def test_frames_that_have_arrived_are_not_published_again(
    redis: Redis, connection: RedisConnection, shard: str
) -> None:
    """A publication of unknown outcome is sent again, with more behind it; the server leaves out what it has."""
    keys = Keys(shard)
    frames = await produced_frames(redis, keys)
    lease = Lease(redis, keys, LONG)
    assert await lease.try_acquire()
    for known in (0, 2, len(frames)):
        again = Publisher(connection, keys, lease.epoch, 0)
        await publish(again, frames[: known + 3])
    assert [body for _, body in await determined(redis, keys)] == [made.body for made in frames]


async def test_a_gap_is_refused_by_the_server(redis: Redis, connection: RedisConnection, shard: str) -> None:
    keys = Keys(shard)
    frames = await produced_frames(redis, keys)
    lease = Lease(redis, keys, LONG)
    assert await lease.try_acquire()
    await publish(Publisher(connection, keys, lease.epoch, 0), frames[:2])
    with pytest.raises(StreamBroken, match=rf"ends at sequence {frames[1].last}, but the server had acknowledged"):
        await publish(Publisher(connection, keys, lease.epoch, frames[2].last), frames[3:])
    between = EntryEvents(frames[2].position, frames[1].last + 1, frames[1].last + 1, frames[2].body)
    await publish(Publisher(connection, keys, lease.epoch, frames[1].last), [between])
    with pytest.raises(StreamBroken, match="ends at sequence"):
        await publish(Publisher(connection, keys, lease.epoch, frames[1].last), [frames[2]])
