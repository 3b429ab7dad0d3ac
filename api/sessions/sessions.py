"""The sessions of a gateway: log-on, silence, and what becomes of a session's orders when it ends.

A logged-on member session is registered in Redis before it can place an order. When it ends, and its grace has passed
without the same key logging on again, ``session.close`` goes to the journal and the registration is removed; a gateway
that was killed closes the registered sessions of its former run when it starts.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from api.edge.auth import Authenticator, NotAuthentic, new_nonce
from api.edge.outcome import Outcome
from api.edge.rpc import Refusal, Request
from api.journal.sequencer import Sequencer
from api.sessions.link import Link
from api.sessions.session import Bucket, Method, Session, only
from api.view.view import View
from goldx.hosting.settings import Settings
from goldx.protocol.commands import SessionClose
from goldx.protocol.units import BadValue, parse_identifier
from goldx.retry import is_any_of, retry
from settlement.base.registry import Principal

log = structlog.get_logger()

UNABLE: Final = 1011
IDLE: Final = 4000
REVOKED: Final = 4003
MAX_GRACE_MS: Final = 60_000
RETRY_SECONDS: Final = 0.5
PATROL_SECONDS: Final = 1.0
NOTES_AT_ONCE: Final = 32
"""Sessions that are noted in Redis, or taken off, at the same time: each takes a connection, and the others wait."""


class Sessions:
    """``prefix`` begins the name of every session of this run: gateway and run. ``key`` is the hash in Redis."""

    def __init__(
        self,
        settings: Settings,
        prefix: str,
        redis: Redis,
        key: str,
        view: View,
        sequencer: Sequencer,
        doorman: Authenticator,
    ) -> None:
        self._settings = settings
        self._prefix = prefix
        self._redis = redis
        self._key = key
        self._view = view
        self._sequencer = sequencer
        self._doorman = doorman
        self._numbers = itertools.count(1)
        self._links: dict[Session, Link] = {}
        self._lingering: dict[str, tuple[Principal, asyncio.Task[None]]] = {}
        """Sessions that have ended and may still be taken up again by the same key."""
        self._notes = asyncio.Semaphore(NOTES_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self.methods: dict[str, Method] = {
            "session.challenge": self._challenge,
            "session.logon": self._logon,
            "session.heartbeat": self._heartbeat,
            "session.cancel_on_disconnect": self._cancel_on_disconnect,
        }

    def __len__(self) -> int:
        return len(self._links)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs something beside the sessions; it is cancelled when the gateway stops."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def open(
        self,
        link: Link,
        methods: dict[str, Method],
        quick: Callable[[Session, bytes], bool],
        ended: Callable[[], None],
    ) -> None:
        """A connection was accepted; ``ended`` is called when it has ended."""
        bucket = Bucket(self._settings.session_rate, self._settings.session_burst, time.monotonic())
        session = Session(f"{self._prefix}.{next(self._numbers)}", methods, quick, link.push, bucket, time.monotonic)
        self._links[session] = link

        def lost() -> None:
            self._end(session)
            ended()

        link.attach(session.receive, lost)

    def queued(self, session: Session) -> int:
        """Bytes that a session's client has not taken yet."""
        link = self._links.get(session)
        return 0 if link is None else link.queued

    def cut(self, session: Session, reason: str) -> None:
        """Ends a session's connection (1011): the gateway cannot give it what it asked for."""
        if (link := self._links.get(session)) is not None:
            link.end(UNABLE, reason)

    async def close_former(self) -> None:
        """Closes what the former run of this gateway left behind. Raises RedisError."""
        former: dict[Any, Any] = await self._redis.hgetall(self._key)
        for name, member in former.items():
            self.spawn(self._close(name.decode(), member.decode(), 0))

    async def stop(self) -> None:
        """Closes all sessions at once, without grace."""
        names = list(self._lingering)
        members = [str(principal.member) for principal, _ in self._lingering.values()]
        for session in tuple(self._links):
            if session.cancel_on_disconnect and session.principal is not None and session.principal.member:
                names.append(session.name)
                members.append(session.principal.member)
            session.end()
        for task in tuple(self._tasks):
            task.cancel()
        with contextlib.suppress(Refusal, RedisError, OSError, TimeoutError):
            for member, name in zip(members, names, strict=True):
                self._sequencer.submit(SessionClose(member, name), lambda _: None)
            await asyncio.wait_for(self._sequencer.drain(), 5.0)
            if names and self._sequencer.available:
                await self._redis.hdel(self._key, *names)

    async def patrol(self) -> None:
        """Closes sessions that are silent too long or whose key was revoked, until cancelled."""
        while True:
            await asyncio.sleep(PATROL_SECONDS)
            silent_since = time.monotonic() - self._settings.session_idle_seconds
            revoked = await self._revoked()
            for session, link in tuple(self._links.items()):
                if session.principal is None:
                    continue
                if session.heard_at < silent_since:
                    link.end(IDLE, "silent too long")
                elif session.principal.key_id in revoked:
                    link.end(REVOKED, "the key was revoked")

    async def _revoked(self) -> set[str]:
        keys = {session.principal.key_id for session in self._links if session.principal is not None}
        try:
            return {key_id for key_id in keys if await self._doorman.principal(key_id) is None}
        except (SQLAlchemyError, OSError) as error:
            log.warning("the registry is not reachable", error=str(error))
            return set()

    def _challenge(self, session: Session, request: Request) -> None:
        only(request.params, "key_id")
        parse_identifier(request.params.get("key_id"), "key_id")
        session.nonce = new_nonce()
        request.succeed({"nonce": session.nonce})

    def _logon(self, session: Session, request: Request) -> None:
        only(request.params, "key_id", "signature")
        key_id = parse_identifier(request.params.get("key_id"), "key_id")
        signature = request.params.get("signature")
        if not isinstance(signature, str) or len(signature) != 128:
            raise BadValue("signature", signature, "128 hexadecimal characters: Ed25519 over the nonce's text")
        if session.principal is not None:
            raise Refusal("NOT_PERMITTED", f"this session is logged on as {session.principal.key_id} already")
        nonce, session.nonce = session.nonce, None
        if nonce is None:
            raise Refusal("NOT_PERMITTED", "ask for a nonce first (session.challenge); each is good for one log-on")
        self.spawn(self._log_on(session, request, key_id, nonce, signature))

    async def _log_on(self, session: Session, request: Request, key_id: str, nonce: str, signature: str) -> None:
        try:
            principal = await self._doorman.log_on(key_id, nonce, signature)
            if principal.member is not None and not self._adopt(session, principal):
                async with self._notes:
                    await self._redis.hset(self._key, session.name, principal.member)
        except NotAuthentic as error:
            request.refuse(Refusal("NOT_PERMITTED", str(error)))
            return
        except (SQLAlchemyError, RedisError, OSError) as error:
            log.warning("a log-on failed", error=str(error))
            request.refuse(Refusal("UNAVAILABLE", "log-on is not possible at the moment", retry_after_ms=1_000))
            return
        session.principal = principal
        if session.ended:
            self._let_go(session, principal)
            return
        request.succeed(
            {
                "member": principal.member,
                "staff": principal.staff,
                "accounts": self._view.members.get(principal.member or "", []),
                "permissions": sorted(principal.permissions),
                "session": session.name,
            }
        )

    def _adopt(self, session: Session, principal: Principal) -> bool:
        """A key that comes back within the grace takes up its session again, and with it the session's orders."""
        for name, (former, task) in self._lingering.items():
            if former.key_id == principal.key_id:
                task.cancel()
                del self._lingering[name]
                session.name = name
                return True
        return False

    def _heartbeat(self, _: Session, request: Request) -> None:
        only(request.params)
        request.succeed({})

    def _cancel_on_disconnect(self, session: Session, request: Request) -> None:
        only(request.params, "enabled", "grace_ms")
        session.require("trade")
        enabled = request.params.get("enabled")
        grace = request.params.get("grace_ms", 0)
        if not isinstance(enabled, bool):
            raise BadValue("enabled", enabled, "true or false")
        if not isinstance(grace, int) or isinstance(grace, bool) or not 0 <= grace <= MAX_GRACE_MS:
            raise BadValue("grace_ms", grace, f"a whole number from 0 to {MAX_GRACE_MS}")
        session.cancel_on_disconnect, session.grace_ms = enabled, grace
        request.succeed({"enabled": enabled, "grace_ms": grace})

    def _end(self, session: Session) -> None:
        session.end()
        self._links.pop(session, None)
        if session.principal is not None:
            self._let_go(session, session.principal)

    def _let_go(self, session: Session, principal: Principal) -> None:
        """What becomes of the orders of a session that has ended."""
        if principal.member is None:
            return
        if not session.cancel_on_disconnect:
            self.spawn(self._forget(session.name))
            return
        task = self.spawn(self._close(session.name, principal.member, session.grace_ms))
        if session.grace_ms:
            self._lingering[session.name] = (principal, task)

    async def _close(self, name: str, member: str, grace_ms: int) -> None:
        await asyncio.sleep(grace_ms / 1_000)
        self._lingering.pop(name, None)
        while isinstance(await self._ask_to_close(name, member), Refusal):
            await asyncio.sleep(RETRY_SECONDS)
        await self._forget(name)

    async def _ask_to_close(self, name: str, member: str) -> Outcome | Refusal:
        answered: asyncio.Future[Outcome | Refusal] = asyncio.get_running_loop().create_future()

        def answer(outcome: Outcome | Refusal) -> None:
            if not answered.done():
                answered.set_result(outcome)

        try:
            self._sequencer.submit(SessionClose(member, name), answer)
        except Refusal as refusal:
            return refusal
        return await answered

    async def _forget(self, name: str) -> None:
        async def delete() -> None:
            async with self._notes:
                await self._redis.hdel(self._key, name)

        await retry(delete, is_any_of(RedisError, OSError), itertools.repeat(RETRY_SECONDS))
