"""The sessions of members on Redis or Valkey: their member, their gateway, and what happens at their end.

A session is identified by its key and its name, ``KEY/NAME``, at every gateway of the shard. Each gateway has a hash,
session -> registration. The server changes a registration only if the caller knows its present value; so a gateway
never closes a session that another one has taken over, and of several that want to close one, one does.
"""

import time
from collections.abc import Collection
from typing import Any, Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from goldx.streams.keys import Keys

_MOVE: Final = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
if KEYS[1] ~= KEYS[2] then redis.call('RPUSH', KEYS[3], ARGV[1]) end
return 1
"""

REMOVE_IF: Final = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
"""Removes a field of a hash if it has the given value."""

ENGINE: Final = "engine:"
"""How the names begin under which engines close sessions; no gateway has a name with a colon."""


class Registration(NamedTuple):
    """A registered session. ``holder`` is the unique name of its connection; while it is closed, of who closes it.

    ``ended_at``: when its connection ended, in ms since the epoch; None while it is connected. ``closing``: its grace
    has passed and its orders are being cancelled; it can no longer be resumed. ``cancel_after_ms`` is the time of its
    timer (``session.cancel_after``), 0 if it has none, and ``cancel_at`` when that time is over, in ms since the epoch;
    the latter is set when the connection ends.
    """

    member: str
    key_id: str
    holder: str
    cancel: bool = True
    grace_ms: int = 0
    ended_at: int | None = None
    closing: bool = False
    cancel_after_ms: int = 0
    cancel_at: int | None = None

    @property
    def cancels(self) -> bool:
        """Whether the session's orders are cancelled when it has ended, at once or later."""
        return self.cancel or self.cancel_after_ms > 0

    def grace_left(self) -> float:
        """Return the seconds until the session's orders are cancelled; a crash counts as an end now.

        That is the end of its grace or of its timer, whichever comes first.
        """
        now = time.time_ns() // 1_000_000
        passed = 0 if self.ended_at is None else max(0, now - self.ended_at)
        left = [self.grace_ms - passed] if self.cancel or not self.cancel_after_ms else []
        if self.cancel_after_ms:
            left.append(self.cancel_after_ms - passed if self.cancel_at is None else self.cancel_at - now)
        return max(0, min(left)) / 1_000

    @property
    def is_closed_by_engine(self) -> bool:
        """Whether the engine that leads closes it."""
        return self.closing and self.holder.startswith(ENGINE)

    def is_closed_by_one_of(self, runs: Collection[str]) -> bool:
        """Return whether one of these runs of gateways closes it."""
        return self.closing and self.holder in runs


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Registration).decode


def read(data: bytes) -> Registration:
    """Return a registration. Registrations of older versions, also in archives, consist of the member's code only."""
    return _decode(data) if data.startswith(b"[") else Registration(data.decode(), "", "")


class Found(NamedTuple):
    """A registration, and the gateway at which it was found."""

    gateway: str
    data: bytes
    registration: Registration


class Registrations:
    """The registrations of a shard, for one gateway, or for an engine. Every method raises redis' errors."""

    def __init__(self, redis: Redis, keys: Keys, gateway: str) -> None:
        self._redis = redis
        self._keys = keys
        self._gateway = gateway
        self._move = redis.register_script(_MOVE)
        self._remove = redis.register_script(REMOVE_IF)

    async def find(self, name: str, *, elsewhere: bool = False) -> Found | None:
        """Return a session's registration at any gateway, or with ``elsewhere`` only at another one."""
        gateways = [writer for writer in await self.gateways() if not (elsewhere and writer == self._gateway)]
        async with self._redis.pipeline(transaction=False) as pipe:
            for gateway in gateways:
                pipe.hget(self._keys.sessions(gateway), name)
            found: list[Any] = await pipe.execute() if gateways else []
        for gateway, data in zip(gateways, found, strict=True):
            if data is not None:
                return Found(gateway, data, read(data))
        return None

    async def gateways(self) -> list[str]:
        """Return the names of all gateways that have ever run in the shard."""
        found: Any = await self._redis.hkeys(self._keys.runs)
        return sorted(name.decode() for name in found)

    async def running(self) -> dict[str, str]:
        """Return the runs of the gateways that count as running, as they have an entry (``GatewayEntries``), by name.

        The run of a gateway that is starting is its former one until it has a number.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hkeys(self._keys.gateways)
            pipe.hgetall(self._keys.runs)
            found: Any = await pipe.execute()
        entries, runs = found
        return {name.decode(): f"{name.decode()}.{runs.get(name, b'0').decode()}" for name in entries}

    async def left(self) -> list[tuple[str, Found]]:
        """Return the sessions that gateways have left which do not run, by name, but for those that are being closed.

        Those that an engine closes are among them.
        """
        running = await self.running()
        lost = [name for name in await self.gateways() if name not in running]
        async with self._redis.pipeline(transaction=False) as pipe:
            for gateway in lost:
                pipe.hgetall(self._keys.sessions(gateway))
            hashes: list[dict[bytes, bytes]] = await pipe.execute() if lost else []
        every = [
            (name.decode(), Found(gateway, data, read(data)))
            for gateway, sessions in zip(lost, hashes, strict=True)
            for name, data in sessions.items()
        ]
        runs = set(running.values())
        return [(name, found) for name, found in every if not found.registration.is_closed_by_one_of(runs)]

    async def of(self, gateway: str) -> dict[str, Found]:
        """Return the sessions of a gateway by name."""
        found: dict[Any, Any] = await self._redis.hgetall(self._keys.sessions(gateway))
        return {name.decode(): Found(gateway, data, read(data)) for name, data in found.items()}

    async def put(self, name: str, registration: Registration) -> bool:
        """Register a session at this gateway, and return True, unless one of that name is registered here already."""
        key = self._keys.sessions(self._gateway)
        return bool(await self._redis.hsetnx(key, name, _encode(registration).decode()))

    async def take(self, name: str, found: Found, registration: Registration) -> bool:
        """Move a session to this gateway, unless it has changed since it was found; return whether it was moved."""
        keys = [self._keys.sessions(gateway) for gateway in (found.gateway, self._gateway)]
        keys.append(self._taken(found.gateway))
        return bool(await self._move(keys=keys, args=[name, found.data, _encode(registration)]))

    async def change(self, name: str, found: Registration, gateway: str | None = None, **fields: Any) -> bool:
        """Change fields of a session; return False if it has another holder now, or another gateway is closing it."""
        key = self._keys.sessions(gateway or self._gateway)
        while True:
            data: Any = await self._redis.hget(key, name)
            if data is None:
                return False
            registration = read(data)
            if registration.holder != found.holder or registration.closing > found.closing:
                return False
            changed = _encode(registration._replace(**fields))
            if await self._move(keys=[key, key, key], args=[name, data, changed]):
                return True

    async def remove(self, name: str, holder: str, gateway: str | None = None) -> None:
        """Remove a session that is closed, or that wants no cancel at its end, unless it has another holder now."""
        key = self._keys.sessions(gateway or self._gateway)
        data: Any = await self._redis.hget(key, name)
        if data is not None and read(data).holder == holder:
            await self._remove(keys=[key], args=[name, data])

    async def taken(self) -> list[str]:
        """Return the sessions that other gateways have taken from this one since the last call."""
        found: Any = await self._redis.lpop(self._taken(self._gateway), 1_000)
        return [name.decode() for name in found or ()]

    def _taken(self, gateway: str) -> str:
        return f"{self._keys.sessions(gateway)}:taken"
