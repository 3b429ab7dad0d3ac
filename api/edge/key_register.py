"""The registered keys as a gateway knows them, also while the database is away.

They are read from the register in SQL twice a second and kept in memory, so that a log-on needs no database. A copy on
Redis or Valkey serves a gateway that starts while the database is away. Revocations come over Redis or Valkey as well
(``goldx.streams.revocations``), at once and without the database.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx.protocol.units import BadValue
from goldx.streams.keys import Keys
from goldx.streams.revocations import KEPT_MS, Revocation, drop_revocations, read_revocations
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

WriteRevocation = Callable[[str, str], Awaitable[None]]
"""Writes a revocation and its author into the register. Raises BadValue if the key is revoked already or unknown."""


class KeyRegister:
    """The keys, by key id. ``ended`` is called with keys that have just been revoked.

    ``write`` writes a revocation that the register in SQL lacks into it.
    """

    def __init__(self, reader: KeyReader, redis: Redis, keys: Keys, write: WriteRevocation) -> None:
        self._reader = reader
        self._redis = redis
        self._keys = keys
        self._write = write
        self._principals: dict[str, Principal] = {}
        self._revoked: dict[str, Revocation] = {}
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
        await self._poll_revocations()
        await self.refresh()
        if self._read_at_ms is None:
            await self._read_copy()

    async def run(self) -> None:
        """Keep the keys up to date with the register, until cancelled."""
        await asyncio.gather(self._follow_revocations(), self._follow_register())

    async def _follow_revocations(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            before = self._live()
            await self._poll_revocations()
            self._report_ended(before)

    async def _follow_register(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.refresh()
            if not self._away:
                self._write_revocations()
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
        """Return the holder of a key; None if the key is revoked, or unknown so far."""
        return None if key_id in self._revoked else self._principals.get(key_id)

    async def look_up(self, key_id: str) -> Principal | None:
        """Return the holder of a key after reading the register. Raises RegisterAway if that is not possible."""
        if key_id in self._revoked:
            return None
        for _ in range(2):  # a read that is under way may have begun before the key was registered
            await self.refresh()
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
        if found is not None:
            before = self._live()
            self._principals = found
            self._changed = True
            self._report_ended(before)

    async def _poll_revocations(self) -> None:
        try:
            self._revoked |= await read_revocations(self._redis, self._keys)
        except (RedisError, OSError) as error:
            log.warning("revocations cannot be read", error=str(error))

    def _live(self) -> set[str]:
        return self._principals.keys() - self._revoked.keys()

    def _report_ended(self, before: set[str]) -> None:
        if ended := before - self._live():
            self.ended(ended)

    def _write_revocations(self) -> None:
        """Write revocations that the register lacks into it, while reading continues."""
        unwritten = {key: self._revoked[key].by for key in self._revoked.keys() & self._principals.keys()}
        if unwritten and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_all(unwritten))

    async def _write_all(self, unwritten: dict[str, str]) -> None:
        for key_id, by in unwritten.items():
            try:
                await self._write(key_id, by)
            except BadValue:
                continue  # another gateway was faster
            except Exception as error:  # after any error: it is tried again after the next read
                log.warning("a revocation is not in the register yet", key_id=key_id, error=str(error))

    async def _copy(self) -> None:
        now = time.monotonic()
        if not self._changed and now - self._copied_at < COPY_SECONDS:
            return
        written = self._revoked.keys() - self._principals.keys()
        old = [key_id for key_id in written if _now_ms() - self._revoked[key_id].at > KEPT_MS]
        try:
            values: dict[Any, Any] = {_READ_AT: str(self._read_at_ms)}
            if self._changed or not self._copied_at:
                values[_PRINCIPALS] = _encode(list(self._principals.values()))
            await self._redis.hset(self._keys.known_keys, mapping=values)
            if old:
                await drop_revocations(self._redis, self._keys, old)
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
