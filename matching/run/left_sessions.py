"""Closing the sessions that lost gateways have left, by the engine that leads.

Gateways watch each other and close the sessions of a lost one (``api.sessions.ends``). The engine does what no gateway
does: where a lone gateway dies and does not come back, cancel on disconnect still takes place. It leaves each session
to the gateways for PATIENCE reads; whoever marks a registration first closes the session, so it is closed once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from msgspec import MsgspecError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx.protocol.commands import AnyCommand, SessionClose
from goldx.streams.gateway_entries import BEAT_SECONDS, GatewayEntries
from goldx.streams.keys import Keys
from goldx.streams.registrations import ENGINE, Found, Registrations

log = structlog.get_logger()

PATIENCE: Final = 4
"""Reads for which a lost gateway, and a session whose grace has passed, are left to the other gateways."""
MOST_AT_ONCE: Final = 100
"""Sessions that are closed with one frame of the journal."""
LONGEST_NAMES: Final = 20


class LeftSessions:
    """The sessions of gateways that do not run, as the leader of an epoch sees them.

    ``append`` puts commands into the journal, or raises redis' errors.
    """

    def __init__(
        self, redis: Redis, keys: Keys, epoch: int, append: Callable[[tuple[AnyCommand, ...]], Awaitable[None]]
    ) -> None:
        self._entries = GatewayEntries(redis, keys, PATIENCE)
        self._closer = f"{ENGINE}{epoch}"
        self._registrations = Registrations(redis, keys, self._closer)
        self._append = append
        self._seen: dict[tuple[str, str], tuple[bytes, int]] = {}
        """By gateway and session: its registration, and the reads in which it was unchanged and due to be closed."""

    async def run(self) -> None:
        """Close sessions that were left, until cancelled. Raises Deposed."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self.look()
            except (RedisError, OSError, MsgspecError) as error:
                log.warning("the sessions that gateways have left cannot be closed", error=str(error))
                self._entries.forget()
                self._seen.clear()

    async def look(self) -> None:
        """Close the sessions that no gateway has closed in time. Raises Deposed, redis' errors and MsgspecError."""
        if lost := await self._entries.take_lost(await self._entries.read()):
            log.warning("gateways are lost, their sessions are closed", gateways=lost)
        before, self._seen = self._seen, {}
        due = []
        for name, found in await self._registrations.left():
            registration = found.registration
            if registration.cancels and not registration.closing and registration.grace_left():
                if registration.ended_at is None:
                    ended_at = time.time_ns() // 1_000_000
                    await self._registrations.change(name, registration, found.gateway, ended_at=ended_at)
                continue
            former, reads = before.get((found.gateway, name), (b"", 0))
            reads = reads + 1 if former == found.data else 0
            self._seen[found.gateway, name] = (found.data, reads)
            if reads >= PATIENCE or registration.is_closed_by_engine:
                due.append((name, found))
        for start in range(0, len(due), MOST_AT_ONCE):
            await self._close(due[start : start + MOST_AT_ONCE])

    async def _close(self, sessions: list[tuple[str, Found]]) -> None:
        """Close sessions unless a gateway has closed or resumed them meanwhile. Raises redis' errors."""
        marked = []
        for name, found in sessions:
            known = found.registration
            if await self._registrations.change(name, known, found.gateway, closing=True, holder=self._closer):
                marked.append((name, found))
        closing = (
            SessionClose(found.registration.member, name) for name, found in marked if found.registration.cancels
        )
        if commands := tuple(closing):
            await self._append(commands)
        for name, found in marked:
            await self._registrations.remove(name, self._closer, found.gateway)
        log.info("sessions that gateways had left are closed", sessions=[name for name, _ in marked][:LONGEST_NAMES])
