"""What the engines of a shard say about themselves, for whoever watches them: standby, gateways, operators."""

import contextlib
import os
import socket
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.redis_streams import Keys

EVERY_MS: Final = 500
"""How often an engine says how it stands."""
LIVES_MS: Final = 3_000
"""An engine that has been silent for so long is not there any more."""

LEADER: Final = "leader"
STANDBY: Final = "standby"
RECOVERING: Final = "recovering"


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one engine stands. Positions are journal entry ids, ``1764000000000-0``.

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
    """A name for this process, unlike that of any other engine of the shard."""
    return f"{socket.gethostname()}-{os.getpid()}"


async def tell(redis: Redis, keys: Keys, status: EngineStatus) -> None:
    """Says how this engine stands, for the next LIVES_MS. Raises redis' errors."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.set(keys.engine(status.engine), msgspec.json.encode(status), px=LIVES_MS)
        pipe.sadd(keys.engines, status.engine)
        await pipe.execute()


async def leave(redis: Redis, keys: Keys, name: str) -> None:
    """This engine is no more. Raises redis' errors."""
    await redis.delete(keys.engine(name))
    await redis.srem(keys.engines, name)


async def engines(redis: Redis, keys: Keys) -> list[EngineStatus]:
    """The engines that live, the leader first; those that do not are forgotten. Raises redis' errors."""
    names = sorted(_text(name) for name in await redis.smembers(keys.engines))
    if not names:
        return []
    found = await redis.mget([keys.engine(name) for name in names])
    gone = [name for name, status in zip(names, found, strict=True) if status is None]
    if gone:
        # A server that may not write can still tell who lives.
        with contextlib.suppress(ResponseError):
            await redis.srem(keys.engines, *gone)
    living = sorted((_decode(status) for status in found if status is not None), key=lambda status: -status.epoch)
    # A leader of an older epoch has ended without a word, or will be refused.
    return [status for status in living if status.role != LEADER or status.epoch == living[0].epoch]


def _text(name: object) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
