"""The status that each engine of a shard publishes, for the standby, the gateways and the operators.

Whether an engine leads, and how far an engine is behind the journal, is decided here for everybody who asks: the
gateways, ``goldx health`` and the metrics.
"""

import contextlib
import os
import socket
from typing import Any, Final, NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.entries import parse_entry_id
from goldx.streams.keys import Keys

EVERY_MS: Final = 500
"""How often an engine publishes its status."""
EXPIRES_MS: Final = 3_000
"""After this time without a new status an engine counts as gone."""
LONGEST_LAG_MS: Final = 5_000
"""An engine that lets an entry of the journal wait longer, or a gateway an event, counts as one that does not work."""

LEADER: Final = "leader"
STANDBY: Final = "standby"
RECOVERING: Final = "recovering"


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one engine. Positions are journal entry ids, ``1764000000000-0``.

    ``role``: leader, standby, or recovering while it has not reached the journal's end yet. ``epoch`` is that of the
    leader, 0 for the others. ``commands`` counts from the journal's beginning. ``unpublished``: events made and not
    known to be in the event stream. ``chain_breaks``: frames of the journal, since this engine started, that did not
    follow those of the same writer (``goldx.streams.chains``). ``unpublished_ms``: for how long events have waited of
    which the server has acknowledged none.
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
    unpublished_ms: int = 0


class Engines(NamedTuple):
    """The engines of a shard that run, the leader first, as the server knew them at ``now_ms``, its own time.

    ``behind_ms`` is, by engine, how old the oldest entry of the journal was that the engine had not applied when it
    published its status: 0 if it had applied all there was. Silence in the market does not count.
    """

    shard: str
    now_ms: int
    statuses: list[EngineStatus]
    behind_ms: dict[str, int]
    lease: int | None
    """The epoch of the lease, None if no engine holds it."""

    @property
    def leader(self) -> EngineStatus | None:
        """The engine that leads: it holds the lease, and its status is not older than EXPIRES_MS."""
        for status in self.statuses:
            if status.role == LEADER and status.epoch == self.lease:
                return status
        return None

    @property
    def standbys(self) -> list[EngineStatus]:
        """The engines that could lead at once: they follow the journal and keep up with it."""
        standing_by = [status for status in self.statuses if status.role == STANDBY]
        return [status for status in standing_by if self.behind_ms[status.engine] <= LONGEST_LAG_MS]

    @property
    def trouble(self) -> str | None:
        """Why nothing that is in the journal is matched and published now, or None."""
        leader = self.leader
        if leader is None:
            return f"no engine leads shard {self.shard}"
        if (behind := self.behind_ms[leader.engine]) > LONGEST_LAG_MS:
            return f"the engine of shard {self.shard} is {behind / 1_000:.1f} s behind the journal"
        if leader.unpublished_ms > LONGEST_LAG_MS:
            seconds = leader.unpublished_ms / 1_000
            return f"{leader.unpublished} events of shard {self.shard} are not published for {seconds:.1f} s"
        return None


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
    return [status for status, _ in (await _read(redis, keys))[2]]


async def read_engines(redis: Redis, keys: Keys) -> Engines:
    """Return the running engines and how far each is behind the journal. Raises redis' errors."""
    now_ms, lease, found = await _read(redis, keys)
    behind_ms: dict[str, int] = {}
    if found:
        async with redis.pipeline(transaction=False) as pipe:
            for status, _ in found:
                pipe.xrange(keys.journal, min=f"({status.position}", count=1)
            next_entries: list[Any] = await pipe.execute()
        for (status, published_ms), entries in zip(found, next_entries, strict=True):
            waits_since = parse_entry_id(entries[0][0]).ms if entries else published_ms
            behind_ms[status.engine] = max(0, published_ms - waits_since)
    return Engines(keys.shard, now_ms, [status for status, _ in found], behind_ms, lease)


async def _read(redis: Redis, keys: Keys) -> tuple[int, int | None, list[tuple[EngineStatus, int]]]:
    """Return the server's time in ms, the epoch of the lease, and each status with the time of its publication."""
    names = sorted(_text(name) for name in await redis.smembers(keys.engines))
    async with redis.pipeline(transaction=True) as pipe:
        pipe.time()
        pipe.get(keys.leader)
        for name in names:
            pipe.get(keys.engine(name))
            pipe.pttl(keys.engine(name))
        answers: list[Any] = await pipe.execute()
    (seconds, microseconds), lease, *texts_and_times = answers
    now_ms = seconds * 1_000 + microseconds // 1_000
    found: list[tuple[EngineStatus, int]] = []
    gone = []
    for name, text, left_ms in zip(names, texts_and_times[::2], texts_and_times[1::2], strict=True):
        if text is None:
            gone.append(name)
        else:
            found.append((_decode(text), now_ms - EXPIRES_MS + left_ms))
    if gone:
        # A server that cannot write now can still be read.
        with contextlib.suppress(ResponseError):
            await redis.srem(keys.engines, *gone)
    found.sort(key=lambda pair: -pair[0].epoch)
    # A leader of an older epoch was killed, or its next write will be refused.
    running = [pair for pair in found if pair[0].role != LEADER or pair[0].epoch == found[0][0].epoch]
    return now_ms, None if lease is None else int(lease), running


def _text(name: object) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
