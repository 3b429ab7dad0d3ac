"""The leader's writer: it publishes events in their order, each once, and appends ticks of the clock and commands.

The server checks every write in the same step in which it makes it: that no newer epoch exists, and that the frames
continue the event stream exactly where it ends. Frames that are there already are left out. So a publication of unknown
outcome is simply sent again, and neither a gap nor a second copy nor anything of a deposed leader can get into the
stream.
"""

import asyncio
import time
from collections import deque

import structlog
from redis.exceptions import ResponseError

from goldx.protocol.commands import AnyCommand, ClockTick
from goldx.streams.chains import NO_FRAME, FrameWriter, event_frame, frame_hash
from goldx.streams.checked_append import CHECKED_APPEND, NO_LIMIT
from goldx.streams.connection import RedisConnection, Script
from goldx.streams.entries import Position
from goldx.streams.keys import Keys
from goldx.streams.outages import retry_on_outage
from goldx.streams.replicas import Replicas, confirm_entry
from goldx.streams.server_clock import ServerClock, WrongClock
from matching.run.fold import EntryEvents
from matching.run.lease import Deposed

log = structlog.get_logger()

BATCH_BYTES = 1 << 20
"""The size from which a publication takes no further frame."""
PENDING_BYTES = 64 << 20
"""How far the core may run ahead of the event stream."""

# ARGV: epoch; the sequence before the first frame; then the last sequence and the bytes of each frame.
_PUBLISH = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return redis.error_reply('FENCED a newer epoch leads') end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and tonumber(string.match(newest[1], '^%d+')) or 0
local reached, i = tonumber(ARGV[2]), 3
while reached < last and i < #ARGV do
  reached = tonumber(ARGV[i])
  i = i + 2
end
if reached ~= last then return redis.error_reply('MISFIT the event stream ends at sequence ' .. last) end
for j = i, #ARGV, 2 do redis.call('XADD', KEYS[1], ARGV[j] .. '-0', 'f', ARGV[j + 1]) end
return last
"""

# ARGV: those of CHECKED_APPEND; then the epoch.
_APPEND = (
    "if redis.call('GET', KEYS[2]) ~= ARGV[4] then return redis.error_reply('FENCED a newer epoch leads') end"
    + CHECKED_APPEND
)


class StreamBroken(RuntimeError):
    """The server's streams are not what it acknowledged before; the message names what is missing."""


