"""What the server promises when it acknowledges a write: asked of the server itself, stated, and held to.

The exchange has an order from the moment at which the append to the journal is acknowledged. That is only true of a
server that has the write on its disk by then.
"""

from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError


class WeakDurability(RuntimeError):
    """The server acknowledges before a write is durable, or does not say, and the settings do not allow that."""


class Durability(NamedTuple):
    """``append_only`` and ``fsync`` as the server gives them, None where it does not tell (CONFIG may be forbidden)."""

    append_only: str | None
    fsync: str | None

    def __str__(self) -> str:
        if self.append_only is None or self.fsync is None:
            return "unknown"
        return f"appendonly={self.append_only},appendfsync={self.fsync}"

    @property
    def is_full(self) -> bool:
        """Whether what is acknowledged is on the disk."""
        return self.append_only == "yes" and self.fsync == "always"


async def read_durability(redis: Redis) -> Durability:
    """The server's append-only file and fsync policy. Raises redis' errors of connection."""
    try:
        found = await redis.config_get("appendonly", "appendfsync")
    except ResponseError:
        return Durability(None, None)
    values = {_text(name): _text(value) for name, value in found.items()}
    return Durability(values.get("appendonly"), values.get("appendfsync"))


async def require_durability(redis: Redis, *, allow_weak: bool) -> Durability:
    """Like ``read_durability``; raises WeakDurability for less than full durability that was not explicitly allowed."""
    durability = await read_durability(redis)
    if not durability.is_full and not allow_weak:
        raise WeakDurability(
            f"the server's durability is {durability}: it may acknowledge an order before it is on the disk. Set its "
            "appendonly to yes and appendfsync to always, or accept the loss of acknowledged orders with "
            "allow_weak_durability=true"
        )
    return durability


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
