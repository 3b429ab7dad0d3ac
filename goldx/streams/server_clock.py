"""The clock of the journal's server, which dates every command, compared with the clock of the machine that writes.

An entry of the journal has the time at which its server appends it, and never an earlier time than the entry before. So
a server whose clock is set back stops the exchange's time, and one whose clock is set forward expires GTD orders too
early, which cannot be undone. Neither shows by itself. Therefore every writer sends its own time with each frame, and
the server appends nothing while its clock, or its newest entry, differs from that time by more than a limit. People
must find out which clock is wrong; until then nothing gets a wrong date.
"""

import time
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.entries import Position


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
