"""The sessions of a gateway: log-on, idle time, and cancelling a session's orders after its end.

A logged-on member session is registered in Redis before it can place an order. When it has ended, and its grace has
passed without the same key logging on again, ``session.close`` goes to the journal and the registration is removed. A
gateway that was killed closes the registered sessions of its former run when it starts.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.edge.allowance import Allowances, TokenBucket
from api.edge.auth import Authenticator, NotAuthentic, Principal, new_nonce
from api.edge.key_register import KeyRegister
from api.edge.outcome import Refusal
from api.edge.params import check_names, check_whole, read_flag
from api.edge.rpc import Request
from api.journal.pressure import Share
from api.journal.sequencer import Sequencer
from api.sessions.close_codes import CANNOT_RESUME, IDLE, REVOKED
from api.sessions.link import Link
from api.sessions.log_ons import LogOns
from api.sessions.session import Method, Session
from api.sessions.turns import Turns
from api.view.view import View
from goldx.hosting.settings import Settings
from goldx.protocol.commands import SessionClose
from goldx.protocol.units import BadValue, parse_identifier
from goldx.retry import is_any_of, retry

log = structlog.get_logger()

MAX_GRACE_MS: Final = 60_000
NONCE_SECONDS: Final = 30
"""The time for a log-on after its challenge."""
MESSAGE_SECONDS: Final = 30
"""The time in which a message that has begun must end."""
RETRY_SECONDS: Final = 0.5
CHECK_SECONDS: Final = 1.0
MAX_REGISTRY_CALLS: Final = 32
"""Calls to the registry in Redis at the same time: each takes a connection of the pool, and the others wait."""


class Sessions:
    """All sessions of one run of a gateway.

    ``prefix`` names the gateway and its run; the names of the sessions begin with it. ``key`` is the hash in Redis
    with the registrations: session -> member.
    """

    def __init__(
        self,
        settings: Settings,
        prefix: str,
        redis: Redis,
        key: str,
        view: View,
        sequencer: Sequencer,
        register: KeyRegister,
        anonymous: Allowances,
    ) -> None:
        self._settings = settings
        self._prefix = prefix
        self._redis = redis
        self._key = key
        self._view = view
        self._sequencer = sequencer
        self._register = register
        self._authenticator = Authenticator(register)
        self._log_ons = LogOns(time.monotonic)
        self._anonymous = anonymous
        self._shares: dict[str, Share] = {}
        """By member: the unanswered commands of all its sessions."""
        loop = asyncio.get_running_loop()
        self._turns = Turns(time.monotonic, loop.call_soon, loop.call_later)
        self._numbers = itertools.count(1)
        self._links: dict[Session, Link] = {}
        self._in_grace: dict[str, tuple[Principal, asyncio.Task[None]]] = {}
        """By name: sessions that have ended and that the same key may still resume."""
        self._registry_calls = asyncio.Semaphore(MAX_REGISTRY_CALLS)
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
        """Run a coroutine beside the sessions. It is cancelled when the gateway stops."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def open(
        self,
        link: Link,
        address: str,
        methods: dict[str, Method],
        fast_path: Callable[[Session, bytes], bool],
        ended: Callable[[], None],
    ) -> None:
        """Begin a session on a connection that was accepted from an address. ``ended`` is called at its end."""
        session = Session(
            f"{self._prefix}.{next(self._numbers)}",
            methods,
            fast_path,
            link.push,
            self._anonymous.of(address),
            time.monotonic,
            reserve=self._anonymous.of(f"log-on {address}"),
            turns=self._turns,
            hold=link.hold,
        )
        session.address = address
        self._links[session] = link

        def lost() -> None:
            self._end(session)
            ended()

        link.attach(session.receive, lost)

    def _new_bucket(self) -> TokenBucket:
        return TokenBucket(self._settings.session_rate, self._settings.session_burst, time.monotonic())

    def queued(self, session: Session) -> int:
        """Return the bytes that are not sent yet to a session's client."""
        link = self._links.get(session)
        return 0 if link is None else link.queued

    def cut(self, session: Session, reason: str) -> None:
        """End a session's connection: the gateway cannot send what the client asked for (CANNOT_RESUME)."""
        if (link := self._links.get(session)) is not None:
            link.end(CANNOT_RESUME, reason)

    async def close_former(self) -> None:
        """Close the sessions that the former run of this gateway left registered. Raises RedisError."""
        former: dict[Any, Any] = await self._redis.hgetall(self._key)
        for name, member in former.items():
            self.spawn(self._close(name.decode(), member.decode(), 0))

    async def stop(self) -> None:
        """Close all sessions at once, without grace."""
        names = list(self._in_grace)
        members = [str(principal.member) for principal, _ in self._in_grace.values()]
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

    async def close_stale(self) -> None:
        """Close sessions that are silent or within a message for too long, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            idle_since = time.monotonic() - self._settings.session_idle_seconds
            begun_since = asyncio.get_running_loop().time() - MESSAGE_SECONDS
            for session, link in tuple(self._links.items()):
                if link.unfinished_since is not None and link.unfinished_since < begun_since:
                    link.end(IDLE, "a message has not ended in time")
                elif session.principal is None:
                    continue
                elif session.last_message_at < idle_since:
                    link.end(IDLE, "silent too long")

    def revoke(self, key_ids: set[str]) -> None:
        """End the sessions of revoked keys, and cancel their orders at once, whatever grace they had."""
        for session, link in tuple(self._links.items()):
            if session.principal is not None and session.principal.key_id in key_ids:
                session.cancel_on_disconnect, session.grace_ms = True, 0
                link.end(REVOKED, "the key was revoked")
                self._end(session)
        for name, (principal, task) in tuple(self._in_grace.items()):
            if principal.key_id in key_ids:
                task.cancel()
                del self._in_grace[name]
                self.spawn(self._close(name, str(principal.member), 0))

    def _challenge(self, session: Session, request: Request) -> None:
        check_names(request.params, "key_id")
        parse_identifier(request.params.get("key_id"), "key_id")
        session.nonce = new_nonce()
        session.nonce_until = time.monotonic() + NONCE_SECONDS
        request.succeed({"nonce": session.nonce})

    def _logon(self, session: Session, request: Request) -> None:
        check_names(request.params, "key_id", "signature")
        key_id = parse_identifier(request.params.get("key_id"), "key_id")
        signature = request.params.get("signature")
        if not isinstance(signature, str) or len(signature) != 128:
            raise BadValue("signature", signature, "128 hexadecimal characters: Ed25519 over the nonce's text")
        if session.principal is not None:
            raise Refusal("NOT_PERMITTED", f"this session is logged on as {session.principal.key_id} already")
        nonce, session.nonce = session.nonce, None
        if nonce is None or time.monotonic() > session.nonce_until:
            text = f"ask for a nonce first (session.challenge); each is good for one log-on within {NONCE_SECONDS} s"
            raise Refusal("NOT_PERMITTED", text)
        self._log_ons.begin(session)
        self.spawn(self._log_on(session, request, key_id, nonce, signature))

    async def _log_on(self, session: Session, request: Request, key_id: str, nonce: str, signature: str) -> None:
        try:
            principal = await self._authenticator.log_on(key_id, nonce, signature)
            if principal.member is not None and not self._resume(session, principal):
                async with self._registry_calls:
                    await self._redis.hset(self._key, session.name, principal.member)
                if self._register.find(key_id) is None:
                    self.spawn(self._deregister(session.name))
                    raise NotAuthentic("the key was revoked")
        except NotAuthentic as error:
            self._log_ons.failed(session)
            request.refuse(Refusal("NOT_PERMITTED", str(error)))
            return
        except (RedisError, OSError) as error:
            log.warning("a log-on failed", error=str(error))
            request.refuse(Refusal("UNAVAILABLE", "log-on is not possible at the moment", retry_after_ms=1_000))
            return
        finally:
            self._log_ons.end(session)
        session.principal = principal
        session.bucket, session.reserve = self._new_bucket(), self._new_bucket()
        if principal.member is not None:
            session.share = Share(self._shares.setdefault(principal.member, Share()))
        if session.ended:
            self._after_end(session, principal)
            return
        request.succeed(
            {
                "member": principal.member,
                "staff": principal.staff,
                "accounts": self._view.members.get(principal.member or "", []),
                "permissions": sorted(principal.permissions),
                "session": session.name,
                "keys_age_ms": self._register.age_ms,
            }
        )

    def _resume(self, session: Session, principal: Principal) -> bool:
        """Resume the ended session of the same key, with its orders, if its grace has not passed."""
        for name, (former, task) in self._in_grace.items():
            if former.key_id == principal.key_id:
                task.cancel()
                del self._in_grace[name]
                session.name = name
                return True
        return False

    def _heartbeat(self, _: Session, request: Request) -> None:
        check_names(request.params)
        request.succeed({})

    def _cancel_on_disconnect(self, session: Session, request: Request) -> None:
        check_names(request.params, "enabled", "grace_ms")
        session.require("trade")
        enabled = read_flag(request.params, "enabled")
        grace = check_whole("grace_ms", request.params.get("grace_ms", 0), 0, MAX_GRACE_MS)
        session.cancel_on_disconnect, session.grace_ms = enabled, grace
        request.succeed({"enabled": enabled, "grace_ms": grace})

    def _end(self, session: Session) -> None:
        session.end()
        self._links.pop(session, None)
        if session.principal is not None:
            self._after_end(session, session.principal)

    def _after_end(self, session: Session, principal: Principal) -> None:
        """Cancel the orders of an ended session after its grace, or keep them if it asked for that."""
        if principal.member is None:
            return
        if not session.cancel_on_disconnect:
            self.spawn(self._deregister(session.name))
            return
        task = self.spawn(self._close(session.name, principal.member, session.grace_ms))
        if session.grace_ms:
            self._in_grace[session.name] = (principal, task)

    async def _close(self, name: str, member: str, grace_ms: int) -> None:
        await asyncio.sleep(grace_ms / 1_000)
        self._in_grace.pop(name, None)
        close = partial(self._sequencer.place, SessionClose(member, name))
        await retry(close, is_any_of(Refusal), itertools.repeat(RETRY_SECONDS))
        await self._deregister(name)

    async def _deregister(self, name: str) -> None:
        async def delete() -> None:
            async with self._registry_calls:
                await self._redis.hdel(self._key, name)

        await retry(delete, is_any_of(RedisError, OSError), itertools.repeat(RETRY_SECONDS))
