"""The permission to open a trading day: settlement publishes it, the timetable's service waits for it.

It is about one trading day, named by the event that began the day, so that it never counts for another one, whatever
was restarted or restored. It expires: no day opens by the timetable while settlement does not run.
"""

from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from goldx.streams.keys import Keys

EXPIRES_MS: Final = 20_000
"""The time without a new permission after which the last one does not count."""


class Permission(msgspec.Struct, frozen=True):
    """The trading day may open unless there are ``obstacles``. ``sequence`` is that of the event that began it."""

    trading_day: str
    sequence: int
    obstacles: tuple[str, ...]


_decode = msgspec.json.Decoder(Permission).decode


async def publish_permission(redis: Redis, keys: Keys, permission: Permission) -> None:
    """Publish a permission; it expires. Raises redis' errors."""
    await redis.set(keys.opening, msgspec.json.encode(permission), px=EXPIRES_MS)


async def read_permission(redis: Redis, keys: Keys) -> Permission | None:
    """Return the permission, or None where none was published lately. Raises redis' errors."""
    found: Any = await redis.get(keys.opening)
    return None if found is None else _decode(found)
