"""Which errors of Redis pass by waiting: a server that is away, starts, is full, or fails over."""

import re
from typing import Final

from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

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
