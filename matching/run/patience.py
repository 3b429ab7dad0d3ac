"""Waiting out what passes by itself: a server that is away, starts, is full, or fails over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from goldx.streams.outages import redis_passes

log = structlog.get_logger()

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds between attempts; doubled each time."""


async def patiently(what: str, action: Callable[[], Awaitable[T]]) -> T:
    """Does ``action`` again and again until it comes to an end; ``what`` names it in the log.

    Only for what may happen twice, or checks on the server that it does not. Raises what does not pass by waiting.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return await action()
        except Exception as error:
            if not redis_passes(error):
                raise
            log.warning("the server is away; waiting", doing=what, error=str(error), next_attempt_seconds=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
