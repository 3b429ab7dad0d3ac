"""Heartbeats: by them ``goldx health`` knows that a service runs of which an idle market shows nothing.

Settlement that has posted everything, and an archiver between two passes, look the same whether they run or not. So
each says again and again that it is there, from the work that it does, and what it said expires.
"""

import asyncio
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx.streams.keys import Keys

EVERY_SECONDS: Final = 2.0
EXPIRES_MS: Final = 20_000
"""A service that has said nothing for so long counts as gone."""

log = structlog.get_logger()


class Heartbeat:
    """The heartbeat of one service, such as ``settlement``."""

    def __init__(self, redis: Redis, keys: Keys, service: str) -> None:
        self._redis = redis
        self._key = keys.heartbeat(service)
        self._due = 0.0

    async def beat(self) -> None:
        """Say that the service works; more often than every EVERY_SECONDS costs nothing. A server may be away."""
        now = asyncio.get_running_loop().time()
        if now < self._due:
            return
        self._due = now + EVERY_SECONDS
        try:
            await self._redis.set(self._key, 1, px=EXPIRES_MS)
        except (RedisError, OSError) as error:
            log.warning("the heartbeat could not be written", error=str(error))

    async def keep_beating(self) -> None:
        """Beat until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(EVERY_SECONDS)


async def is_alive(redis: Redis, keys: Keys, service: str) -> bool:
    """Return whether a service has said in the last EXPIRES_MS that it works. Raises redis' errors."""
    return bool(await redis.exists(keys.heartbeat(service)))
