"""Revocations of keys on Redis or Valkey, which reach every gateway although the database is away.

Every revocation is published here. Each gateway then ends the key's sessions, and writes the revocation into the
register of keys in the database if it is not there yet. A revocation stays valid because key ids are never reused; it
is dropped after KEPT_MS, long after the register has it.
"""

import time
from typing import Any, Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from goldx.streams.keys import Keys

KEPT_MS: Final = 30 * 86_400_000


class Revocation(NamedTuple):
    """The person who revoked a key, and the time, in ms since the epoch."""

    by: str
    at: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Revocation).decode


async def publish_revocation(redis: Redis, keys: Keys, key_id: str, by: str) -> None:
    """Make a revocation known to every gateway of the shard. Raises redis' errors."""
    revocation = Revocation(by, time.time_ns() // 1_000_000)
    await redis.hsetnx(keys.revocations, key_id, _encode(revocation).decode())


async def read_revocations(redis: Redis, keys: Keys) -> dict[str, Revocation]:
    """Return the revocations by key id. Raises redis' errors."""
    found: dict[Any, Any] = await redis.hgetall(keys.revocations)
    return {key_id.decode(): _decode(data) for key_id, data in found.items()}


async def drop_revocations(redis: Redis, keys: Keys, names: list[str]) -> None:
    """Remove revocations that have long been in the register. Raises redis' errors."""
    await redis.hdel(keys.revocations, *names)
