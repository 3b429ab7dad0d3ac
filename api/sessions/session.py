"""A member's session: who it is, what it may do, and the call of one message. No I/O, no waiting.

Whatever carries the messages hands each one to ``receive`` and gets answers through ``push``; so the same session works
under any transport, and a chunk of messages costs no turn of the event loop.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from api.edge import rpc
from api.edge.rpc import Refusal, Request
from api.view.channels import Channel
from goldx.protocol.units import BadValue
from settlement.base.registry import Principal

log = structlog.get_logger()

Method = Callable[["Session", Request], None]

FREE: Final = frozenset(
    ("session.heartbeat", "order.cancel", "order.cancel_all", "quote.cancel", "channel.unsubscribe")
)
"""Methods that no rate limit holds up."""


class Bucket:
    """A token bucket: ``rate`` requests a second, ``burst`` at once."""

    def __init__(self, rate: int, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> int:
        """0, or after how many ms the next request is allowed."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return math.ceil((1 - self._tokens) / self._rate * 1_000)


class Session:
    """``name`` is what its orders carry. ``quick`` takes the messages that need no long way (``api.sessions.quick``).

    ``clock`` gives seconds and is read for limits only, never for the market.
    """

    def __init__(
        self,
        name: str,
        methods: Mapping[str, Method],
        quick: Callable[["Session", bytes], bool],
        push: Callable[[bytes], None],
        bucket: Bucket,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.principal: Principal | None = None
        self.nonce: str | None = None
        self.cancel_on_disconnect = True
        self.grace_ms = 0
        self.channels: dict[str, Channel | None] = {}
        """What it is subscribed to; None while the missed messages of an account are being read."""
        self.heard_at = clock()
        self.ended = False
        self._methods = methods
        self._quick = quick
        self._push = push
        self._bucket = bucket
        self._clock = clock

    def receive(self, messages: list[bytes]) -> None:
        """Messages from the client, in their order."""
        self.heard_at = self._clock()
        for data in messages:
            if not self._quick(self, data):
                rpc.handle(data, self.send, self._call)

    def send(self, data: bytes) -> None:
        """One message to the client."""
        if not self.ended:
            self._push(data)

    def end(self) -> None:
        """The connection has ended."""
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
            bad_params(request, error)
        except Exception:
            log.exception("a request failed", method=request.method, session=self.name)
            request.fail(rpc.INTERNAL_ERROR, "the gateway failed on this request; it has been logged")

    def limit(self, method: str) -> None:
        """Counts a request. Raises Refusal (RATE_LIMITED)."""
        if method in FREE:
            return
        wait_ms = self._bucket.take(self._clock())
        if wait_ms:
            text = f"too many requests in this session; the next is allowed in {wait_ms} ms"
            raise Refusal("RATE_LIMITED", text, retry_after_ms=wait_ms)

    def require(self, permission: str) -> Principal:
        """The principal, if it has a permission. Raises Refusal (NOT_PERMITTED)."""
        principal = self.principal
        if principal is None:
            raise Refusal("NOT_PERMITTED", "log on first: session.challenge, then session.logon")
        if permission not in principal.permissions:
            raise Refusal("NOT_PERMITTED", f"key {principal.key_id} has not the permission {permission!r}")
        return principal


def bad_params(request: Request, error: BadValue) -> None:
    """Answers with -32602, naming the parameter, its value and what is allowed."""
    data = {"field": error.field, "value": error.value, "allowed": error.allowed}
    request.fail(rpc.INVALID_PARAMS, str(error), data)


def only(params: Mapping[str, Any], *names: str) -> None:
    """Refuses parameters that a method does not have. Raises BadValue."""
    for name in params:
        if name not in names:
            raise BadValue(str(name)[:40], params[name], "one of the parameters " + (", ".join(names) or "(none)"))
