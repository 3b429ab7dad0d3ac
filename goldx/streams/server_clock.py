"""The clock of the journal's server, which dates every command, compared with the clock of the machine that writes.

An entry of the journal has the time at which its server appends it, and never an earlier time than the entry before. So
a server whose clock is set back stops the exchange's time, and one whose clock is set forward expires GTD orders too
early, which cannot be undone. Neither shows by itself. Therefore every writer sends its own time with each frame, and
the server appends nothing while its clock, or its newest entry, differs from that time by more than a limit. People
must find out which clock is wrong; until then nothing gets a wrong date.
"""

import time
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.connection import RedisConnection, Script
from goldx.streams.entries import Position

# ARGV: the frame; the writer's time in ms; the limit in ms. An id of the server's millisecond can only be refused where
# the newest entry is ahead of it; the plain append then gives the next id of that entry's millisecond.
CHECKED_APPEND: Final = """
local now = redis.call('TIME')
local ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local sent, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local offset = ms - sent
if offset > limit or offset < -limit then return redis.error_reply(string.format('CLOCK %.0f server', offset)) end
local added = redis.pcall('XADD', KEYS[1], string.format('%.0f-*', ms), 'f', ARGV[1])
if type(added) ~= 'table' or not string.find(added.err, 'equal or smaller', 1, true) then return added end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local ahead = newest and tonumber(string.match(newest[1], '^%d+')) - sent or 0
if ahead > limit then return redis.error_reply(string.format('CLOCK %.0f journal', ahead)) end
return redis.call('XADD', KEYS[1], '*', 'f', ARGV[1])
"""


class WrongClock(ResponseError):
    """Raised when an append was refused because its date would be wrong. A later append may succeed.

    ``text`` is the reason for people; the error's own text begins with the code, as the server's errors do.
    """

    def __init__(self, offset_ms: int, what: str, limit_ms: int) -> None:
        seconds, side = abs(offset_ms) / 1_000, "ahead of" if offset_ms > 0 else "behind"
        whose = "the newest entry of the journal" if what == "journal" else "the clock of the journal's server"
        self.text = (
            f"{whose} is {seconds:.1f} s {side} this machine's clock, and at most {limit_ms / 1_000:.1f} s are allowed "
            "(clock_offset_limit_ms): commands sent now would get a wrong date"
        )
        super().__init__(f"CLOCK {self.text}")
        self.offset_ms = offset_ms


class ServerClock:
    """Compares the server's clock with this machine's. ``limit_ms`` 0 allows every difference.

    ``now`` returns this machine's time in seconds since the epoch. ``offset_ms`` is by how much the server's clock was
    ahead at the last measurement, None before the first. ``trouble`` says why nothing may be appended, or is None.
    """

    def __init__(self, limit_ms: int, now: Callable[[], float] = time.time) -> None:
        self.limit_ms = limit_ms
        self.offset_ms: int | None = None
        self.trouble: str | None = None
        self._now = now

    def now_ms(self) -> int:
        """Return this machine's time in ms since the epoch."""
        return int(self._now() * 1_000)

    async def measure(self, redis: Redis, newest: Position) -> None:
        """Ask the server for its time. ``newest`` is the newest known entry of the journal. Raises redis' errors."""
        before = self._now()
        seconds, microseconds = await redis.time()
        middle = (before + self._now()) / 2
        self.offset_ms = round((seconds + microseconds / 1e6 - middle) * 1_000)
        self.trouble = None
        ahead = newest.ms - self.now_ms()
        if self.limit_ms and abs(self.offset_ms) > self.limit_ms:
            self.trouble = WrongClock(self.offset_ms, "server", self.limit_ms).text
        elif self.limit_ms and ahead > self.limit_ms:
            self.trouble = WrongClock(ahead, "journal", self.limit_ms).text

    def explain(self, error: ResponseError) -> ResponseError:
        """Return WrongClock if the server refused an append for its clock, otherwise the error itself."""
        words = str(error).split()
        if len(words) != 3 or words[0] != "CLOCK":
            return error
        return WrongClock(int(words[1]), words[2], self.limit_ms)


class CheckedAppend:
    """Appends frames to a journal whose server's clock is checked in the same step."""

    def __init__(self, clock: ServerClock, redis: Redis, connection: RedisConnection | None) -> None:
        self._clock = clock
        self._redis = redis
        self._script = None if connection is None else Script(connection, CHECKED_APPEND)

    async def __call__(self, key: str, data: bytes) -> bytes:
        """Append one entry and return its id. Raises WrongClock: then it was not appended."""
        args = (data, self._clock.now_ms(), self._clock.limit_ms)
        try:
            if self._script is not None:
                added: bytes = await self._script([key], args)
            else:
                added = await self._redis.eval(CHECKED_APPEND, 1, key, *args)
        except ResponseError as error:
            raise self._clock.explain(error) from error
        return added
