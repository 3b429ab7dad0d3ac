"""The health check of settlement, for ``goldx health settlement``."""

import asyncio

from sqlalchemy.exc import SQLAlchemyError

from goldx.hosting.health import Unhealthy
from goldx.hosting.running import resolve_database_url, resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.streams.event_stream import EventStream
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from settlement.base import database
from settlement.ledger import progress

PATIENCE = 2.0
"""Seconds within which settlement must post at least one of the events that wait."""


async def settlement(settings: Settings) -> str:
    """Return the event posted last. Raises Unhealthy if it stays the same while there are later ones."""
    engine = database.connect(resolve_database_url(settings), pool_size=1)
    redis = connect(resolve_redis_url(settings))
    try:
        published = await EventStream(redis, Keys(settings.shard)).last_sequence()
        async with engine.connect() as connection:
            before = (await progress.read(connection)).sequence
        if before < published:
            await asyncio.sleep(PATIENCE)
            async with engine.connect() as connection:
                if (await progress.read(connection)).sequence == before:
                    raise Unhealthy(f"posted to event {before} of {published}, and it does not move")
    except SQLAlchemyError as error:
        raise Unhealthy(str(error)) from error
    finally:
        await redis.aclose()
        await engine.dispose()
    return f"posted to event {before} of {published}"
