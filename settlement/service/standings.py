"""Suspending members, staff and keys, taking them up again, and ending them, at the gateways and in the register.

What suspends or ends reaches the gateways first, over Redis or Valkey, so it works while the database is away; a
gateway writes it into the register when that is back. Taking up again needs both: a gateway must not learn of it before
the register has it.
"""

from typing import NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.units import BadValue
from goldx.streams.keys import Keys
from goldx.streams.standings import Notice, drop_notices, publish_notice, read_notices
from settlement.base import standings
from settlement.base.database_errors import Meaning, meaning_of
from settlement.base.key_reader import KeyReader, RegisterAway
from settlement.documents.registered import ACTIVE, SUSPENDED

log = structlog.get_logger()


class StepTaken(NamedTuple):
    """A step that was taken: the status it led to, and whether the register and the gateways have it."""

    kind: str
    code: str
    status: str
    registered: bool
    noticed: bool


class Standings:
    """Takes the steps of ``settlement.documents.registered``. ``redis`` is None if no server is known."""

    def __init__(self, database_url: str, database: AsyncEngine, redis: Redis | None, keys: Keys) -> None:
        self._url = database_url
        self._database = database
        self._redis = redis
        self._keys = keys

    async def take(
        self,
        step: str,
        kind: str,
        code: str,
        by: str,
        reason: str,
        *,
        second_person: bool = False,
        reachable: bool = True,
    ) -> StepTaken:
        """Take a step. ``second_person``: resuming or ending takes another person.

        ``reachable``: False if the register is known to be away.

        Raises BadValue for what is not registered, Refused for a step that is not allowed, and RegisterAway, or redis'
        errors, where a server that it needs is away: then nothing was changed.
        """
        notice = standings.new_notice(step, kind, code, by, reason)
        try:
            if not reachable:
                raise RegisterAway("the register of keys is not reachable: nothing was changed")
            if notice.status == ACTIVE:
                return await self._take_up(notice, second_person)
            await self._check(notice, second_person)
        except RegisterAway as error:
            if notice.status == ACTIVE or (second_person and not standings.takes_one(notice)):
                raise
            log.warning("the register of keys is away", error=str(error))
            reachable = False
        noticed = await self._publish(notice)
        registered = reachable and await self._write(notice)
        if not registered and not noticed:
            raise RegisterAway("neither the register nor Redis is reachable: nothing was changed")
        return StepTaken(kind, code, notice.status, registered, noticed)

    async def _write(self, notice: Notice) -> bool:
        """Write a notice into the register; return False if the database has gone away meanwhile."""
        try:
            async with self._database.begin() as connection:
                await standings.write(connection, notice)
        except (SQLAlchemyError, OSError) as error:
            if meaning_of(error) is not Meaning.AWAY:
                raise
            log.warning("the register of keys is away", error=str(error))
            return False
        return True

    async def _check(self, notice: Notice, second_person: bool) -> None:
        """Raise if a step is not allowed, or RegisterAway after a few seconds without an answer."""
        reader = KeyReader(self._url)
        try:
            status = await reader.status(notice.kind, notice.code)
        finally:
            reader.close()
        if status is None:
            raise standings.unknown(notice.kind, notice.code)
        standings.check(notice, status)
        if second_person:
            async with self._database.connect() as connection:
                await standings.check_another(connection, notice)

    async def _publish(self, notice: Notice) -> bool:
        if self._redis is None:
            return False
        try:
            await publish_notice(self._redis, self._keys, notice)
        except (RedisError, OSError) as error:
            log.warning("the gateways do not learn it at once", error=str(error))
            return False
        return True

    async def _take_up(self, notice: Notice, second_person: bool) -> StepTaken:
        """Write changes that the register lacks, remove the notices, and then take the step in the register."""
        reader = KeyReader(self._url)
        try:
            if await reader.status(notice.kind, notice.code) is None:
                raise standings.unknown(notice.kind, notice.code)
        finally:
            reader.close()
        if self._redis is None:
            raise RegisterAway("the gateways learn it over Redis, which is not known here: nothing was changed")
        found = await read_notices(self._redis, self._keys)
        about = [known for known in found.values() if known.subject == notice.subject]
        for known in about:
            async with self._database.begin() as connection:
                await standings.write(connection, known)
        await self._check(notice, second_person)
        await drop_notices(self._redis, self._keys, [known.change_id for known in about if known.status == SUSPENDED])
        async with self._database.begin() as connection:
            await standings.write(connection, notice, strict=True)
        return StepTaken(notice.kind, notice.code, notice.status, True, True)


async def write_late(database: AsyncEngine, notice: Notice) -> None:
    """Write changes that were published while the register was away. Unknown codes are logged and left."""
    try:
        async with database.begin() as connection:
            await standings.write(connection, notice)
    except BadValue as error:
        log.warning("what was suspended or ended is not registered", kind=notice.kind, code=notice.code, why=str(error))
