"""How long single pieces of work block the event loop of a gateway, and with it all other work."""

import asyncio
import time
from collections import deque
from typing import Final

CHECK_SECONDS: Final = 0.005
STALL_SECONDS: Final = 0.02
"""The longest time that one request may block the loop."""
REMEMBERED_SECONDS: Final = 60.0


class Stalls:
    """Watches the loop. ``count`` is the number of stalls so far, ``held`` their seconds in total."""

    def __init__(self) -> None:
        self.count = 0
        self.held = 0.0
        self._recent: deque[tuple[float, float]] = deque()
        """Times and lengths, in seconds, of the stalls of the last minute."""

    def longest(self) -> float:
        """Return the seconds of the longest stall of the last minute, 0 if there was none."""
        self._forget()
        return max((seconds for _, seconds in self._recent), default=0.0)

    async def watch(self) -> None:
        """Measure until cancelled by how much the loop is late."""
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
