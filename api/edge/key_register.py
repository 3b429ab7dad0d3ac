"""The registered keys as a gateway knows them, also while the database is away.

They are read from the register in SQL every second and kept in memory, so that a log-on waits for no database. A copy
on Redis or Valkey serves a gateway that starts while the database is away. What is suspended or ended comes over Redis
or Valkey as well (``goldx.streams.standings``), at once and without the database.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx.streams.keys import Keys
from goldx.streams.standings import KEPT_MS, Notice, drop_notices, read_notices
from settlement.base.key_reader import KeyReader, RegisterAway
from settlement.base.registry import Principal

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
READ_PAUSE: Final = 0.05
"""The shortest time between two reads, however many log-ons ask for one."""
COPY_SECONDS: Final = 10.0
"""How often the time in the copy is renewed while the keys are unchanged."""
_PRINCIPALS: Final = b"principals"
_READ_AT: Final = b"read_at"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Principal]).decode

WriteNotice = Callable[[Notice], Awaitable[None]]
"""Writes a suspension or an end that was made without the register into it, unless it is there."""


class KeyRegister:
    """The keys, by key id. ``ended`` is called with those that have just been suspended or ended, or their holders.

    ``write`` writes a notice into the register in SQL.
    """

    def __init__(self, reader: KeyReader, redis: Redis, keys: Keys, write: WriteNotice) -> None:
        self._reader = reader
        self._redis = redis
        self._keys = keys
        self._write = write
        self._principals: dict[str, Principal] = {}
        self._stopped: dict[str, str] = {}
        """By member that is suspended or ended in the register: the person who did it."""
        self._stopped_keys: dict[str, str] = {}
        """By key of a member that was suspended or revoked not so long ago: the member."""
        self._notices: dict[str, Notice] = {}
        self._blocked: set[tuple[str, str]] = set()
        """Kinds and codes that notices are about."""
        self._registered: set[str] = set()
        """The notices that the register in SQL has."""
        self._gone: dict[str, int] = {}
        """Removed notices, with the number of the read of the register after which they no longer hold."""
        self._reads = 0
        self._read_at_ms: int | None = None
        self._away = False
        self._reading: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._copied_at = 0.0
        self._changed = False
        """Whether the copy lacks what was read last."""
        self.ended: Callable[[set[str]], None] = lambda _: None

    async def open(self) -> None:
        """Read the keys from the register, or their copy if the register is away."""
        await self._poll_notices()
        await self.refresh()
        if self._read_at_ms is None:
            await self._read_copy()

    async def run(self) -> None:
        """Keep the keys up to date with the register, until cancelled."""
        await asyncio.gather(self._follow_notices(), self._follow_register())

    async def _follow_notices(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._poll_notices()

    async def _follow_register(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.refresh()
            if not self._away:
                self._write_notices()
                await self._copy()

    async def close(self) -> None:
        """Drop the connection to the register."""
        tasks = [task for task in (self._reading, self._writing) if task is not None]
        for task in tasks:
            task.cancel()
        self._reader.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def age_ms(self) -> int | None:
        """The time since the keys were read from the register; None if they never were."""
        return None if self._read_at_ms is None else max(0, _now_ms() - self._read_at_ms)

    @property
    def away(self) -> bool:
        """Whether the last attempt to read the register failed."""
        return self._away

    def find(self, key_id: str) -> Principal | None:
        """Return the holder of a key; None if it or its holder is suspended or ended, or it is unknown so far."""
        found = self._principals.get(key_id)
        return None if found is None or self.is_stopped(key_id, found.member, found.staff) else found

    def is_stopped(self, key_id: str, member: str | None, staff: str | None = None) -> bool:
        """Return whether a key, or its holder, is known to be suspended or ended."""
        return member in self._stopped or self._is_blocked(key_id, member, staff)

    def _is_blocked(self, key_id: str, member: str | None, staff: str | None) -> bool:
        """Return whether there is a notice about a key or its holder."""
        about = (("key", key_id), ("member", str(member)), ("staff", str(staff)))
        return bool(self._blocked) and not self._blocked.isdisjoint(about)

    def stopped_members(self) -> dict[str, str]:
        """Return the members that are suspended or ended, each with the person who did it."""
        noticed = {found.code: found.by for found in self._notices.values() if found.kind == "member"}
        return self._stopped | noticed

    def stopped_keys(self) -> dict[str, str]:
        """Return the keys that were suspended or revoked not so long ago, each with its member."""
        noticed = {code: self._principals.get(code) for kind, code in self._blocked if kind == "key"}
        members = {code: found.member for code, found in noticed.items() if found is not None and found.member}
        return self._stopped_keys | members

    async def look_up(self, key_id: str) -> Principal | None:
        """Return the holder of a key after reading the register. Raises RegisterAway if that is not possible.

        A suspended or ended key costs as much as an unknown one, so that the time does not tell them apart.
        """
        for _ in range(2):  # a read that is under way may have begun before the key was registered
            await self.refresh()
        known = self._principals.get(key_id)
        if self._is_blocked(key_id, known and known.member, known and known.staff):
            return None
        if self._away:
            raise RegisterAway("the register of keys is not reachable, and the keys known here do not include this one")
        return self.find(key_id)

    async def refresh(self) -> None:
        """Read the register. Callers share a read that is under way, so many log-ons cause few reads."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.wait((self._reading,))

    async def _read(self) -> None:
        await asyncio.sleep(READ_PAUSE)
        began = _now_ms()
        try:
            found = await self._reader.read()
        except RegisterAway as error:
            if not self._away:
                log.warning("the register of keys is away: the keys read last stay in use", age_ms=self.age_ms)
                log.info("why the register is away", error=str(error))
            self._away = True
            return
        if self._away:
            log.info("the register of keys is read again")
        self._away = False
        self._read_at_ms = began
        self._reads += 1
        self._forget_notices()
        if found is not None:
            before = self._live()
            self._principals, self._stopped, self._stopped_keys = found
            self._changed = True
            self._report_ended(before)

    async def _poll_notices(self) -> None:
        try:
            found = await read_notices(self._redis, self._keys)
        except (RedisError, OSError, msgspec.MsgspecError) as error:
            log.warning("what was suspended or ended cannot be read", error=str(error))
            return
        for change_id in self._notices.keys() - found.keys():
            # A read of the register that is under way may have begun before the notice was taken away.
            self._gone.setdefault(change_id, self._reads + 2)
        if found.keys() - self._notices.keys():
            before = self._live()
            self._notices |= found
            self._blocked = {notice.subject for notice in self._notices.values()}
            self._report_ended(before)

    def _forget_notices(self) -> None:
        """Drop removed notices once the register has been read after it got them."""
        for change_id, read in tuple(self._gone.items()):
            if change_id in self._registered and self._reads >= read:
                del self._gone[change_id], self._notices[change_id]
                self._registered.discard(change_id)
                self._blocked = {notice.subject for notice in self._notices.values()}

    def _live(self) -> set[str]:
        return {key_id for key_id in self._principals if self.find(key_id) is not None}

    def _report_ended(self, before: set[str]) -> None:
        if ended := before - self._live():
            self.ended(ended)

    def _write_notices(self) -> None:
        """Write suspensions and ends that the register lacks into it, while reading continues."""
        unwritten = [found for found in self._notices.values() if found.change_id not in self._registered]
        if unwritten and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_all(unwritten))

    async def _write_all(self, unwritten: list[Notice]) -> None:
        for notice in unwritten:
            try:
                await self._write(notice)
            except Exception as error:  # whatever SQL says: it is tried again after the next read
                log.warning("the register does not have a suspension or an end yet", notice=notice, error=str(error))
            else:
                self._registered.add(notice.change_id)

    async def _copy(self) -> None:
        now = time.monotonic()
        if not self._changed and now - self._copied_at < COPY_SECONDS:
            return
        written = [found for found in self._notices.values() if found.change_id in self._registered]
        old = [found.change_id for found in written if _now_ms() - found.at > KEPT_MS]
        try:
            values: dict[Any, Any] = {_READ_AT: str(self._read_at_ms)}
            if self._changed or not self._copied_at:
                values[_PRINCIPALS] = _encode(list(self._principals.values()))
            await self._redis.hset(self._keys.known_keys, mapping=values)
            await drop_notices(self._redis, self._keys, old)
        except (RedisError, OSError) as error:
            log.warning("the copy of the keys cannot be written", error=str(error))
            return
        self._copied_at, self._changed = now, False

    async def _read_copy(self) -> None:
        try:
            principals, read_at = await self._redis.hmget(self._keys.known_keys, [_PRINCIPALS, _READ_AT])
        except (RedisError, OSError) as error:
            log.warning("the copy of the keys cannot be read", error=str(error))
            return
        if principals is not None and read_at is not None:
            try:
                self._principals = {principal.key_id: principal for principal in _decode(principals)}
            except msgspec.MsgspecError as error:
                log.warning("the copy of the keys is of another version and is not used", error=str(error))
                return
            self._read_at_ms = int(read_at)
            log.warning("the keys were read from the copy", age_ms=self.age_ms, keys=len(self._principals))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
