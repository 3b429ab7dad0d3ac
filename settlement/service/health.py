"""The health check of settlement, for ``goldx health settlement``."""

import asyncio
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.hosting.health import Unhealthy
from goldx.hosting.running import resolve_database_url, resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.streams import heartbeats
from goldx.streams.event_stream import EventStream
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from settlement.base import database
from settlement.base.refusal import Refused
from settlement.closing import archive, time_stamps
from settlement.ledger import progress
from settlement.reconciliation import past_limits

PATIENCE = 2.0
"""Seconds within which settlement must post at least one of the events that wait."""


async def settlement(settings: Settings) -> str:
    """Return the event posted last, and what stops the next day or waits: breaks, days not archived or not stamped.

    The newest archived record is read again.

    Raises Unhealthy if it stays the same while there are later ones, and if no settlement runs, though nothing waits.
    """
    engine = database.connect(resolve_database_url(settings), pool_size=1)
    redis, keys = connect(resolve_redis_url(settings)), Keys(settings.shard)
    try:
        published = await EventStream(redis, keys).last_sequence()
        async with engine.connect() as connection:
            before = (await progress.read(connection)).sequence
        if before < published:
            await asyncio.sleep(PATIENCE)
            async with engine.connect() as connection:
                if (await progress.read(connection)).sequence == before:
                    raise Unhealthy(f"posted to event {before} of {published}, and it does not move")
        if not await heartbeats.is_alive(redis, keys, "settlement"):
            silent = heartbeats.EXPIRES_MS // 1_000
            found = f"posted to event {before} of {published}, but settlement has done nothing for {silent} s"
            raise Unhealthy(f"{found}: it does not run, hangs, or waits for a server")
        async with engine.connect() as connection:
            stopping = sum((await past_limits.count(connection)).values())
            waiting = len(await archive.waiting(connection))
            lost = await _lost_record(connection, archive.folder_of(settings))
            unstamped = len(await time_stamps.waiting(connection)) if settings.timestamp_url else 0
    except SQLAlchemyError as error:
        raise Unhealthy(str(error)) from error
    finally:
        await redis.aclose()
        await engine.dispose()
    stops = f"; breaks that stop the next day: {stopping} (goldx clerk break stops)" if stopping else ""
    waits = f"; records of days that are not archived: {waiting}" if waiting else ""
    waits += lost
    waits += f"; signed days without a time stamp: {unstamped}" if unstamped else ""
    return f"posted to event {before} of {published}{stops}{waits}"


async def _lost_record(connection: AsyncConnection, folder: Path) -> str:
    """Return what is wrong with the newest archived record, as a part of a sentence; an empty text if nothing is."""
    day = await archive.newest(connection)
    try:
        if day is not None:
            await archive.check(connection, day, folder)
    except Refused as error:
        return f"; {error}"
    return ""
