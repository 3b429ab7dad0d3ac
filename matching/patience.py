"""Waiting out what passes by itself: a server that is away, starts, is full, or fails over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

log = structlog.get_logger()

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds between attempts; doubled each time."""

_PASSING = ("LOADING", "MISCONF", "OOM", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "BUSY")
"""How refusals begin that a server gives while it may not write just now: nothing was written."""


def passes(error: Exception) -> bool:
    """Whether an error of the server or of the connection to it may pass by itself."""
    if isinstance(error, ResponseError):
        return str(error).startswith(_PASSING)
    lost = isinstance(error, RedisConnectionError | RedisTimeoutError | OSError)
    return lost and not isinstance(error, AuthenticationError)


async def patiently(what: str, action: Callable[[], Awaitable[T]]) -> T:
    """Does ``action`` again and again until it comes to an end; ``what`` names it in the log.

    Only for what may happen twice, or checks on the server that it does not. Raises what does not pass by waiting.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return await action()
        except Exception as error:
            if not passes(error):
                raise
            log.warning("the server is away; waiting", doing=what, error=str(error), next_attempt_seconds=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
