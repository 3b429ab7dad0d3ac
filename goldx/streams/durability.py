"""The durability of a server: whether a write is on its disk when the server acknowledges it.

The exchange has an order once the append to the journal is acknowledged. This holds only if the server has the write on
its disk by then. So the server is asked for its policy, the answer is published, and a server that promises less is
refused.
"""

from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.replicas import Replicas


class WeakDurability(RuntimeError):
    """The server acknowledges before a write is durable, or does not say, and the settings do not allow that."""


class Durability(NamedTuple):
    """``append_only`` and ``fsync`` as the server reports them, None where it does not (CONFIG may be forbidden).

    ``replicas``: how many replicas must have a write on their disks as well.
    """

    append_only: str | None
    fsync: str | None
    replicas: int = 0

    def __str__(self) -> str:
        copies = f",replicas={self.replicas}" if self.replicas else ""
        if self.append_only is None or self.fsync is None:
            return f"unknown{copies}"
        return f"appendonly={self.append_only},appendfsync={self.fsync}{copies}"

    @property
    def is_full(self) -> bool:
        """Whether every acknowledged write is on the server's disk."""
        return self.append_only == "yes" and self.fsync == "always"


async def read_durability(redis: Redis) -> Durability:
    """Return the server's append-only file and fsync policy. Raises redis' errors of connection."""
    try:
        found = await redis.config_get("appendonly", "appendfsync")
    except ResponseError:
        return Durability(None, None)
    values = {_text(name): _text(value) for name, value in found.items()}
    return Durability(values.get("appendonly"), values.get("appendfsync"))


async def require_durability(redis: Redis, *, allow_weak: bool, replicas: int = 0) -> Durability:
    """Return the server's durability, after checking that it can wait for the required replicas.

    Raises NoReplicas, and WeakDurability for less than full durability that was not explicitly allowed.
    """
    await Replicas("", replicas).require(redis)
    durability = (await read_durability(redis))._replace(replicas=replicas)
    if not durability.is_full and not allow_weak:
        raise WeakDurability(
            f"the server's durability is {durability}: it may acknowledge an order before it is on the disk. Set its "
            "appendonly to yes and appendfsync to always, or accept the loss of acknowledged orders with "
            "allow_weak_durability=true"
        )
    return durability


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
