"""The sessions of a gateway: log-on, idle time and methods. Their ends are in ``api.sessions.ends``."""

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from api.edge.allowance import Allowances, TokenBucket
from api.edge.auth import Authenticator, NotAuthentic, Principal, new_nonce
from api.edge.connections import client_of
from api.edge.key_register import KeyRegister
from api.edge.outcome import Refusal
from api.edge.params import check_names, check_whole, read_flag
from api.edge.rpc import Request
from api.journal.pressure import Share
from api.journal.sequencer import Sequencer
from api.sessions.act_log import ActLog
from api.sessions.cancel_after import CancelTimers
from api.sessions.close_codes import CANNOT_RESUME, IDLE, REVOKED, TAKEN_OVER
from api.sessions.ends import Ends
from api.sessions.exchange_time import exchange_time
from api.sessions.heartbeat import HEARTBEAT, MOST_SECONDS, ClientHeartbeat
from api.sessions.link import Link
from api.sessions.log_ons import LogOns
from api.sessions.session import Method, Session
from api.sessions.turns import Turns
from api.view.orders import is_mass
from api.view.view import View
from goldx.hosting.settings import Settings
from goldx.protocol.units import BadValue, parse_identifier
from goldx.protocol.version import PROTOCOL
from goldx.streams.registrations import Registrations

log = structlog.get_logger()

MAX_GRACE_MS: Final = 60_000
NONCE_SECONDS: Final = 30
"""The time for a log-on after its challenge."""
MESSAGE_SECONDS: Final = 30
"""The time in which a message must be complete once it has begun."""
CHECK_SECONDS: Final = 1.0
STOPPED: Final = "the key or its holder was suspended or ended"
VERSION: Final = version("goldx")
MOST_PROTOCOL: Final = 1_000_000
"""The largest number that a log-on may give as a version of the protocol."""
SESSION_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,63}")


