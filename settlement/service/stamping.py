"""The service's part in time stamps: it asks for one for each archived day, beside its other work."""

import asyncio
from contextlib import suppress
from typing import Final

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.closing import time_stamps
from settlement.closing.time_stamps import Authority, BadStamp

EVERY_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 60.0
"""Seconds until a service is asked again that has not given a time stamp."""

log = structlog.get_logger()


class Stamping:
    """Has the records of archived days stamped by a service, one after the other. ``authority`` None: by none."""

    def __init__(self, engine: AsyncEngine, authority: Authority | None) -> None:
        self._engine = engine
        self._authority = authority
        self._due = 0.0
        self._asking: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        """Return the task that asks the service, if one does."""
        return [] if self._asking is None else [self._asking]

    async def tend(self) -> None:
        """Begin to ask for what is missing, unless that is under way. Raises SQLAlchemyError."""
        if self._authority is None:
            return
        if self._asking is not None and self._asking.done():
            asked, self._asking = self._asking, None
            asked.result()
        now = asyncio.get_running_loop().time()
        if self._asking is None and now >= self._due:
            self._due = now + EVERY_SECONDS
            self._asking = asyncio.create_task(self._ask(self._authority))

    async def _ask(self, authority: Authority) -> None:
        async with self._engine.connect() as connection:
            waiting = await time_stamps.waiting(connection)
        for day, content in waiting:
            try:
                answer, at = await authority.stamp(content)
            except (httpx.HTTPError, httpx.InvalidURL, BadStamp) as error:
                log.warning("a signed day has no time stamp yet", day=str(day), reason=str(error) or repr(error))
                self._due = asyncio.get_running_loop().time() + AGAIN_SECONDS
                return
            async with self._engine.begin() as connection:
                await time_stamps.keep(connection, day, answer, at, authority.url)
            log.info("a signed day is stamped", day=str(day), at=str(at))

    async def close(self) -> None:
        """End the request that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._asking
