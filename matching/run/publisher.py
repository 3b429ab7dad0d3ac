"""What the leader writes: events, in their order, each once, and the ticks of the clock.

The server checks every write in the same step in which it makes it: that no newer epoch exists, and that the frames
continue the event stream exactly where it ends. What has arrived already is left out there. So a publication of
unknown outcome is simply sent again, and no gap, no second copy and no word of a deposed leader can come into
the stream.
"""

import asyncio
from collections import deque

from redis.exceptions import ResponseError

from goldx.protocol.commands import ClockTick
from goldx.streams.chains import NO_FRAME, FrameWriter, event_frame, frame_hash
from goldx.streams.connection import RedisConnection, Script
from goldx.streams.entries import Position
from goldx.streams.keys import Keys
from goldx.streams.outages import retry_on_outage
from goldx.streams.replicas import Replicas, confirm_entry
from matching.run.fold import Produced
from matching.run.lease import Deposed

BATCH_BYTES = 1 << 20
"""How much one publication carries."""
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

_TICK = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return redis.error_reply('FENCED a newer epoch leads') end
return redis.call('XADD', KEYS[1], '*', 'f', ARGV[2])
"""


class StreamBroken(RuntimeError):
    """The server's streams are not what it acknowledged before; the message says what is missing."""


class Publisher:
    """The leader's writer of one epoch. Everything is sent over ``line``.

    ``confirmed`` is the sequence up to which the server has acknowledged, ``previous`` the hash of the newest frame: at
    first of the one that ends there.
    """

    def __init__(
        self,
        line: RedisConnection,
        keys: Keys,
        epoch: int,
        confirmed: int,
        previous: bytes = NO_FRAME,
        replicas: int = 0,
    ) -> None:
        self._redis = line.redis
        self._replicas = Replicas(keys.mark, replicas)
        self._publish = Script(line, _PUBLISH)
        self._tick = Script(line, _TICK)
        self._events = [keys.events, keys.epoch]
        self._journal = [keys.journal, keys.epoch]
        self._epoch = epoch
        self.previous = previous
        self._ticks = FrameWriter(f"engine.{epoch}")
        self._pending: deque[tuple[int, bytes]] = deque()
        """Last sequence and bytes of each frame that is not acknowledged."""
        self._pending_bytes = 0
        self._filled = asyncio.Event()
        self._progress = asyncio.Event()
        self.confirmed = confirmed

    def put(self, produced: Produced) -> None:
        """Hands over the next frame; it is on its way with the next publication."""
        frame = event_frame(produced.body, self._epoch, self.previous)
        self.previous = frame_hash(frame)
        self._pending.append((produced.last, frame))
        self._pending_bytes += len(frame)
        self._filled.set()

    async def room(self) -> None:
        """Waits until the event stream is not too far behind."""
        while self._pending_bytes > PENDING_BYTES:
            await self._progressed()

    async def settled(self, sequence: int) -> None:
        """Waits until the server has acknowledged everything up to a sequence."""
        while self.confirmed < sequence:
            await self._progressed()

    async def _progressed(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    async def run(self) -> None:
        """Publishes for ever. Raises Deposed, StreamBroken, and what the server refuses for good."""
        while True:
            await self._filled.wait()
            await retry_on_outage("publishing events", self._send_batch)

    def _batch(self) -> list[tuple[int, bytes]]:
        batch: list[tuple[int, bytes]] = []
        size = 0
        for pending in self._pending:
            batch.append(pending)
            size += len(pending[1])
            if size > BATCH_BYTES:
                break
        return batch

    async def _send_batch(self) -> None:
        batch = self._batch()
        args: list[int | bytes] = [self._epoch, self.confirmed]
        for pending in batch:
            args += pending
        try:
            await self._publish(self._events, args)
        except ResponseError as error:
            if str(error).startswith("FENCED"):
                raise Deposed(f"the events of epoch {self._epoch} were refused: a newer epoch leads") from error
            if str(error).startswith("MISFIT"):
                raise StreamBroken(
                    f"{str(error)[7:]}, but the server had acknowledged everything up to {self.confirmed}"
                ) from error
            raise
        await self._confirm(*batch[-1])
        for _, frame in batch:
            self._pending.popleft()
            self._pending_bytes -= len(frame)
        self.confirmed = batch[-1][0]
        if not self._pending:
            self._filled.clear()
        self._progress.set()

    async def _confirm(self, last: int, frame: bytes) -> None:
        """What the replicas do not have is kept, to be sent again after a failover. Raises NotReplicated."""
        if not self._replicas.count:
            return
        await confirm_entry(self._redis, self._replicas, self._events[0], (Position(last, 0), frame))

    async def tick(self) -> None:
        """Appends ``clock.tick`` to the journal; one too many or too few is no harm. Raises Deposed."""
        frame = self._ticks.make((ClockTick(),))
        try:
            await self._tick(self._journal, [self._epoch, frame])
        except ResponseError as error:
            if str(error).startswith("FENCED"):
                raise Deposed(f"a tick of epoch {self._epoch} was refused: a newer epoch leads") from error
            raise
        self._ticks.arrived()
