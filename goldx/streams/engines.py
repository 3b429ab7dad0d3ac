"""The status that each engine of a shard publishes, for the standby, the gateways and the operators."""

import contextlib
import os
import socket
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.keys import Keys

EVERY_MS: Final = 500
"""How often an engine publishes its status."""
EXPIRES_MS: Final = 3_000
"""After this time without a new status an engine counts as gone."""

LEADER: Final = "leader"
STANDBY: Final = "standby"
RECOVERING: Final = "recovering"


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one engine. Positions are journal entry ids, ``1764000000000-0``.

    ``role``: leader, standby, or recovering while it has not reached the journal's end yet. ``epoch`` is that of the
    leader, 0 for the others. ``commands`` counts from the journal's beginning. ``unpublished``: events made and not
    known to be in the event stream. ``chain_breaks``: frames of the journal, since this engine started, that did not
    follow those of the same writer (``goldx.streams.chains``).
    """

    engine: str
    role: str
    epoch: int
    position: str
    sequence: int
    commands: int
    unpublished: int
    snapshot: str | None
    digest: str | None
    durability: str
    chain_breaks: int


_decode = msgspec.json.Decoder(EngineStatus).decode


def own_name() -> str:
    """Return a name for this process, unlike that of any other engine of the shard."""
    return f"{socket.gethostname()}-{os.getpid()}"


async def publish_status(redis: Redis, keys: Keys, status: EngineStatus) -> None:
    """Publish an engine's status; it expires after EXPIRES_MS. Raises redis' errors."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.set(keys.engine(status.engine), msgspec.json.encode(status), px=EXPIRES_MS)
        pipe.sadd(keys.engines, status.engine)
        await pipe.execute()


async def remove_status(redis: Redis, keys: Keys, name: str) -> None:
    """Remove the status of an engine that ends. Raises redis' errors."""
    await redis.delete(keys.engine(name))
    await redis.srem(keys.engines, name)


async def read_statuses(redis: Redis, keys: Keys) -> list[EngineStatus]:
    """Return the status of every running engine, the leader first; names of those gone are removed.

    Raises redis' errors.
    """
    names = sorted(_text(name) for name in await redis.smembers(keys.engines))
    if not names:
        return []
    found = await redis.mget([keys.engine(name) for name in names])
    gone = [name for name, status in zip(names, found, strict=True) if status is None]
    if gone:
        # A server that cannot write now can still be read.
        with contextlib.suppress(ResponseError):
            await redis.srem(keys.engines, *gone)
    running = sorted((_decode(status) for status in found if status is not None), key=lambda status: -status.epoch)
    # A leader of an older epoch was killed, or its next write will be refused.
    return [status for status in running if status.role != LEADER or status.epoch == running[0].epoch]


def _text(name: object) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
