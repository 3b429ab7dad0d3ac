"""The two streams of a shard, on Redis or Valkey: the command journal and the event stream.

**Journal.** One stream entry is one frame: the commands that one writer had collected, appended in one step. An entry
that the server has acknowledged is the exchange's; the entry ids are the total order, and their millisecond part is the
time of every command in the frame. A writer numbers its frames, so that after a lost connection it can find out whether
a frame of unknown outcome is in the journal instead of sending it again.

**Events.** One stream entry holds the events of one journal frame, command by command. Its explicit id is
``<sequence of its last event>-0``: the server itself refuses to publish an event twice.

Only commands of Redis 7.0 are used. All keys of a shard share one hash tag, so that a cluster keeps them together.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterable
from typing import Any, NamedTuple, TypeAlias

import msgspec
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeoutError

from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import AnyEvent
from goldx.streams.connection import RedisConnection
from goldx.streams.replicas import NotReplicated, Replicas
from goldx.streams.sentinel import SCHEME, SentinelPool

FIELD = b"f"
"""The one field of every stream entry: a MessagePack frame."""

_ENTRY_ID = re.compile(rb"(\d+)-(\d+)")


class Position(NamedTuple):
    """A journal entry id: milliseconds since the epoch, and a counter within the millisecond."""

    ms: int
    counter: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.counter}"


BEGINNING = Position(0, 0)


class Keys:
    """The names of a shard's keys."""

    def __init__(self, shard: str = "0") -> None:
        tag = f"goldx:{{{shard}}}"
        self.shard = shard
        self.journal = f"{tag}:journal"
        self.events = f"{tag}:events"
        self.leader = f"{tag}:leader"
        self.epoch = f"{tag}:epoch"
        self.mark = f"{tag}:mark"
        """Written to find out what the replicas have (``goldx.streams.replicas``)."""
        self.snapshots = f"{tag}:snapshots"
        self.digests = f"{tag}:digests"
        """Hash: journal position -> ``<sequence> <SHA-256 of the state>`` of the core there, as it was published."""
        self.hand_over = f"{tag}:hand_over"
        """The epoch whose leader is asked to hand over; expires."""
        self.engines = f"{tag}:engines"
        """Set: names of engines that were heard of; each one's status is under ``engine(name)`` while it lives."""
        self.runs = f"{tag}:runs"
        """Hash: writer (a gateway's id, ``settlement``) -> the number of its newest run."""
        self.posted = f"{tag}:posted"
        """The sequence up to which settlement has posted: events after it must not be trimmed."""

    def engine(self, name: str) -> str:
        """Status of an engine; expires."""
        return f"{self.engines}:{name}"

    def sessions(self, gateway: str) -> str:
        """Hash of a gateway's live sessions: session -> member; what a restarted gateway closes first."""
        return f"{self.runs}:{gateway}:sessions"


