"""What keeps a gateway from taking more than it can pass on: how much waits, how long, how fast it goes, and the disk.

Looked at four times a second, so that taking a command costs a comparison. Time is counted in these looks: a gateway
that was itself stopped for a while does not take the others for slow.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.edge.rpc import Refusal

log = structlog.get_logger()

MAX_WAITING: Final = 20_000
"""Commands of a gateway that are not answered yet. None is larger than some kilobytes, whoever sends it."""
LOOK_SECONDS: Final = 0.25
STALE_LOOKS: Final = 20
"""When a command has waited through so many, journal or engine does not answer, and no more are taken."""
SHORTEST_RETRY_MS, LONGEST_RETRY_MS = 50, 5_000
TROUBLE_RETRY_MS: Final = 1_000
"""For what does not pass by answering what waits: a full disk, a journal or an engine that is away."""
MEGABYTE: Final = 1 << 20


class Pressure:
    """``waiting`` commands are not answered yet. ``oldest`` tells since which look the oldest of them waits."""

    def __init__(self, oldest: Callable[[], int | None], reserve_mb: int) -> None:
        self.waiting = 0
        self.looks = 0
        self.hindrance: str | None = None
        """Why nothing is taken now, None when commands are."""
        self.full: str | None = None
        """Why nothing is taken that would make the journal grow, cancels excepted; None when there is room."""
        self._oldest = oldest
        self._reserve = reserve_mb * MEGABYTE
        self._folder: Path | None = None
        self._answered = 0
        self._per_second = 0.0

    async def find_disk(self, redis: Redis, redis_url: str) -> None:
        """Learns where the server's files are, if it is on this machine and tells. Raises redis' errors."""
        if redis_url.startswith("unix://"):
            try:
                found = await redis.config_get("dir")
            except RedisError:
                return
            for name in found.values():
                self._folder = Path(os.fsdecode(name or ""))

    def answered(self, count: int) -> None:
        """So many commands wait no longer."""
        self.waiting -= count
        self._answered += count

    async def watch(self) -> None:
        """Looks, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    @property
    def refusing(self) -> str | None:
        """Why new orders are not taken now, None when they are."""
        return self.crowded or self.hindrance or self.full

    def look(self) -> None:
        before = self.refusing
        self._look()
        now = self.refusing
        if now is not None and before is None:
            log.warning("orders are refused", reason=now)
        elif now is None and before is not None:
            log.info("orders are taken again")

    def _look(self) -> None:
        self.looks += 1
        self._per_second += (self._answered / LOOK_SECONDS - self._per_second) / 4
        self._answered = 0
        oldest = self._oldest()
        stale = oldest is not None and self.looks - oldest > STALE_LOOKS
        self.hindrance = "the exchange does not keep up" if stale else None
        free = self._free()
        self.full = None
        if free is not None and free < self._reserve:
            left, needed = free // MEGABYTE, self._reserve // MEGABYTE
            self.full = f"the journal's disk is nearly full ({left} MB left, {needed} MB are kept free)"

    def unreachable(self) -> str:
        """What to say of a journal that cannot be reached."""
        self.look()
        return f"the journal is not reachable: {self.full}" if self.full else "the journal is not reachable"

    @property
    def crowded(self) -> str | None:
        """Why nothing more can wait, None when it can."""
        if self.waiting < MAX_WAITING:
            return None
        return f"{self.waiting} commands of this gateway wait for their answers already"

    def refusal(self, why: str) -> Refusal:
        """UNAVAILABLE, with the time after which another attempt makes sense.

        Too much waits: the time in which that should have been answered. Anything else lasts.
        """
        wait_ms = TROUBLE_RETRY_MS
        if why == self.crowded and self._per_second >= 1:
            wait_ms = min(LONGEST_RETRY_MS, max(SHORTEST_RETRY_MS, int(self.waiting / self._per_second * 1_000)))
        return Refusal("UNAVAILABLE", f"{why}; nothing was placed", retry_after_ms=wait_ms)

    def _free(self) -> int | None:
        """Bytes that the server may still write; None where that is not known."""
        if self._folder is None:
            return None
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize
