"""The service's part in the end of a day: it archives signed days, and publishes whether the present one may open."""

import asyncio
from pathlib import Path
from typing import Final

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.streams.keys import Keys
from goldx.timetable.permission import Permission, publish_permission
from settlement.base.refusal import Refused
from settlement.closing import archive, opening

EVERY_SECONDS: Final = 2.0
MOST_OBSTACLES: Final = 20

log = structlog.get_logger()


class DayOpenings:
    """Does this for one shard. ``folder`` is where the records of days are archived, None: nowhere."""

    def __init__(self, engine: AsyncEngine, redis: Redis, keys: Keys, folder: Path | None) -> None:
        self._engine = engine
        self._redis = redis
        self._keys = keys
        self._folder = folder
        self._due = 0.0
        self._failed = ""

    async def tend(self) -> None:
        """Archive and publish; more often than every EVERY_SECONDS nothing is done.

        Raises redis' errors and SQLAlchemyError. A record that cannot be written is logged, and tried again.
        """
        now = asyncio.get_running_loop().time()
        if now < self._due:
            return
        await self._archive()
        async with self._engine.connect() as connection:
            found = await opening.present(connection)
        if found is not None:
            obstacles = () if found.may_open else found.obstacles[:MOST_OBSTACLES]
            await publish_permission(self._redis, self._keys, Permission(str(found.day), found.sequence, obstacles))
        self._due = now + EVERY_SECONDS

    async def check_newest(self) -> None:
        """Read the newest archived record again, and log it if the file is missing or has other bytes."""
        if self._folder is None:
            return
        async with self._engine.connect() as connection:
            day = await archive.newest(connection)
            if day is None:
                return
            try:
                await archive.check(connection, day, self._folder)
            except Refused as error:
                log.error("an archived record is not as it was written", day=str(day), reason=str(error))

    async def _archive(self) -> None:
        if self._folder is None:
            return
        async with self._engine.connect() as connection:
            days = await archive.waiting(connection)
        for day in days:
            try:
                async with self._engine.begin() as connection:
                    file = await archive.archive(connection, day, self._folder)
            except (OSError, Refused) as error:
                if str(error) != self._failed:
                    log.error("the record of a day is not archived", day=str(day), reason=str(error))
                self._failed = str(error)
                return
            if file is not None:
                log.info("the record of a day is archived", day=str(day), file=str(file))
            self._failed = ""
