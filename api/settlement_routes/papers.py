"""Papers written as files outside the event loop, one at a time, so that other requests go on meanwhile.

A PDF takes up to a second of computing. A bulletin never changes, so what was written of it is kept for a while.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

from fastapi import HTTPException

MOST_WAITING: Final = 4
"""Requests whose paper is being written, or that wait for their turn; each holds a connection to the database."""
KEPT_BYTES: Final = 32 << 20
"""Bytes of files that are kept."""

_WRITER: Final = ThreadPoolExecutor(1, "paper")


class Papers:
    """Writes papers in turn, and keeps those with a ``key``. One for each process."""

    def __init__(self, most_waiting: int = MOST_WAITING, kept_bytes: int = KEPT_BYTES) -> None:
        self._most_waiting = most_waiting
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0
        self._waiting = 0

    async def written(self, write: Callable[[], bytes], key: Hashable = None) -> bytes:
        """Return what ``write`` returns, or what it has returned for the same ``key``.

        Raises HTTPException (503) while too many wait.
        """
        if key is not None and key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if self._waiting >= self._most_waiting:
            text = "too many papers are being written at the same time"
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, text, {"Retry-After": "1"})
        self._waiting += 1
        try:
            found = await asyncio.get_running_loop().run_in_executor(_WRITER, write)
        finally:
            self._waiting -= 1
        if key is not None:
            self._keep(key, found)
        return found

    def _keep(self, key: Hashable, found: bytes) -> None:
        self._size += len(found) - len(self._kept.pop(key, b""))
        self._kept[key] = found
        while self._size > self._kept_bytes:
            self._size -= len(self._kept.popitem(last=False)[1])


PAPERS: Final = Papers()
