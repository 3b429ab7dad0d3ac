"""Outages of Redis: which errors pass by waiting (a server that is away, starts, is full, or fails over)."""

import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from goldx.retry import growing, retry

log = structlog.get_logger()

T = TypeVar("T")

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 1.0
"""Seconds between two attempts of ``retry_on_outage``."""

PASSING_CODES: Final = frozenset(
    (
        "LOADING",
        "MISCONF",
        "OOM",
        "READONLY",
        "CLUSTERDOWN",
        "MASTERDOWN",
        "NOREPLICAS",
        "TRYAGAIN",
        "BUSY",
        "UNBLOCKED",
        "CLOCK",
    )
)
"""First words of errors that a server gives while it cannot write just now, or has ceased to be the primary."""

_PIPELINE_ERROR: Final = re.compile(r"Command # \d+ \(.*\) of pipeline caused error: \(['\"](\S+)", re.DOTALL)
"""How redis-py wraps the server's error when one command of a pipeline was refused."""


def redis_passes(error: BaseException) -> bool:
    """Return whether an error of the server or of the connection to it may pass by itself."""
    if isinstance(error, ResponseError):
        return error_code(error) in PASSING_CODES
    lost = isinstance(error, RedisConnectionError | RedisTimeoutError | OSError)
    return lost and not isinstance(error, AuthenticationError)


def error_code(error: ResponseError) -> str:
    """Return the first word of the server's error; redis-py removes it from errors that have a class of their own."""
    text = str(error)
    wrapped = _PIPELINE_ERROR.match(text)
    return str(getattr(error, "status_code", None) or (wrapped[1] if wrapped else text.partition(" ")[0]))


async def retry_on_outage(doing: str, action: Callable[[], Awaitable[T]]) -> T:
    """Await ``action()`` until the server lets it succeed, and return its result; ``doing`` names it in the log.

    The action must be safe to repeat, or check on the server that it is not done twice. Raises the errors that do not
    pass by waiting.
    """

    def report(error: Exception, pause: float) -> None:
        log.warning("the server is away; waiting", doing=doing, error=str(error), next_attempt_seconds=pause)

    return await retry(action, redis_passes, growing(FIRST_PAUSE, LONGEST_PAUSE), report)
