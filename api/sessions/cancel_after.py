"""``session.cancel_after``: a session's orders are cancelled unless it says again and again that it is in control.

What is cancelled is what the end of the session would cancel, in the same way (``api.sessions.ends``), but the session
goes on. The connection may end before the time is over: then the orders are cancelled at the latest when it is.
"""

import itertools
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from api.edge.outcome import Refusal
from api.edge.params import check_names, check_whole
from api.edge.rpc import Request, encode
from api.sessions.cancel_timer import CANCEL_AFTER
from api.sessions.ends import RETRY_SECONDS, Ends
from api.sessions.exchange_time import now_ms
from api.sessions.session import Method, Session
from goldx.protocol.events import OrderCancelled
from goldx.protocol.units import BadValue
from goldx.retry import is_any_of, retry

log = structlog.get_logger()

SHORTEST_MS: Final = 100
LONGEST_MS: Final = 3_600_000


class CancelTimers:
    """The timers of all sessions of a gateway. ``spawn`` runs a coroutine until the gateway stops."""

    def __init__(self, ends: Ends, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._ends = ends
        self._spawn = spawn
        self.methods: dict[str, Method] = {CANCEL_AFTER: self._set}

    def resume(self, session: Session, ms: int) -> None:
        """Start the timer of a session that has logged on and goes on with one of ``ms``; 0: it has none."""
        session.cancel_timer.expired = lambda: self._expired(session)
        session.kept_cancel_after_ms = ms
        if ms:
            session.cancel_timer.start(ms, now_ms())

    def _set(self, session: Session, request: Request) -> None:
        check_names(request.params, "ms")
        session.require("trade")
        ms = request.params.get("ms")
        if ms != 0 or isinstance(ms, bool):
            try:
                ms = check_whole("ms", ms, SHORTEST_MS, LONGEST_MS)
            except BadValue as error:
                raise BadValue("ms", ms, f"0, or {error.allowed}") from None
        if ms:
            session.cancel_timer.start(ms, now_ms())
        else:
            session.cancel_timer.stop()
        result = {"ms": ms, "due_at": session.cancel_timer.due_at}
        if session.kept_cancel_after_ms == ms:
            request.succeed(result)
        else:
            self._spawn(self._keep(session, request, result))

    async def _keep(self, session: Session, request: Request, result: dict[str, Any]) -> None:
        """Store the setting where another gateway that closes the session will find it, then answer."""
        try:
            await self._ends.keep_settings(session)
        except (RedisError, OSError) as error:
            log.warning("the timer of a session was not stored", error=str(error))
            text = "the timer is set, but only this gateway has it yet"
            request.refuse(Refusal("UNAVAILABLE", text, retry_after_ms=1_000))
            return
        request.succeed(result)

    def _expired(self, session: Session) -> None:
        self._spawn(self._cancel(session, session.cancel_timer.due_at))

    async def _cancel(self, session: Session, due_at: int | None) -> None:
        """Cancel the orders of a session whose timer has run out at ``due_at``, and tell it."""
        fired_at = now_ms()
        log.warning("the timer of a session has run out, its orders are cancelled", session=session.name, due_at=due_at)
        outcome = await self._ends.cancel_orders(session)
        if outcome is None:
            return  # the session goes on over another connection, with a timer of its own
        orders = sum(isinstance(event, OrderCancelled) and event.reason == "DISCONNECT" for event in outcome)
        params = {"due_at": due_at, "fired_at": fired_at, "orders": orders}
        session.send(encode({"jsonrpc": "2.0", "method": CANCEL_AFTER, "params": params}))
        if session.cancel_timer.due_at != due_at:
            return  # it was started again meanwhile
        session.cancel_timer.stop()
        if not session.ended:
            keep = partial(self._ends.keep_settings, session)
            await retry(keep, is_any_of(RedisError, OSError), itertools.repeat(RETRY_SECONDS))
