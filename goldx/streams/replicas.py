"""Replicas: with the setting ``require_replicas`` a write counts only once it is on other machines' disks.

A failing primary loses writes that its replicas do not have yet. So with N required replicas an append counts only when
N of them have it on their disks (WAITAOF). The engine reads a journal entry only then, so every published event follows
from entries that survive a failover. Events themselves may be lost by a failover; the engine still has them, or makes
the same ones again.

The server confirms the writes of one connection. Writes of another connection are confirmed by a mark that is written
after them, because replicas take everything in one order. The same step checks that the server has the write to be
confirmed, because after a failover it may be another server.
"""

from collections.abc import Callable
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from goldx.streams.entries import Position, as_entries
from goldx.streams.outages import error_code

WAITS_MS: Final = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024)
"""How long the server waits for its replicas each time that it asks them.

A replica answers with what it has on its disk already, without the data that came with the question, and unasked it
reports only once a second. All questions together take less than a connection's timeout.
"""


class NotReplicated(RedisTimeoutError):
    """A write is not known to be on the disks of enough replicas; its outcome is unknown."""


class NoReplicas(RuntimeError):
    """The server cannot promise what ``require_replicas`` demands."""


class Replicas:
    """The demand that ``count`` replicas have a write; with 0 nothing is asked. ``mark`` is the key of the mark."""

    def __init__(self, mark: str, count: int) -> None:
        self.count = count
        self._mark = mark

    async def confirm(self, redis: Redis, read: Callable[[Pipeline], Any]) -> Any:
        """Return the answer to the reading command that ``read`` puts into the pipeline, once the replicas have it all.

        Raises NotReplicated, and redis' errors.
        """
        if not self.count:
            async with redis.pipeline(transaction=False) as pipe:
                read(pipe)
                return (await pipe.execute())[0]
        async with redis.pipeline(transaction=False) as pipe:
            read(pipe)
            pipe.set(self._mark, b"")
            for wait_ms in WAITS_MS:
                pipe.waitaof(1, self.count, wait_ms)
            try:
                shown, *_, (local, copies) = await pipe.execute()
            except ResponseError as error:
                # The server became a replica while it waited.
                if error_code(error) == "UNBLOCKED":
                    raise NotReplicated(str(error)) from error
                raise
        if not local or copies < self.count:
            raise NotReplicated(f"{copies} of the {self.count} required replicas have it on their disks")
        return shown

    async def require(self, redis: Redis) -> None:
        """Check that the server can wait for replicas. Raises NoReplicas, and redis' errors."""
        if not self.count:
            return
        try:
            await redis.waitaof(1, 0, 1)
        except RedisError as error:
            if not isinstance(error, ResponseError):
                raise
            raise NoReplicas(
                f"require_replicas is {self.count}, but the server cannot wait for replicas ({error}); it takes Redis "
                "7.2, or Valkey, with appendonly yes"
            ) from error


NO_REPLICAS: Final = Replicas("", 0)
"""No replica is demanded."""


async def confirm_entry(redis: Redis, replicas: Replicas, key: str, entry: tuple[Position, bytes]) -> None:
    """Wait until the replicas have a stream up to an entry that was written to it or read from it.

    Raises NotReplicated, also when the entry was on a server that is not the primary any more.
    """
    position = str(entry[0])
    shown = await replicas.confirm(redis, lambda pipe: pipe.xrange(key, min=position, max=position))
    if as_entries(shown) != [entry]:
        raise NotReplicated(f"{key} {position} was on a server that is not the primary any more")
