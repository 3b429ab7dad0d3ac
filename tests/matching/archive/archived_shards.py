"""Shards with traffic that is applied, published, snapshotted, posted and archived."""

from redis.asyncio import Redis

from goldx.streams.archive import Archive
from goldx.streams.keys import Keys
from goldx.streams.segments import Entry
from matching.archive.archiver import Archiver, Pass, Retention
from matching.archive.sources import ArchivedServer
from matching.run import snapshots
from matching.run.snapshot_store import SnapshotStore
from tests.matching.shards import fill, leadership

EVERYTHING = Retention()
"""Trim whatever may be trimmed."""


async def advance(redis: Redis, keys: Keys, seed: int, count: int = 300) -> None:
    """More traffic, applied and published, a snapshot at its end, and settlement has posted all of it."""
    await fill(redis, keys, seed, count)
    async with leadership(redis, keys) as (fold, publisher):
        await publisher.wait_confirmed(fold.engine.sequence)
        await SnapshotStore(redis, keys).save(snapshots.take(fold))
    await redis.set(keys.posted, fold.engine.sequence)
    await redis.delete(keys.leader)


async def archived_shard(redis: Redis, keys: Keys, archive: Archive, passes: int = 5) -> Pass:
    """Traffic and a pass in turn, everything trimmed that may be."""
    for number in range(passes):
        await advance(redis, keys, seed=number)
        done = await Archiver(redis, keys, archive, EVERYTHING).run()
    return done


async def whole(redis: Redis, keys: Keys, archive: Archive | None) -> tuple[list[Entry], ...]:
    source = ArchivedServer(redis, keys, archive)
    end = await source.published()
    return [entry async for entry in source.journal()], [entry async for entry in source.events(end)]
