"""The health checks of the engine, its standby and the archiver.

An engine leads the shard and keeps up with the journal; a standby could lead at once; the archive keeps up.
"""

import asyncio

from redis.asyncio import Redis

from goldx.hosting.health import Unhealthy
from goldx.hosting.running import resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.streams import heartbeats
from goldx.streams.archive import Archive
from goldx.streams.engines import Engines, read_engines
from goldx.streams.entries import BEGINNING, Position, as_entries
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import decode_events
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.streams.segments import EVENTS, JOURNAL, Header


async def engine(settings: Settings) -> str:
    """Return which epoch leads the shard, whichever engine holds the lease.

    Raises Unhealthy if none does, if the leader does not keep up or cannot publish, and, where ``standby`` is set, if
    no other engine stands by.
    """
    engines = await _read_engines(settings)
    leader = engines.leader
    if leader is None or engines.trouble is not None:
        raise Unhealthy(engines.trouble)
    text = f"shard {settings.shard} is led under epoch {leader.epoch}"
    return f"{text}; {_standing_by(engines)}" if settings.standby else text


async def standby(settings: Settings) -> str:
    """Return how many engines could lead at once if the leader ended. Raises Unhealthy if none could."""
    return _standing_by(await _read_engines(settings))


async def _read_engines(settings: Settings) -> Engines:
    redis = connect(resolve_redis_url(settings))
    try:
        return await read_engines(redis, Keys(settings.shard))
    finally:
        await redis.aclose()


def _standing_by(engines: Engines) -> str:
    count = len(engines.standbys)
    if not count:
        raise Unhealthy(f"no engine stands by for the leader of shard {engines.shard}")
    return f"engines that stand by: {count}"


async def archiver(settings: Settings) -> str:
    """Return for how long the oldest entry of either stream that is not in the archive has waited.

    Raises Unhealthy above two intervals and a minute, and if no archiver runs.
    """
    if settings.archive_dir is None:
        raise Unhealthy("archive_dir is not set")
    archive, keys = Archive(settings.archive_dir), Keys(settings.shard)
    redis = connect(resolve_redis_url(settings))
    try:
        alive = await heartbeats.is_alive(redis, keys, "archiver")
        journal, events = await asyncio.gather(
            asyncio.to_thread(archive.newest, JOURNAL), asyncio.to_thread(archive.newest, EVENTS)
        )
        seconds, _ = await redis.time()
        waiting = [await _oldest_entry(redis, keys, journal), await _oldest_event(redis, keys, events)]
    finally:
        await redis.aclose()
    behind = max((seconds - ms // 1_000 for ms in waiting if ms is not None), default=0)
    if not alive:
        silent = f"has done nothing for {heartbeats.EXPIRES_MS // 1_000} s: it does not run or hangs"
        raise Unhealthy(f"the archiver of shard {settings.shard} {silent}")
    if behind > 2 * settings.archive_every_seconds + 60:
        raise Unhealthy(f"what the archive in {settings.archive_dir} lacks has waited for {behind} s")
    return f"what the archive in {settings.archive_dir} lacks has waited for {max(0, behind)} s"


async def _oldest_entry(redis: Redis, keys: Keys, archived: Header | None) -> int | None:
    """Return the time in ms of the oldest entry of the journal that is not in the archive, None if all are."""
    after = archived.end if archived is not None else BEGINNING
    found = as_entries(await redis.xrange(keys.journal, min=f"({after}", count=1))
    return found[0][0].ms if found else None


async def _oldest_event(redis: Redis, keys: Keys, archived: Header | None) -> int | None:
    """Return the time in ms of the journal entry behind the oldest event that is not in the archive, or None."""
    after = archived.end.ms if archived is not None else 0
    found = await EventStream(redis, keys).read_raw(after, 1)
    return Position(*decode_events(found[0][1]).position).ms if found else None
