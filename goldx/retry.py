"""Repeat what fails for a while: the one helper that waits for a server, a lock or a gateway to be there.

    await retry(connect, is_any_of(OSError), growing(0.1, 5.0), report)

The repeated action must be safe to repeat. Only the standard library is imported here.

Loops that wait are no retries in this sense and stand by themselves. ``goldx.client.errors.when_allowed`` waits for as
long as the gateway names in its refusal. The service of settlement (``settlement.service.process``) goes on with
another step after an outage, with its place read anew, and never ends with a result. What waits until something has
come, such as the events of a command (``goldx.timetable.process``), repeats no failed action; a subscription that
rereads what it has missed (``api.sessions.subscriptions``) pauses alike where nothing has come and where the stream is
away, and ends with its session.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def growing(first: float, longest: float) -> Iterator[float]:
    """Yield pauses in seconds for ever: ``first``, then doubled each time, but never more than ``longest``."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 2, longest)


def is_any_of(*kinds: type[Exception]) -> Callable[[Exception], bool]:
    """Return a predicate that is true for an error of one of these classes."""
    return lambda error: isinstance(error, kinds)


async def retry(
    action: Callable[[], Awaitable[T]],
    passes: Callable[[Exception], bool],
    pauses: Iterator[float],
    report: Callable[[Exception, float], None] | None = None,
    *,
    seconds: float | None = None,
) -> T:
    """Await ``action()`` until it succeeds, and return its result.

    An error for which ``passes`` is true is reported, with the seconds until the next attempt, and waited out for that
    time, which is the next of ``pauses``. Any other error is raised, and so is one that comes more than ``seconds``
    after the first attempt began.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    while True:
        try:
            return await action()
        except Exception as error:
            if not passes(error) or (seconds is not None and clock() - began > seconds):
                raise
            pause = next(pauses)
            if report is not None:
                report(error, pause)
        await asyncio.sleep(pause)
