"""The steps of a gateway's start: each is repeated while Redis is away, and some are taken together."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from itertools import repeat
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from goldx.retry import is_any_of, retry

RETRY_SECONDS: Final = 0.3

log = structlog.get_logger()


async def when_redis_answers(step: Callable[[], Awaitable[None]]) -> None:
    """Await a step of the start, and repeat it while Redis is away."""

    def report(error: Exception, _pause: float) -> None:
        log.warning("waiting for Redis", error=str(error))

    await retry(step, is_any_of(RedisError, OSError), repeat(RETRY_SECONDS), report)


async def together(*steps: Coroutine[Any, Any, None]) -> None:
    """Take steps at the same time. The first error ends the others and is raised."""
    tasks = [asyncio.create_task(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
