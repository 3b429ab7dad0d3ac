"""How much work is done in one turn of the event loop."""

import asyncio
import gc
import sys
from collections.abc import Coroutine, Iterable
from itertools import count
from typing import Any


async def longest_turn(work: Coroutine[Any, Any, object]) -> int:
    """Return the largest number of calls of functions that this thread makes in one turn of the loop during ``work``.

    Calls are counted and no time is measured, so that the figure is the same on every machine.
    """
    longest, calls, working = 0, count(), asyncio.ensure_future(work)

    def called(_frame: object, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            next(calls)

    gc.collect()
    gc.disable()
    sys.setprofile(called)
    try:
        before = next(calls)
        while not working.done():
            await asyncio.sleep(0)
            now = next(calls)
            longest, before = max(longest, now - before), now
    finally:
        sys.setprofile(None)
        gc.enable()
    await working
    return longest


def calls_of_steps(steps: Iterable[object]) -> list[int]:
    """Return the number of calls of functions in each step of an iteration."""
    found, calls = [], count()

    def called(_frame: object, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            next(calls)

    before = next(calls)
    sys.setprofile(called)
    try:
        for _ in steps:
            now = next(calls)
            found.append(now - before)
            before = now
    finally:
        sys.setprofile(None)
    return found
