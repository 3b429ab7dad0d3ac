"""The health checks of the engine and the archiver: an engine leads the shard, the archive keeps up with it."""

import asyncio

from goldx.hosting.health import Unhealthy
from goldx.hosting.running import resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.streams.archive import Archive
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.streams.segments import JOURNAL


async def engine(settings: Settings) -> str:
    """Return which epoch leads the shard, whichever engine holds the lease. Raises Unhealthy if none does."""
    redis = connect(resolve_redis_url(settings))
    try:
        epoch = await redis.get(Keys(settings.shard).leader)
    finally:
        await redis.aclose()
    if epoch is None:
        raise Unhealthy(f"no engine leads shard {settings.shard}")
    return f"shard {settings.shard} is led under epoch {int(epoch)}"


async def archiver(settings: Settings) -> str:
    """Return how far the archive is behind the journal. Raises Unhealthy above two intervals and a minute."""
    if settings.archive_dir is None:
        raise Unhealthy("archive_dir is not set")
    redis = connect(resolve_redis_url(settings))
    try:
        end = await Journal(redis, Keys(settings.shard)).end()
    finally:
        await redis.aclose()
    newest = await asyncio.to_thread(Archive(settings.archive_dir).newest, JOURNAL)
    behind = (end.ms - (newest.until if newest is not None else 0)) // 1_000
    if newest is None and end.ms:
        raise Unhealthy(f"the archive in {settings.archive_dir} is empty")
    if behind > 2 * settings.archive_every_seconds + 60:
        raise Unhealthy(f"the archive in {settings.archive_dir} is {behind} s behind the journal")
    return f"the archive in {settings.archive_dir} is {behind} s behind the journal"
