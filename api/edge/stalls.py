"""How long the event loop of a gateway is held by one piece of work: everybody else waits for so long."""

import asyncio
import time
from collections import deque
from typing import Final

CHECK_SECONDS: Final = 0.005
STALL_SECONDS: Final = 0.02
"""No request may hold the loop longer."""
REMEMBERED_SECONDS: Final = 60.0


class Stalls:
    """Watches the loop. ``count`` is the number of stalls so far, ``held`` the seconds of all of them together."""

    def __init__(self) -> None:
        self.count = 0
        self.held = 0.0
        self._recent: deque[tuple[float, float]] = deque()
        """When the stalls of the last minute were, and their seconds."""

    def longest(self) -> float:
        """Return the seconds of the longest stall of the last minute, 0 if there was none."""
        self._forget()
        return max((seconds for _, seconds in self._recent), default=0.0)

    async def watch(self) -> None:
        """Measure, until cancelled, how late the loop comes back."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(CHECK_SECONDS)
            late = time.monotonic() - before - CHECK_SECONDS
            if late > STALL_SECONDS:
                self.record(late)

    def record(self, seconds: float) -> None:
        """Count a stall that has just ended."""
        self.count += 1
        self.held += seconds
        self._recent.append((time.monotonic(), seconds))
        self._forget()

    def _forget(self) -> None:
        since = time.monotonic() - REMEMBERED_SECONDS
        while self._recent and self._recent[0][0] < since:
            self._recent.popleft()