class Sessions:
    """All sessions of one run of a gateway. ``prefix`` names that run; names of connections begin with it."""

    def __init__(
        self,
        settings: Settings,
        prefix: str,
        registrations: Registrations,
        view: View,
        sequencer: Sequencer,
        register: KeyRegister,
        anonymous: Allowances,
        acts: ActLog,
    ) -> None:
        self._settings = settings
        self._acts = acts
        self._prefix = prefix
        self._view = view
        self._register = register
        self._authenticator = Authenticator(register)
        self._log_ons = LogOns(time.monotonic, settings.connections_per_address)
        self._anonymous = anonymous
        self._shares: dict[str, Share] = {}
        """By member: the unanswered commands of all its sessions."""
        loop = asyncio.get_running_loop()
        self._turns = Turns(time.monotonic, loop.call_soon, loop.call_later)
        self._numbers = itertools.count(1)
        self._links: dict[Session, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.ends = Ends(registrations, settings.gateway_id, prefix, sequencer, register, self.spawn, self._drop)
        self._cancel_timers = CancelTimers(self.ends, self.spawn)
        self.methods: dict[str, Method] = self._cancel_timers.methods | {
            "session.challenge": self._challenge,
            "session.logon": self._logon,
            HEARTBEAT: self._heartbeat,
            "session.cancel_on_disconnect": self._cancel_on_disconnect,
            "session.status": self._status,
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
        """Begin a session on a connection accepted from an address. ``ended`` is called at its end."""
        session = Session(
            f"{self._prefix}.{next(self._numbers)}",
            methods,
            fast_path,
            link.push,
            self._anonymous.of(client_of(address)),
            time.monotonic,
            reserve=self._anonymous.of(f"log-on {client_of(address)}"),
            turns=self._turns,
            hold=link.hold,
        )
        session.heartbeat = ClientHeartbeat(
            session.send, lambda: link.sent_at, lambda: exchange_time(self._view), time.monotonic, self._turns.after
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

    async def stop(self) -> bool:
        """End all sessions; return whether some are left in their grace. Raises as ``Ends.stop``."""
        for session in tuple(self._links):
            session.end()
            if session.principal is not None:
                session.end_reason = "the gateway stops"
                self._acts.ended(session, session.principal)
        try:
            return await self.ends.stop()
        finally:
            for task in tuple(self._tasks):
                task.cancel()

    async def close_stale(self) -> None:
        """Close sessions that are silent, or leave a message incomplete, for too long, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            idle_since = time.monotonic() - self._settings.session_idle_seconds
            begun_since = asyncio.get_running_loop().time() - MESSAGE_SECONDS
            for session, link in tuple(self._links.items()):
                if link.unfinished_since is not None and link.unfinished_since < begun_since:
                    link.end(IDLE, "a message was not complete in time")
                elif session.principal is None:
                    continue
                elif session.last_message_at < idle_since:
                    session.end_reason = "silent too long"
                    link.end(IDLE, session.end_reason)

    def revoke(self, key_ids: set[str]) -> None:
        """End the sessions of keys that may no longer be used, and cancel their orders, without their grace."""
        for session, link in tuple(self._links.items()):
            if session.principal is not None and session.principal.key_id in key_ids:
                session.cancel_on_disconnect, session.grace_ms = True, 0
                session.end_reason = STOPPED
                link.end(REVOKED, session.end_reason)
                self._end(session)
        self.ends.hurry(key_ids)

    def _challenge(self, session: Session, request: Request) -> None:
        check_names(request.params, "key_id")
        parse_identifier(request.params.get("key_id"), "key_id")
        session.nonce = new_nonce()
        session.nonce_until = time.monotonic() + NONCE_SECONDS
        request.succeed({"nonce": session.nonce})

    def _logon(self, session: Session, request: Request) -> None:
        check_names(request.params, "key_id", "signature", "session", "protocol")
        key_id = parse_identifier(request.params.get("key_id"), "key_id")
        signature = request.params.get("signature")
        if not isinstance(signature, str) or len(signature) != 128:
            raise BadValue("signature", signature, "128 hexadecimal characters: Ed25519 over the nonce's text")
        wanted = request.params.get("session")
        if wanted is not None and not (isinstance(wanted, str) and SESSION_NAME.fullmatch(wanted)):
            raise BadValue("session", wanted, "1 to 63 characters of A-Z a-z 0-9 . _ -")
        _check_protocol(request.params.get("protocol"))
        if session.principal is not None:
            raise Refusal("NOT_PERMITTED", f"this session is logged on as {session.principal.key_id} already")
        nonce, session.nonce = session.nonce, None
        if nonce is None or time.monotonic() > session.nonce_until:
            text = f"ask for a nonce first (session.challenge); each is good for one log-on within {NONCE_SECONDS} s"
            raise Refusal("NOT_PERMITTED", text)
        self._log_ons.begin(session)
        self.spawn(self._log_on(session, request, key_id, nonce, signature, wanted))

    async def _log_on(
        self, session: Session, request: Request, key_id: str, nonce: str, signature: str, wanted: str | None
    ) -> None:
        cancel_after_ms = 0
        try:
            principal = await self._authenticator.log_on(key_id, nonce, signature)
            if principal.member is not None:
                cancel_after_ms = await self.ends.claim(session, principal, wanted)
                if self._register.find(key_id) is None:
                    session.cancel_on_disconnect, session.grace_ms = True, 0
                    self.ends.end(session, principal)
                    raise NotAuthentic(STOPPED)
        except NotAuthentic as error:
            self._log_ons.failed(session)
            self._acts.failed(session, key_id, str(error))
            request.refuse(Refusal("NOT_PERMITTED", str(error)))
            return
        except Refusal as refusal:
            request.refuse(refusal)
            return
        except (RedisError, OSError) as error:
            log.warning("a log-on failed", error=str(error))
            request.refuse(Refusal("UNAVAILABLE", "log-on is not possible at the moment", retry_after_ms=1_000))
            return
        finally:
            self._log_ons.end(session)
        session.principal = principal
        self._cancel_timers.resume(session, cancel_after_ms)
        self._acts.logged_on(session, principal)
        session.bucket, session.reserve = self._new_bucket(), self._new_bucket()
        if principal.member is not None:
            session.share = Share(self._shares.setdefault(principal.member, Share()))
        if session.ended:
            session.cancel_timer.halt()
            self._after_end(session, principal)
            return
        request.succeed(
            {
                "member": principal.member,
                "staff": principal.staff,
                "accounts": self._view.members.get(principal.member or "", []),
                "permissions": sorted(principal.permissions),
                **_settings(session),
                "keys_age_ms": self._register.age_ms,
                "protocol": PROTOCOL,
                "version": VERSION,
            }
        )

    def _status(self, session: Session, request: Request) -> None:
        check_names(request.params)
        if session.principal is None:
            raise Refusal("NOT_PERMITTED", "log on first: session.challenge, then session.logon")
        request.succeed(
            {
                "key_id": session.principal.key_id,
                **_settings(session),
                "cancel_due_at": session.cancel_timer.due_at,
                "heartbeat_seconds": 0 if session.heartbeat is None else session.heartbeat.seconds,
            }
        )

    def _heartbeat(self, session: Session, request: Request) -> None:
        check_names(request.params, "seconds")
        seconds = request.params.get("seconds")
        if seconds is None or session.heartbeat is None:
            request.succeed({})
            return
        session.heartbeat.set(check_whole("seconds", seconds, 0, MOST_SECONDS))
        request.succeed({"seconds": seconds})

    def _cancel_on_disconnect(self, session: Session, request: Request) -> None:
        check_names(request.params, "enabled", "grace_ms")
        session.require("trade")
        enabled = read_flag(request.params, "enabled")
        grace = check_whole("grace_ms", request.params.get("grace_ms", 0), 0, MAX_GRACE_MS)
        if not enabled and session.cancel_on_disconnect and self._may_have_mass_quotes(session):
            text = (
                "the session has sent mass quotes, which need cancel on disconnect; another session may switch it off"
            )
            raise Refusal("NO_CANCEL_ON_DISCONNECT", text)
        session.cancel_on_disconnect, session.grace_ms = enabled, grace
        self.spawn(self._keep_settings(session, request))

    def _may_have_mass_quotes(self, session: Session) -> bool:
        """Return whether mass quotes of a session may be open: its own, or those of the session that it goes on with.

        The latter may be any of its member, as the view does not know the sessions of orders.
        """
        if session.has_mass_quoted or not session.resumed or session.principal is None:
            return session.has_mass_quoted
        names = self._view.members.get(session.principal.member or "", ())
        return any(is_mass(order) for name in names for order in self._view.accounts[name].live.values())

    async def _keep_settings(self, session: Session, request: Request) -> None:
        """Store the settings where another gateway that closes the session will find them, then answer."""
        try:
            await self.ends.keep_settings(session)
        except (RedisError, OSError) as error:
            log.warning("settings of a session were not stored", error=str(error))
            request.refuse(Refusal("UNAVAILABLE", "only this gateway has the settings yet", retry_after_ms=1_000))
            return
        request.succeed({"enabled": session.cancel_on_disconnect, "grace_ms": session.grace_ms})

    def _end(self, session: Session) -> None:
        session.end()
        self._links.pop(session, None)
        if session.principal is not None:
            self._after_end(session, session.principal)

    def _after_end(self, session: Session, principal: Principal) -> None:
        self._acts.ended(session, principal)
        if principal.member is not None:
            self.ends.end(session, principal)

    def _drop(self, session: Session) -> None:
        """End the connection of a session that was taken over elsewhere, and leave its orders."""
        if (link := self._links.pop(session, None)) is not None:
            session.end_reason = "the session goes on over another connection"
            link.end(TAKEN_OVER, session.end_reason)
            if session.principal is not None:
                self._acts.ended(session, session.principal)
        session.end()


def _settings(session: Session) -> dict[str, Any]:
    """Return the name and the settings of a session, as the protocol shows them."""
    return {
        "session": session.name.rpartition("/")[2],
        "cancel_on_disconnect": session.cancel_on_disconnect,
        "grace_ms": session.grace_ms,
        "cancel_after_ms": session.cancel_timer.ms,
    }


def _check_protocol(oldest: object) -> None:
    """Check the oldest version of the protocol that is enough for a client, None if it does not say.

    Raises BadValue, and Refusal (PROTOCOL) if this gateway's is older.
    """
    if oldest is not None and check_whole("protocol", oldest, 1, MOST_PROTOCOL) > PROTOCOL:
        text = f"the client needs version {oldest} of the protocol, and this gateway ({VERSION}) has version {PROTOCOL}"
        raise Refusal("PROTOCOL", text, protocol=PROTOCOL, version=VERSION)