class Publisher:
    """The leader's writer of one epoch, over one connection.

    ``confirmed`` is the sequence up to which the server has acknowledged the events, ``previous`` the hash of the
    newest frame; both are given for the frame that the event stream ends with at first.
    """

    def __init__(
        self,
        connection: RedisConnection,
        keys: Keys,
        epoch: int,
        confirmed: int,
        previous: bytes = NO_FRAME,
        replicas: int = 0,
        clock: ServerClock | None = None,
    ) -> None:
        self._redis = connection.redis
        self._replicas = Replicas(keys.mark, replicas)
        self._publish = Script(connection, _PUBLISH)
        self._append = Script(connection, _APPEND)
        self._events = [keys.events, keys.epoch]
        self._journal = [keys.journal, keys.epoch]
        self.epoch = epoch
        self._clock = clock or ServerClock(0)
        self.previous = previous
        self._frames = FrameWriter(f"engine.{epoch}")
        self._appending = asyncio.Lock()
        self._pending: deque[tuple[int, bytes]] = deque()
        """The last sequence and the bytes of each frame that is not acknowledged."""
        self._pending_bytes = 0
        self._waiting_since = 0.0
        """When the oldest of them came, or the server acknowledged some last, by ``time.monotonic``."""
        self._has_pending = asyncio.Event()
        self._progress = asyncio.Event()
        self.confirmed = confirmed

    def put(self, events: EntryEvents) -> None:
        """Add the next frame; it is sent with the next publication."""
        frame = event_frame(events.body, self.epoch, self.previous)
        self.previous = frame_hash(frame)
        if not self._pending:
            self._waiting_since = time.monotonic()
        self._pending.append((events.last, frame))
        self._pending_bytes += len(frame)
        self._has_pending.set()

    @property
    def unpublished_ms(self) -> int:
        """For how long events have waited of which the server has acknowledged none, in ms."""
        return round((time.monotonic() - self._waiting_since) * 1_000) if self._pending else 0

    async def wait_for_room(self) -> None:
        """Wait until at most PENDING_BYTES are not acknowledged."""
        while self._pending_bytes > PENDING_BYTES:
            await self._wait_for_progress()

    async def wait_confirmed(self, sequence: int) -> None:
        """Wait until the server has acknowledged every event up to a sequence."""
        while self.confirmed < sequence:
            await self._wait_for_progress()

    async def _wait_for_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    async def run(self) -> None:
        """Publish until cancelled. Raises Deposed, StreamBroken, and errors that waiting does not mend."""
        while True:
            await self._has_pending.wait()
            await retry_on_outage("publishing events", self._send_batch)

    def _next_batch(self) -> list[tuple[int, bytes]]:
        batch: list[tuple[int, bytes]] = []
        size = 0
        for last, frame in self._pending:
            batch.append((last, frame))
            size += len(frame)
            if size > BATCH_BYTES:
                break
        return batch

    async def _send_batch(self) -> None:
        batch = self._next_batch()
        args: list[int | bytes] = [self.epoch, self.confirmed]
        for pending in batch:
            args += pending
        try:
            await self._publish(self._events, args)
        except ResponseError as error:
            if str(error).startswith("FENCED"):
                raise Deposed(f"the events of epoch {self.epoch} were refused: a newer epoch leads") from error
            if str(error).startswith("MISFIT"):
                raise StreamBroken(
                    f"{str(error)[7:]}, but the server had acknowledged everything up to {self.confirmed}"
                ) from error
            raise
        last, newest_frame = batch[-1]
        await self._confirm(last, newest_frame)
        for _, frame in batch:
            self._pending.popleft()
            self._pending_bytes -= len(frame)
        self.confirmed = last
        self._waiting_since = time.monotonic()
        if not self._pending:
            self._has_pending.clear()
        self._progress.set()

    async def _confirm(self, last: int, frame: bytes) -> None:
        """Wait until the replicas have a frame. Raises NotReplicated; then it stays pending, to be sent again."""
        if not self._replicas.count:
            return
        events, _ = self._events
        await confirm_entry(self._redis, self._replicas, events, (Position(last, 0), frame))

    async def append(self, commands: tuple[AnyCommand, ...]) -> None:
        """Append commands to the journal as one frame, which may have to be repeated after a lost connection.

        Raises Deposed, WrongClock and redis' errors.
        """
        clock = self._clock
        async with self._appending:
            frame = self._frames.make(commands)
            try:
                limit_ms = clock.limit_ms or NO_LIMIT
                await self._append(self._journal, [frame, clock.now_ms(), limit_ms, self.epoch])
            except ResponseError as error:
                if str(error).startswith("FENCED"):
                    raise Deposed(f"an entry of epoch {self.epoch} was refused: a newer epoch leads") from error
                raise clock.explain(error) from error
            self._frames.arrived()

    async def tick(self) -> None:
        """Append ``clock.tick`` to the journal; a tick too many or too few does no harm. Raises Deposed.

        While the clocks of the server and this machine differ too much, no tick is appended: time stands still.
        """
        clock = self._clock
        try:
            await self.append((ClockTick(),))
        except WrongClock as error:
            if clock.trouble is None:
                log.error("the clock of the exchange does not tick: its time would be wrong", reason=error.text)
            clock.trouble = error.text
            return
        if clock.trouble is not None:
            log.info("the clock of the exchange ticks again")
            clock.trouble = None
