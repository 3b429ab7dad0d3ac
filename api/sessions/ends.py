"""The ends of members' sessions: taken over, kept for their grace, or closed with their orders.

A session is registered in Redis before it can place an order (``goldx.streams.registrations``). When it has ended, and
its grace has passed without a log-on with its key and name, ``session.close`` goes to the journal and the registration
is removed. Sessions that a stopped or killed gateway leaves registered are closed by its next run, by another gateway
that notices, or, if there is none, by the engine (``matching.run.left_sessions``).
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from api.edge.auth import Principal
from api.edge.key_register import KeyRegister
from api.edge.outcome import Outcome, Refusal
from api.journal.sequencer import Sequencer
from api.sessions.session import Session
from goldx.protocol.commands import SessionClose
from goldx.retry import is_any_of, retry
from goldx.streams.registrations import Found, Registration, Registrations

log = structlog.get_logger()

RETRY_SECONDS: Final = 0.5
CHECK_SECONDS: Final = 1.0
CLAIM_ATTEMPTS: Final = 20
CLAIM_PAUSE: Final = 0.2
MAX_CALLS: Final = 32
"""Log-ons and ends that may use Redis at the same time, each with a connection of the pool; others wait."""
STOP_SECONDS: Final = 5.0


class Ends:
    """The registered sessions of this gateway. ``run`` names its present run, and whatever that closes.

    ``drop`` ends the connection of a session that another log-on has taken over.
    """

    def __init__(
        self,
        registrations: Registrations,
        gateway: str,
        run: str,
        sequencer: Sequencer,
        register: KeyRegister,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        drop: Callable[[Session], None],
    ) -> None:
        self._registrations = registrations
        self._gateway = gateway
        self._run = run
        self._sequencer = sequencer
        self._register = register
        self._spawn = spawn
        self._drop = drop
        self._held: dict[str, Session] = {}
        """By name: the connected sessions of this gateway."""
        self._waiting: dict[str, tuple[str, asyncio.Event]] = {}
        """By name: sessions in their grace, with their key and an event that ends the grace at once."""
        self._closing: set[tuple[str, str]] = set()
        """Names and holders of the sessions that are being closed, or in the grace before that."""
        self._calls = asyncio.Semaphore(MAX_CALLS)
        self._ending: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def claim(self, session: Session, principal: Principal, wanted: str | None) -> int:
        """Register a session under its key and the wanted name, taking over an existing session of that name.

        Returns the time in ms of the timer that the session goes on with, 0 if it has none.

        Raises Refusal (UNAVAILABLE) and redis' errors.
        """
        name = f"{principal.key_id}/{wanted or session.holder}"
        new = Registration(str(principal.member), principal.key_id, session.holder)
        async with self._calls:
            taken = new if wanted is None else await self._take(name, new)
            if taken is new:
                twice = not await self._registrations.put(name, new)
                if (
                    not twice
                    and wanted is not None
                    and await self._registrations.find(name, elsewhere=True) is not None
                ):
                    await self._registrations.remove(name, new.holder)
                    twice = True
                if twice:
                    raise Refusal("UNAVAILABLE", f"session {wanted} is logging on elsewhere now", retry_after_ms=1_000)
        self._let_go(name)
        session.name, session.cancel_on_disconnect, session.grace_ms = name, taken.cancel, taken.grace_ms
        session.resumed = taken is not new
        self._held[name] = session
        return taken.cancel_after_ms

    async def _take(self, name: str, new: Registration) -> Registration:
        """Return the registration with which a session of that name was taken over; ``new`` if there is none."""
        for _ in range(CLAIM_ATTEMPTS):
            found = await self._registrations.find(name)
            if found is None:
                return new
            if not found.registration.closing:
                known = found.registration
                taken = new._replace(
                    cancel=known.cancel, grace_ms=known.grace_ms, cancel_after_ms=known.cancel_after_ms
                )
                if await self._registrations.take(name, found, taken):
                    return taken
            await asyncio.sleep(CLAIM_PAUSE)
        raise Refusal("UNAVAILABLE", "the session's orders are being cancelled", retry_after_ms=1_000)

    def _let_go(self, name: str) -> None:
        """Forget a session that another log-on has taken over."""
        if (session := self._held.pop(name, None)) is not None:
            self._drop(session)
        if (waiting := self._waiting.get(name)) is not None:
            waiting[1].set()  # its task finds that the session has another holder

    async def keep_settings(self, session: Session) -> None:
        """Register what is to happen at the session's end. Raises redis' errors."""
        known = Registration("", "", session.holder)
        kept = None
        while kept != (kept := _settings(session)):  # they may change while they are stored
            await self._registrations.change(session.name, known, **kept)
        session.kept_cancel_after_ms = session.cancel_timer.ms

    async def cancel_orders(self, session: Session) -> Outcome | None:
        """Cancel what a session would leave if it ended, and return the events of that.

        None if it does not hold its registration any more, because it goes on over another connection or is closed.
        """
        known = _registration(session, session.principal)
        if not await self._insist(partial(self._registrations.change, session.name, known)):
            return None
        close = partial(self._sequencer.place, SessionClose(known.member, session.name))
        outcome: Outcome = await retry(close, is_any_of(Refusal), itertools.repeat(RETRY_SECONDS))
        return outcome

    def end(self, session: Session, principal: Principal) -> None:
        """Cancel the orders of an ended session after its grace, or keep them if it asked for that."""
        if self._held.get(session.name) is not session:
            return
        del self._held[session.name]
        known = _registration(session, principal)._replace(ended_at=_now_ms())
        if not known.cancels:
            self._start(self._deregister(session.name, session.holder))
            return
        self._start(self._end(session.name, known))

    def hurry(self, key_ids: set[str]) -> None:
        """End the grace of these keys' sessions."""
        for key_id, now in self._waiting.values():
            if key_id in key_ids:
                now.set()

    async def close_left(self, *, former_runs: bool = False) -> None:
        """Close the sessions of gateways that do not run, each after its grace.

        All are included, as a lost gateway may have been closing the sessions of another one. With ``former_runs``,
        those that former runs of this gateway have left are closed too.
        """
        own: dict[str, Found] = {}
        if former_runs:
            own = await self._insist(partial(self._registrations.of, self._gateway))
        for name, found in (*own.items(), *await self._insist(self._registrations.left)):
            registration = found.registration
            if name in self._held or (name, registration.holder) in self._closing:
                continue
            by_engine = registration.is_closed_by_engine and found.gateway != self._gateway
            if not by_engine and not (registration.closing and registration.holder == self._run):
                self._start(self._close(name, registration, found.gateway))

    async def follow(self) -> None:
        """Drop the sessions that other gateways have taken from this one, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            with contextlib.suppress(RedisError, OSError):
                for name in await self._registrations.taken():
                    held, found = self._held.get(name), await self._registrations.find(name)
                    if held is None or found is None or found.registration.holder != held.holder:
                        self._let_go(name)

    async def stop(self) -> bool:
        """Close the sessions without grace, leave those with grace registered, and return whether any are left.

        Sessions of gateways that do not run count too, as this one may have been closing them. Raises redis' errors,
        Refusal and TimeoutError.
        """
        self._stopping = True
        for _, now in self._waiting.values():
            now.set()
        if self._ending:
            await asyncio.wait(tuple(self._ending), timeout=STOP_SECONDS)
        closing = []
        for name, session in self._held.items():
            known = _registration(session, session.principal)
            if known.cancels and known.grace_left():
                await self._registrations.change(name, known, ended_at=_now_ms(), cancel_at=known.cancel_at)
                continue
            if known.cancels and known.member:
                self._sequencer.submit(SessionClose(known.member, name), lambda _: None)
            closing.append((name, session.holder))
        await asyncio.wait_for(self._sequencer.drain(), STOP_SECONDS)
        if self._sequencer.available:
            for name, holder in closing:
                await self._registrations.remove(name, holder)
        return bool(await self._registrations.of(self._gateway) or await self._registrations.left())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, name: str, known: Registration) -> None:
        async def mark() -> bool:
            return await self._registrations.change(name, known, ended_at=known.ended_at, cancel_at=known.cancel_at)

        if known.grace_left() and not await self._insist(mark):
            return
        await self._close(name, known, self._gateway)

    async def _close(self, name: str, known: Registration, gateway: str) -> None:
        """Cancel a session's orders after its grace, unless it is taken over meanwhile."""
        self._closing.add((name, known.holder))
        try:
            await self._close_after_grace(name, known, gateway)
        finally:
            self._closing.discard((name, known.holder))

    async def _close_after_grace(self, name: str, known: Registration, gateway: str) -> None:
        seconds = 0.0 if known.closing or not known.cancels or self._may_not_return(known) else known.grace_left()
        if seconds:
            now = asyncio.Event()
            self._waiting[name] = (known.key_id, now)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(now.wait(), seconds)
            if self._waiting.get(name, ("", None))[1] is now:
                del self._waiting[name]
            if self._stopping:
                return

        async def mark() -> bool:
            return await self._registrations.change(name, known, gateway, closing=True, holder=self._run)

        if not await self._insist(mark):
            return
        if known.cancels or self._may_not_return(known):
            close = partial(self._sequencer.place, SessionClose(known.member, name))
            await retry(close, is_any_of(Refusal), itertools.repeat(RETRY_SECONDS))
        await self._deregister(name, self._run, gateway)

    def _may_not_return(self, known: Registration) -> bool:
        """Return whether a session's key may not log on again, as far as that is known."""
        if not known.key_id:
            return False
        if self._register.is_stopped(known.key_id, known.member):
            return True
        return self._register.find(known.key_id) is None and not self._register.away

    async def _deregister(self, name: str, holder: str, gateway: str | None = None) -> None:
        await self._insist(partial(self._registrations.remove, name, holder, gateway))

    async def _insist(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Return the result of a call of Redis, repeating the call while Redis is away."""

        async def one() -> Any:
            async with self._calls:
                return await call()

        return await retry(one, is_any_of(RedisError, OSError), itertools.repeat(RETRY_SECONDS))


def _settings(session: Session) -> dict[str, Any]:
    """Return what is registered of a session's settings."""
    return {
        "cancel": session.cancel_on_disconnect,
        "grace_ms": session.grace_ms,
        "cancel_after_ms": session.cancel_timer.ms,
    }


def _registration(session: Session, principal: Principal | None) -> Registration:
    """Return the registration of a session whose connection ends now; without a member before its log-on is over."""
    member, key_id = ("", "") if principal is None else (str(principal.member), principal.key_id)
    known = Registration(member, key_id, session.holder, cancel_at=session.cancel_timer.due_at)
    return known._replace(**_settings(session))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
