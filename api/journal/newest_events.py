"""Waiting until the view of a gateway has every event that there is.

A member can know of an order before this gateway does, through another gateway that is ahead. So before a gateway
answers that there is no such order, it reads the end of the event stream and waits until its view has reached it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from api.edge.outcome import Refusal
from api.view.view import View

WAIT_SECONDS: Final = 5.0
CHECK_SECONDS: Final = 0.002
MAX_WAITING: Final = 10_000
RETRY_MS: Final = 1_000

log = structlog.get_logger()

Then = Callable[[bool], None]
"""A function that gets whether the view is known to have every event."""


class NewestEvents:
    """Calls functions once the view has all events that existed when they were handed over.

    ``newest`` reads the sequence of the newest event, once for all waiting functions. ``spawn`` runs a coroutine.
    """

    def __init__(
        self,
        view: View,
        newest: Callable[[], Awaitable[int]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._view = view
        self._newest = newest
        self._spawn = spawn
        self._waiting: list[Then] = []
        self._running = False

    def wait(self, then: Then) -> None:
        """Call ``then`` in one of the next turns of the loop. Raises Refusal (UNAVAILABLE) if too many wait."""
        if len(self._waiting) >= MAX_WAITING:
            raise Refusal("UNAVAILABLE", f"{MAX_WAITING} requests already wait for events", retry_after_ms=RETRY_MS)
        self._waiting.append(then)
        if not self._running:
            self._running = True
            self._spawn(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                current = await self._is_current()
                for then in taken:
                    then(current)
        finally:
            self._running = False

    async def _is_current(self) -> bool:
        """Wait until the view has all present events; return whether that was possible in time."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                newest = await self._newest()
                while self._view.sequence < newest:
                    await asyncio.sleep(CHECK_SECONDS)
        except (RedisError, OSError) as error:
            log.warning("the event stream is not reachable", error=str(error))
            return False
        return True
