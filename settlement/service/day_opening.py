"""The service's part in the end of a day: it archives signed days, and decides whether the present one may open.

The decision goes into the journal, where the engine keeps to it whoever wants to open an instrument
(``matching.core.day_opening``), and to the timetable's service, which waits for it (``goldx.timetable.permission``).
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.streams.keys import Keys
from goldx.timetable.permission import Permission, publish_permission
from settlement.base.refusal import Refused
from settlement.base.steps import SERVICE
from settlement.closing import archive, opening
from settlement.ledger.sender import Sender

EVERY_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 300.0
"""The time after which the decision about a day that has not opened is sent again.

A second run of the service may have sent another one, and been killed before it could take that back.
"""
MOST_OBSTACLES: Final = 20
LONGEST_OBSTACLE: Final = 200
"""The number of characters of an obstacle that the journal gets."""

log = structlog.get_logger()


class DayOpenings:
    """Does this for one shard. ``folder`` is where the records of days are archived, None: nowhere."""

    def __init__(self, engine: AsyncEngine, redis: Redis, keys: Keys, folder: Path | None) -> None:
        self._engine = engine
        self._redis = redis
        self._keys = keys
        self._folder = folder
        self._due = 0.0
        self._again_at = 0.0
        self._failed = ""
        self._sent: MarketPermitOpening | None = None

    async def tend(self, sender: Sender) -> None:
        """Archive, decide and publish; more often than every EVERY_SECONDS nothing is done.

        The journal gets the decision when it is another one than the last, so that it precedes every step that the
        timetable's service takes because of it, and every AGAIN_SECONDS while the day has not opened. Raises redis'
        errors and SQLAlchemyError. A record that cannot be written is logged, and tried again.
        """
        now = asyncio.get_running_loop().time()
        if now < self._due:
            return
        await self._archive()
        async with self._engine.connect() as connection:
            found = await opening.present(connection)
        obstacles = () if found is None or found.may_open else found.obstacles
        if now >= self._again_at and not (found is not None and found.opened):
            self._again_at = now + AGAIN_SECONDS
            self.send_again()
        await self._send(sender, "" if found is None else str(found.day), obstacles)
        if found is not None:
            permission = Permission(str(found.day), found.sequence, obstacles[:MOST_OBSTACLES])
            await publish_permission(self._redis, self._keys, permission)
        self._due = now + EVERY_SECONDS

    def send_again(self) -> None:
        """Send the decision once more: the last one may have been lost in an outage, or have been overtaken."""
        self._sent = None

    async def _send(self, sender: Sender, day: str, obstacles: tuple[str, ...]) -> None:
        first = obstacles[0][:LONGEST_OBSTACLE] if obstacles else None
        more = f" and {len(obstacles) - 1} more" if len(obstacles) > 1 else ""
        command = MarketPermitOpening(day, first and first + more, SERVICE)
        if command != self._sent:
            await sender.send(command)
            self._sent = command

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
