"""The longest processor time of one turn of the event loop."""

import asyncio
import gc
import time
from collections.abc import Coroutine
from typing import Any


async def longest_turn(work: Coroutine[Any, Any, None]) -> float:
    """Return the longest processor time of this thread between two turns of the loop, while ``work`` is under way.

    Other threads and other processes do not count.
    """
    longest, working = 0.0, asyncio.ensure_future(work)
    gc.collect()
    gc.disable()
    try:
        while not working.done():
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)
    finally:
        gc.enable()
    await working
    return longest
