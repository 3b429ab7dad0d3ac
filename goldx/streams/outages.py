"""Which errors of Redis pass by waiting: a server that is away, starts, is full, or fails over."""

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

PASSING: Final = frozenset(
    (
        *("LOADING", "MISCONF", "OOM", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "BUSY"),
        "UNBLOCKED",
    )
)
"""First words of refusals that a server gives while it may not write just now, or has ceased to be the primary."""

_OF_A_PIPELINE: Final = re.compile(r"Command # \d+ \(.*\) of pipeline caused error: \(['\"](\S+)", re.DOTALL)
"""What redis-py puts around the server's words when a command of several was refused."""


def redis_passes(error: BaseException) -> bool:
    """Whether an error of the server or of the connection to it may pass by itself."""
    if isinstance(error, ResponseError):
        return code_of(error) in PASSING
    lost = isinstance(error, RedisConnectionError | RedisTimeoutError | OSError)
    return lost and not isinstance(error, AuthenticationError)


def code_of(error: ResponseError) -> str:
    """The first word of what the server said; the client takes it off the text of errors that it has a class for."""
    text = str(error)
    around = _OF_A_PIPELINE.match(text)
    return str(getattr(error, "status_code", None) or (around[1] if around else text.partition(" ")[0]))


async def retry_on_outage(doing: str, action: Callable[[], Awaitable[T]]) -> T:
    """Await ``action()`` until the server lets it succeed, and return its result; ``doing`` names it in the log.

    The action must be safe to repeat, or check on the server that it is not done twice. Raises the errors that do not
    pass by waiting.
    """

    def report(error: Exception, pause: float) -> None:
        log.warning("the server is away; waiting", doing=doing, error=str(error), next_attempt_seconds=pause)

    return await retry(action, redis_passes, growing(FIRST_PAUSE, LONGEST_PAUSE), report)
