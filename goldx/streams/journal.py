"""The command journal of a shard, a stream on Redis or Valkey.

One entry is one frame: the commands that one writer has collected, appended in one step. An entry that the server has
acknowledged is the exchange's; the entry ids are the total order, and their millisecond part is the time of every
command in the frame. A writer numbers its frames, so that after a lost connection it can find out whether a frame of
unknown outcome is in the journal instead of sending it again.

Only commands of Redis 7.0 are used.
"""

from redis.asyncio import Redis

from goldx.streams.checked_append import CheckedAppend, Fence
from goldx.streams.connection import RedisConnection
from goldx.streams.entries import BEGINNING, FIELD, Position, as_entries, parse_entry_id, wait_for_entries
from goldx.streams.frames import CommandFrame, decode_raw_commands, encode
from goldx.streams.keys import Keys
from goldx.streams.replicas import NotReplicated, Replicas, confirm_entry
from goldx.streams.server_clock import ServerClock


class Journal:
    """The journal, for its writers and readers.

    An entry counts as appended only when ``replicas`` replicas have it on their disks. With ``connection``, the methods
    ``append``, ``wait`` and ``end`` use that connection; the others use ``redis``. With ``clock``, nothing is appended
    while the server's clock is too far away from this machine's; with ``fence``, nothing once the writer is fenced off.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        replicas: int = 0,
        connection: RedisConnection | None = None,
        clock: ServerClock | None = None,
        fence: Fence | None = None,
    ) -> None:
        self._redis = redis
        self._fast: Redis | RedisConnection = redis if connection is None else connection
        self._key = keys.journal
        self._replicas = Replicas(keys.mark, replicas)
        clock = clock or ServerClock(0)
        self._checked = CheckedAppend(clock, redis, connection, fence) if clock.limit_ms or fence else None

    async def append(self, frame: CommandFrame) -> Position:
        """Append one frame and return its id; the frame is then durable under the server's fsync policy.

        Raises redis' errors; after a lost connection or a timeout the outcome is unknown: see ``find``. Raises
        WrongClock where the clock is checked, and Fenced where there is a fence.
        """
        return await self.append_raw(encode(frame))

    async def append_raw(self, data: bytes) -> Position:
        """Append an encoded frame, as ``append`` does."""
        if self._checked is None:
            position = parse_entry_id(await self._fast.xadd(self._key, {FIELD: data}))
        else:
            position = parse_entry_id(await self._checked(self._key, data))
        await self._confirm([(position, data)])
        return position

    async def end(self) -> Position:
        """Return the id of the newest entry, or BEGINNING."""
        found = await self._fast.xrevrange(self._key, count=1)
        return parse_entry_id(found[0][0]) if found else BEGINNING

    async def read(self, after: Position, count: int = 1_000) -> list[tuple[Position, bytes]]:
        """Return the next frames after a position, still encoded (see decode_commands, decode_raw_commands)."""
        entries = as_entries(await self._redis.xrange(self._key, min=f"({after}", count=count))
        await self._confirm(entries)
        return entries

    async def wait(self, after: Position, count: int = 1_000, block_ms: int = 1_000) -> list[tuple[Position, bytes]]:
        """Read, but wait up to ``block_ms`` milliseconds for the first frame. The timeout must be longer than that."""
        entries = await wait_for_entries(self._fast, self._key, str(after), count, block_ms)
        await self._confirm(entries)
        return entries

    async def _confirm(self, entries: list[tuple[Position, bytes]]) -> None:
        """Raise NotReplicated if the next failover might take entries away, or the last one has."""
        if not self._replicas.count or not entries:
            return
        await confirm_entry(self._redis, self._replicas, self._key, entries[-1])

    async def find(self, writer: str, number: int, after: Position) -> Position | None:
        """Return the position after ``after`` of a writer's frame, or None if it is not in the journal."""
        while entries := await self.read(after):
            for position, data in entries:
                frame = decode_raw_commands(data)
                if frame.writer == writer and frame.number == number:
                    return position
            after = entries[-1][0]
        return None


async def begin_run(redis: Redis, keys: Keys, instance: str, replicas: int = 0) -> int:
    """Return the number of a new run of a service instance, which no run had before. Raises redis' errors."""
    run = int(await redis.hincrby(keys.runs, instance, 1))
    shown = await Replicas(keys.mark, replicas).confirm(redis, lambda pipe: pipe.hget(keys.runs, instance))
    if int(shown or 0) != run:
        raise NotReplicated(f"run {run} of {instance} was begun on a server that is not the primary any more")
    return run