class CommandFrame(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What one writer appends in one step.

    ``writer`` names a service instance and its epoch, which is the number of its run (``gateway-1.17``); ``number``
    counts the run's frames from 1; ``previous`` is the hash of the run's newest frame that the writer knew to be in
    the journal, empty if there was none (``goldx.streams.chains``).
    """

    writer: str
    number: int
    commands: tuple[AnyCommand, ...]
    previous: bytes = b""


class RawCommandFrame(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The same bytes with the commands as plain tuples, as the matching core takes them."""

    writer: str
    number: int
    commands: tuple[tuple[Any, ...], ...]
    previous: bytes = b""


class EventFrame(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The events of one journal frame, whose entry id is ``position``: ``outcomes[i]`` belong to its i-th command.

    ``epoch`` is that of the leader that published it, ``previous`` the hash of the event frame before it.
    """

    position: tuple[int, int]
    outcomes: tuple[tuple[AnyEvent, ...], ...]
    epoch: int = 0
    previous: bytes = b""


JournalEntry: TypeAlias = tuple[Position, CommandFrame]

encode = msgspec.msgpack.Encoder().encode
decode_commands = msgspec.msgpack.Decoder(CommandFrame).decode
decode_raw_commands = msgspec.msgpack.Decoder(RawCommandFrame).decode
decode_events = msgspec.msgpack.Decoder(EventFrame).decode


def connect(url: str, *, timeout: float | None = 5.0, single_connection: bool = False) -> Redis:
    """A client that never repeats a command by itself (a repeated append would be a second order).

    ``timeout`` in seconds bounds every answer; blocking readers pass None. ``url`` is ``redis://``, ``rediss://``,
    ``unix://`` or ``redis+sentinel://`` (``goldx.streams.sentinel``). ``single_connection``: all commands go one
    after the other over one connection.
    """
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout,
        "socket_connect_timeout": 5.0,
        "health_check_interval": 0,
        "legacy_responses": False,
        "decode_responses": False,
    }
    pool: ConnectionPool
    if url.startswith(SCHEME):
        pool = SentinelPool(url, _Cancellable, options)
    else:
        pool = ConnectionPool.from_url(url, **options)
        pool.connection_class = type("Connection", (_Cancellable, pool.connection_class), {})
    client = Redis(connection_pool=pool, single_connection_client=single_connection)
    client.auto_close_connection_pool = True
    return client


class _Cancellable(AbstractConnection):
    """A connection whose sending can be cancelled.

    redis-py sends with ``asyncio.wait_for``, which in Python 3.11 swallows a cancellation that comes when the sending
    is just done: a task would then go on for ever though it was cancelled. And a connection that it finds broken in
    sending it makes again to the same server, without asking the Sentinels whether that is still the primary.
    """

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        limit, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(limit):
                if not self.is_connected:
                    connecting: Awaitable[None] = self.connect()  # type: ignore[no-untyped-call]
                    await connecting
                await super().send_packed_command(command, check_health)
        except TimeoutError:
            raise RedisTimeoutError("Timeout writing to socket") from None
        finally:
            self.socket_timeout = limit


def parse_entry_id(entry_id: Any) -> Position:
    """``b"1700000000000-3"`` -> Position. Raises ValueError."""
    match = _ENTRY_ID.fullmatch(entry_id)
    if match is None:
        raise ValueError(f"not a stream entry id: {entry_id!r}")
    return Position(int(match[1]), int(match[2]))


class Journal:
    """The command journal of a shard. With ``replicas``, an entry is there when so many of them have it on disk.

    With ``line``, ``append``, ``wait`` and ``end`` go over that connection.
    """

    def __init__(self, redis: Redis, keys: Keys, replicas: int = 0, line: RedisConnection | None = None) -> None:
        self._redis = redis
        self._direct: Redis | RedisConnection = redis if line is None else line
        self._key = keys.journal
        self._replicas = Replicas(keys.mark, replicas)

    async def append(self, frame: CommandFrame) -> Position:
        """Appends one frame; when this returns, the frame is durable under the server's fsync policy.

        Raises redis' errors; a lost connection or a timeout leaves the outcome unknown: see ``find``.
        """
        return await self.append_raw(encode(frame))

    async def append_raw(self, data: bytes) -> Position:
        """Like ``append``, of an encoded frame."""
        position = parse_entry_id(await self._direct.xadd(self._key, {FIELD: data}))
        await self._confirm([(position, data)])
        return position

    async def end(self) -> Position:
        """The id of the newest entry, or BEGINNING."""
        found = await self._direct.xrevrange(self._key, count=1)
        return parse_entry_id(found[0][0]) if found else BEGINNING

    async def read(self, after: Position, count: int = 1_000) -> list[tuple[Position, bytes]]:
        """The next frames after a position, still encoded (decode_commands or decode_raw_commands)."""
        entries = as_entries(await self._redis.xrange(self._key, min=f"({after}", count=count))
        await self._confirm(entries)
        return entries

    async def wait(self, after: Position, count: int = 1_000, block_ms: int = 1_000) -> list[tuple[Position, bytes]]:
        """Like ``read``, but waits up to ``block_ms`` for the first one. Needs a connection without timeout."""
        entries = await _wait(self._direct, self._key, str(after), count, block_ms)
        await self._confirm(entries)
        return entries

    async def _confirm(self, entries: list[tuple[Position, bytes]]) -> None:
        """Raises NotReplicated for entries that the next failover might take away, or the last has taken."""
        if not self._replicas.count or not entries:
            return
        await confirm_entry(self._redis, self._replicas, self._key, entries[-1])

    async def find(self, writer: str, number: int, after: Position) -> Position | None:
        """Where a writer's frame stands in the journal after a position, or None: it never arrived."""
        while entries := await self.read(after):
            for position, data in entries:
                frame = decode_raw_commands(data)
                if frame.writer == writer and frame.number == number:
                    return position
            after = entries[-1][0]
        return None


async def begin_run(redis: Redis, keys: Keys, instance: str, replicas: int = 0) -> int:
    """The number of a new run of a service instance, which no run had before. Raises redis' errors."""
    run = int(await redis.hincrby(keys.runs, instance, 1))
    shown = await Replicas(keys.mark, replicas).confirm(redis, lambda pipe: pipe.hget(keys.runs, instance))
    if int(shown or 0) != run:
        raise NotReplicated(f"run {run} of {instance} was begun on a server that is not the primary any more")
    return run


class EventStream:
    """The event stream of a shard, for its readers. With ``line``, ``wait`` goes over that connection."""

    def __init__(self, redis: Redis, keys: Keys, line: RedisConnection | None = None) -> None:
        self._redis = redis
        self._direct: Redis | RedisConnection = redis if line is None else line
        self._key = keys.events

    async def last_sequence(self) -> int:
        """The sequence of the newest published event, 0 if there is none."""
        found = await self._redis.xrevrange(self._key, count=1)
        return parse_entry_id(found[0][0]).ms if found else 0

    async def newest(self) -> tuple[int, bytes] | None:
        """The sequence of the newest published event and the encoded frame that it ends, or None."""
        found = as_entries(await self._redis.xrevrange(self._key, count=1))
        return (found[0][0].ms, found[0][1]) if found else None

    async def read(self, after: int, count: int = 1_000) -> list[EventFrame]:
        """The next frames whose last event comes after sequence ``after``."""
        return [decode_events(data) for _, data in await self.read_raw(after, count)]

    async def read_raw(self, after: int, count: int = 1_000) -> list[tuple[Position, bytes]]:
        """Like ``read``, as (entry id, bytes)."""
        return as_entries(await self._redis.xrange(self._key, min=f"{after + 1}-0", count=count))

    async def wait(self, after: int, count: int = 1_000, block_ms: int = 1_000) -> list[EventFrame]:
        """Like ``read``, but waits up to ``block_ms`` for the first one. Needs a connection without timeout."""
        found = await _wait(self._direct, self._key, f"{after}-0", count, block_ms)
        return [decode_events(data) for _, data in found]


async def confirm_entry(redis: Redis, replicas: Replicas, key: str, entry: tuple[Position, bytes]) -> None:
    """Waits until the replicas have a stream up to an entry that was written to it or read from it.

    Raises NotReplicated, also when the entry was on a server that is not the primary any more.
    """
    position = str(entry[0])
    shown = await replicas.confirm(redis, lambda pipe: pipe.xrange(key, min=position, max=position))
    if as_entries(shown) != [entry]:
        raise NotReplicated(f"{key} {position} was on a server that is not the primary any more")


def as_entries(found: Any) -> list[tuple[Position, bytes]]:
    """What XRANGE answers, as (entry id, bytes of the frame)."""
    return [(parse_entry_id(entry_id), fields[FIELD]) for entry_id, fields in found]


async def _wait(
    redis: Redis | RedisConnection, key: str, after: str, count: int, block_ms: int
) -> list[tuple[Position, bytes]]:
    answer: Any = await redis.xread({key: after}, count=count, block=block_ms)
    if not answer:
        return []
    return as_entries(next(iter(answer.values())))
