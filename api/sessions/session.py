"""A member's session: its principal, its limits, and the calls that its messages make. It does no I/O and never waits.

A transport hands messages to ``receive`` and gets the answers through ``push``. So a session works under any
transport, and all messages of a chunk are handled in one turn of the event loop.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from api.edge import rpc
from api.edge.auth import Principal
from api.edge.outcome import Refusal
from api.edge.rpc import Request
from api.view.channels import Channel
from goldx.protocol.commands import OrderCancel, OrderCancelAll, QuoteCancel
from goldx.protocol.units import BadValue

log = structlog.get_logger()

Method = Callable[["Session", Request], None]

UNLIMITED_METHODS: Final = frozenset(
    (
        OrderCancel.method,
        OrderCancelAll.method,
        QuoteCancel.method,
        "session.heartbeat",
        "channel.unsubscribe",
    )
)
"""Methods that do not count for the rate limit."""


class TokenBucket:
    """Allows ``rate`` requests a second, and ``burst`` at once. ``now`` is a time in seconds."""

    def __init__(self, rate: int, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> int:
        """Return 0 and count one request, or return the milliseconds after which the next request is allowed."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return math.ceil((1 - self._tokens) / self._rate * 1_000)


class Session:
    """One session. Its orders carry ``name``.

    ``fast_path`` is tried first for every message and returns whether it took the message (``api.sessions.quick``).
    ``clock`` gives seconds; it is read for limits only, never for the market.
    """

    def __init__(
        self,
        name: str,
        methods: Mapping[str, Method],
        fast_path: Callable[["Session", bytes], bool],
        push: Callable[[bytes], None],
        bucket: TokenBucket,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.principal: Principal | None = None
        self.nonce: str | None = None
        self.cancel_on_disconnect = True
        self.grace_ms = 0
        self.channels: dict[str, Channel | None] = {}
        """Subscriptions by channel; None while the missed messages of an account are being read."""
        self.last_message_at = clock()
        self.ended = False
        self._methods = methods
        self._fast_path = fast_path
        self._push = push
        self._bucket = bucket
        self._clock = clock

    def receive(self, messages: list[bytes]) -> None:
        """Handle messages from the client, in their order."""
        self.last_message_at = self._clock()
        for data in messages:
            if not self._fast_path(self, data):
                rpc.handle(data, self.send, self._call)

    def send(self, data: bytes) -> None:
        """Send one message to the client, unless the session has ended."""
        if not self.ended:
            self._push(data)

    def end(self) -> None:
        """End the session and its subscriptions: the connection has ended."""
        self.ended = True
        for channel in self.channels.values():
            if channel is not None:
                channel.unsubscribe(self)
        self.channels.clear()

    def _call(self, request: Request) -> None:
        method = self._methods.get(request.method)
        if method is None:
            known = ", ".join(sorted(self._methods))
            request.fail(rpc.METHOD_NOT_FOUND, f"method: {request.method[:64]!r} is not known; there are {known}")
            return
        try:
            self.limit(request.method)
            method(self, request)
        except Refusal as refusal:
            request.refuse(refusal)
        except BadValue as error:
            request.reject(error)
        except Exception:
            log.exception("a request failed", method=request.method, session=self.name)
            request.fail(rpc.INTERNAL_ERROR, "the gateway failed on this request; it has been logged")

    def limit(self, method: str) -> None:
        """Count a request for the rate limit. Raises Refusal (RATE_LIMITED)."""
        if method in UNLIMITED_METHODS:
            return
        wait_ms = self._bucket.take(self._clock())
        if wait_ms:
            text = f"too many requests in this session; the next is allowed in {wait_ms} ms"
            raise Refusal("RATE_LIMITED", text, retry_after_ms=wait_ms)

    def require(self, permission: str) -> Principal:
        """Return the principal if it has a permission. Raises Refusal (NOT_PERMITTED)."""
        principal = self.principal
        if principal is None:
            raise Refusal("NOT_PERMITTED", "log on first: session.challenge, then session.logon")
        if permission not in principal.permissions:
            raise Refusal("NOT_PERMITTED", f"key {principal.key_id} has not the permission {permission!r}")
        return principal
