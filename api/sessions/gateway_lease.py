"""The gateways of a shard watch each other, to close the sessions of a lost one, and no two have the same name.

A gateway that finds another one lost (``goldx.streams.gateway_entries``) removes its entry and closes its sessions. If
the other one was only paused, the journal takes nothing of it any more (``fence``); it finds its entry gone and ends.
"""

import asyncio
import secrets
from collections.abc import Callable
from itertools import count
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx.streams.checked_append import Fence
from goldx.streams.gateway_entries import BEAT_SECONDS, STOPPED, GatewayEntries
from goldx.streams.keys import Keys
from goldx.streams.replicas import NotReplicated, Replicas

log = structlog.get_logger()

CLAIM_READS: Final = 6
"""Reads in which a former run's entry must be unchanged before the name is used again."""

_CHANGE: Final = """
local entry = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if string.sub(entry, 1, #ARGV[2]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
"""Changes an entry only if it begins with the caller's token: not if it was removed, or belongs to another run."""
_REMOVE: Final = """
local entry = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if string.sub(entry, 1, #ARGV[2]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
"""Removes an entry only if it begins with the caller's token."""
_TAKE: Final = """
local entry = redis.call('HGET', KEYS[1], ARGV[1])
if entry and entry ~= ARGV[2] and entry ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return 1
"""
"""Writes an entry over what the caller has read, over that of a gateway that has stopped, or where there is none."""


class GatewayIdTaken(RuntimeError):
    """Raised at the start of a gateway whose name another one uses."""


class GatewayLost(RuntimeError):
    """Raised when another gateway has taken this one's name, or has closed its sessions as its entry did not change."""


class GatewayLease:
    """The entry of one gateway, and its watch over the others.

    Other gateways are watched once ``lost`` is set; it is called when some are lost. ``replicas``: how many replicas
    must have the entry before the name is the gateway's; a failover would else take the name away again.
    """

    def __init__(self, redis: Redis, keys: Keys, gateway: str, replicas: int = 0) -> None:
        self._redis = redis
        self._keys = keys
        self._gateway = gateway
        self._replicas = Replicas(keys.mark, replicas)
        self._token = secrets.token_hex(8)
        self._beats = count(1)
        self._change = redis.register_script(_CHANGE)
        self._remove = redis.register_script(_REMOVE)
        self._take = redis.register_script(_TAKE)
        self._entries = GatewayEntries(redis, keys)
        self._released = asyncio.Event()
        self.lost: Callable[[], object] | None = None
        self.claimed = False
        """Whether the name is this gateway's."""

    @property
    def fence(self) -> Fence:
        """The condition of this gateway's appends: that its name is its own, and nobody has closed its sessions."""
        return Fence(self._keys.gateways, self._gateway, f"{self._token}:")

    async def claim(self) -> None:
        """Take the gateway's name; wait if a former run may still have it. Can be repeated after an error of redis.

        Raises GatewayIdTaken, NotReplicated and redis' errors.
        """
        former = await self._entry()
        free = former in (None, STOPPED) or self._is_own(former)
        for _ in range(0 if free else CLAIM_READS):
            await asyncio.sleep(BEAT_SECONDS)
            before, former = former, await self._entry()
            if former in (None, STOPPED):  # the former run has stopped, or somebody has noticed that it is lost
                break
            if former != before:
                raise self._taken()
        took = await self._take(
            keys=[self._keys.gateways], args=[self._gateway, former or STOPPED, STOPPED, self._entry_of_next_beat()]
        )
        if not took:
            raise self._taken()
        kept = await self._replicas.confirm(self._redis, lambda pipe: pipe.hget(self._keys.gateways, self._gateway))
        if not self._is_own(kept):
            raise NotReplicated(f"the name {self._gateway} was taken on a server that is not the primary any more")
        self.claimed = True

    async def run(self) -> None:
        """Keep the entry and watch the others, until cancelled or released. Raises GatewayLost."""
        while not self._released.is_set():
            await asyncio.sleep(BEAT_SECONDS)
            try:
                entries = await self._entries.read()
                entries.pop(self._gateway, None)
                entry = self._entry_of_next_beat()
                kept = await self._change(keys=[self._keys.gateways], args=[self._gateway, self.fence.token, entry])
                if self._released.is_set():
                    return
                if not kept:
                    raise GatewayLost(
                        f"another gateway has taken the name {self._gateway}, or has closed the sessions of this one, "
                        "which did not update its entry for too long"
                    )
                if self.lost is not None and (lost := await self._entries.take_lost(entries)):
                    log.warning("gateways are lost, their sessions are closed", gateways=lost)
                    self.lost()
            except (RedisError, OSError) as error:
                log.warning("the gateways cannot be watched", error=str(error))
                self._entries.forget()

    async def release(self, *, sessions_left: bool) -> None:
        """Give the name back, if it is still this gateway's. Raises redis' errors.

        Sessions left in their grace are closed by whoever notices.
        """
        self._released.set()
        own = [self._gateway, self.fence.token]
        if sessions_left:
            await self._change(keys=[self._keys.gateways], args=[*own, STOPPED])
        else:
            await self._remove(keys=[self._keys.gateways], args=own)

    async def _entry(self) -> bytes | None:
        found: bytes | None = await self._redis.hget(self._keys.gateways, self._gateway)  # type: ignore[assignment]
        return found

    def _taken(self) -> GatewayIdTaken:
        return GatewayIdTaken(
            f"gateway_id: {self._gateway!r} is used by a running gateway; each gateway needs a name of its own"
        )

    def _is_own(self, entry: bytes | None) -> bool:
        return entry is not None and entry.startswith(self.fence.token.encode())

    def _entry_of_next_beat(self) -> str:
        return f"{self._token}:{next(self._beats)}"
