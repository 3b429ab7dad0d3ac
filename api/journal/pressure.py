"""Back-pressure: the conditions under which a gateway takes no commands, so that unanswered ones do not pile up.

The number and age of unanswered commands, their rate, and the journal's free disk are checked four times a second, so
that taking a command costs a comparison. Age is counted in checks, not in seconds: a gateway that was itself stopped
for a while must not conclude that the exchange was slow.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.edge.outcome import Refusal

log = structlog.get_logger()

MAX_WAITING: Final = 20_000
"""The largest number of unanswered commands of a gateway. No command is larger than some kilobytes."""
CHECK_SECONDS: Final = 0.25
STALE_CHECKS: Final = 20
"""A command that is unanswered for more checks than this shows that the journal or the engine does not answer."""
SHORTEST_RETRY_MS, LONGEST_RETRY_MS = 50, 5_000
TROUBLE_RETRY_MS: Final = 1_000
"""The retry time where answering the waiting commands does not help: a full disk, an unreachable journal or engine."""
MEGABYTE: Final = 1 << 20

CANCEL_PLACES: Final = 2_000
"""Places for cancels when orders have taken all others, and as many more for the venue when cancels have."""


class Share:
    """The unanswered commands of a session or a member; those of a session count for its member too."""

    __slots__ = ("member", "waiting")

    def __init__(self, member: "Share | None" = None) -> None:
        self.member = member
        self.waiting = 0

    def add(self, count: int) -> None:
        """Count commands as accepted, or as answered if the number is negative."""
        self.waiting += count
        if self.member is not None:
            self.member.waiting += count


class Pressure:
    """The conditions of one gateway. ``oldest`` returns the number of the check at which the oldest command came."""

    def __init__(self, oldest: Callable[[], int | None], reserve_mb: int) -> None:
        self.waiting = 0
        """Commands that are not answered yet."""
        self.checks = 0
        """Checks so far."""
        self.stalled: str | None = None
        """Why no command is taken now, or None: the oldest one has not been answered for too long."""
        self.disk_full: str | None = None
        """Why no command is taken that makes the book grow, or None. Cancels are taken."""
        self._oldest = oldest
        self._reserve = reserve_mb * MEGABYTE
        self._folder: Path | None = None
        self._answered = 0
        self._per_second = 0.0

    async def find_disk(self, redis: Redis, redis_url: str) -> None:
        """Find the folder of the server's files, if the server is on this machine. Raises RedisError."""
        if redis_url.startswith("unix://"):
            try:
                found = await redis.config_get("dir")
            except RedisError:
                return
            for name in found.values():
                self._folder = Path(os.fsdecode(name or ""))

    def answered(self, count: int) -> None:
        """Count commands as answered."""
        self.waiting -= count
        self._answered += count

    async def watch(self) -> None:
        """Check the conditions regularly, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.check()

    @property
    def refusing(self) -> str | None:
        """Why new orders are not taken now, or None."""
        return self.overloaded or self.stalled or self.disk_full

    def check(self) -> None:
        """Check the conditions, and log when orders begin or cease to be refused."""
        before = self.refusing
        self._check()
        now = self.refusing
        if now is not None and before is None:
            log.warning("orders are refused", reason=now)
        elif now is None and before is not None:
            log.info("orders are taken again")

    def _check(self) -> None:
        self.checks += 1
        self._per_second += (self._answered / CHECK_SECONDS - self._per_second) / 4
        self._answered = 0
        oldest = self._oldest()
        stale = oldest is not None and self.checks - oldest > STALE_CHECKS
        self.stalled = "the exchange does not keep up" if stale else None
        free = self._free_bytes()
        self.disk_full = None
        if free is not None and free < self._reserve:
            left, needed = free // MEGABYTE, self._reserve // MEGABYTE
            self.disk_full = f"the journal's disk is nearly full ({left} MB left, {needed} MB are kept free)"

    def unreachable(self) -> str:
        """Return the text of a refusal while the journal cannot be reached."""
        self.check()
        return f"the journal is not reachable: {self.disk_full}" if self.disk_full else "the journal is not reachable"

    def why_full(self, share: "Share | None", spare: int) -> str | None:
        """Return why no command of a share is accepted now, or None.

        A member may have as many unanswered commands as there are free places; so one member takes at most half of
        them, and others always find places. A session may have as many as its member has left. ``spare`` are the places
        beyond those of orders. The venue (None) has no share.
        """
        if self.waiting * 3 < MAX_WAITING:
            return None  # no share can be full
        free = MAX_WAITING + spare - self.waiting
        if free <= 0:
            return self.overloaded
        if share is None or share.member is None:
            return None
        of_member = share.member.waiting
        if of_member >= free:
            return f"{of_member} commands of this member wait for their answers already"
        if share.waiting >= free - of_member:
            return f"{share.waiting} commands of this session wait for their answers already"
        return None

    @property
    def overloaded(self) -> str | None:
        """Why no command is taken now, or None: too many are unanswered."""
        if self.waiting < MAX_WAITING:
            return None
        return f"{self.waiting} commands of this gateway wait for their answers already"

    def refusal(self, why: str, *, loaded: bool = False) -> Refusal:
        """Return a refusal (UNAVAILABLE) with the milliseconds after which to try again.

        If too many commands are unanswered (``loaded``), that is the time in which they should be answered.
        """
        wait_ms = TROUBLE_RETRY_MS
        if (loaded or why == self.overloaded) and self._per_second >= 1:
            wait_ms = min(LONGEST_RETRY_MS, max(SHORTEST_RETRY_MS, int(self.waiting / self._per_second * 1_000)))
        return Refusal("UNAVAILABLE", f"{why}; nothing was placed", retry_after_ms=wait_ms)

    def _free_bytes(self) -> int | None:
        """Return the free bytes of the server's disk, or None if they are not known."""
        if self._folder is None:
            return None
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize
