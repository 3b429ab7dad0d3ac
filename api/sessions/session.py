"""A member's session: its principal, its limits, and the calls that its messages make. It does no I/O and never waits.

A transport hands messages to ``receive`` and gets the answers through ``push``. So a session works under any
transport. The messages of a chunk are handled in one turn of the event loop, as far as its slice of time goes
(``api.sessions.turns``).
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog

from api.edge import rpc
from api.edge.allowance import TokenBucket
from api.edge.auth import Principal
from api.edge.outcome import Refusal
from api.edge.rpc import Request
from api.journal.pressure import Share
from api.sessions.cancel_timer import CANCEL_AFTER, CancelTimer
from api.sessions.heartbeat import HEARTBEAT, ClientHeartbeat
from api.sessions.subscribed import Start, Subscribed
from api.sessions.traced import TracedRefusals
from api.sessions.turns import Turns
from goldx.protocol.commands import OrderCancel, OrderCancelAll, QuoteCancel
from goldx.protocol.deal_commands import DealCancel, DealDecline
from goldx.protocol.quote_commands import QuoteMass
from goldx.protocol.rfq_commands import RfqCancel, RfqWithdraw
from goldx.protocol.units import BadValue, as_json

log = structlog.get_logger()

Method = Callable[["Session", Request], None]

CANCEL_METHODS: Final = frozenset(
    (
        OrderCancel.method,
        OrderCancelAll.method,
        QuoteCancel.method,
        DealDecline.method,
        DealCancel.method,
        RfqWithdraw.method,
        RfqCancel.method,
        HEARTBEAT,
        CANCEL_AFTER,
        "channel.unsubscribe",
    )
)
"""Methods that a session pays from its reserve, so that it can always cancel its orders."""
LOG_ON_METHODS: Final = frozenset(("session.challenge", "session.logon"))
"""Methods paid from the reserve before the log-on."""
SELF_LIMITED: Final = frozenset((QuoteMass.method,))
"""Methods that take their units themselves once they know what is asked for."""
ROWS_OF_A_UNIT: Final = 20
"""Rows of an answer, or messages of a channel, that cost one unit."""
MAX_BACKLOG_BYTES: Final = 128 << 10
"""The number of waiting messages above which no more are read."""
STEP_MESSAGES: Final = 16
"""The plain orders and cancels that are handled in one step, as each of them takes some microseconds."""
PAUSE_SECONDS: Final = 0.1
"""The time for which a session is not read that keeps sending requests beyond its rate limit."""


class Session:
    """One session. Its orders carry ``name``.

    ``fast_path`` is tried first for every message and returns whether it took the message (``api.sessions.quick``).
    ``bucket`` pays for its requests, ``reserve`` for those of LOG_ON_METHODS and, once it is logged on, of
    CANCEL_METHODS. ``clock`` gives seconds; it is read for limits only, never for the market. ``hold`` stops
    the reading of messages, or goes on.
    """

    def __init__(
        self,
        name: str,
        methods: Mapping[str, Method],
        fast_path: Callable[["Session", bytes], bool],
        push: Callable[[bytes], None],
        bucket: TokenBucket,
        clock: Callable[[], float],
        *,
        reserve: TokenBucket,
        turns: Turns,
        hold: Callable[[bool], None],
    ) -> None:
        self.name = name
        self.holder = name
        """The unique name of the connection; the session may get another name at its log-on."""
        self.principal: Principal | None = None
        self.end_reason = "the connection ended"
        self.address = ""
        """The address from which the connection comes."""
        self.nonce: str | None = None
        self.nonce_until = 0.0
        """The time, by the clock, until which the nonce may be used."""
        self.cancel_on_disconnect = True
        self.grace_ms = 0
        self.cancel_timer = CancelTimer(clock, turns.after, lambda: self.has_waiting(CANCEL_AFTER))
        """Cancels its orders unless it is started again in time."""
        self.heartbeat: ClientHeartbeat | None = None
        """The messages to its client when nothing else is sent; None without a connection."""
        self.kept_cancel_after_ms = 0
        """The time of the timer that is registered for other gateways."""
        self.resumed = False
        """Whether it goes on with the orders of a session of its name."""
        self.has_mass_quoted = False
        """Whether it has sent mass quotes, so that its orders have to be cancelled at its end."""
        self.channels: dict[str, Subscribed] = {}
        """Subscriptions by the name of the channel."""
        self.beginning: set[Start] = set()
        """Subscriptions that will begin in one of the next turns."""
        self.last_message_at = clock()
        self.ended = False
        self.bucket = bucket
        self.share: Share | None = None
        """The unanswered commands of a member's session; None for the venue's."""
        self.reserve = reserve
        self._methods = methods
        self._fast_path = fast_path
        self._push = push
        self._clock = clock
        self._turns = turns
        self._hold = hold
        self._traced: TracedRefusals | None = None
        """The log of its traced requests, once it has sent one."""
        self._waiting: deque[bytes] = deque()
        self._batch: rpc.Batch | None = None
        """The batch whose requests are being handled."""
        self._working = False
        """Whether ``_step`` will be called again."""
        self._held = False

    def receive(self, messages: list[bytes]) -> None:
        """Handle messages from the client, in their order."""
        self.last_message_at = self._clock()
        self._waiting.extend(messages)
        if not self._working:
            self._working = True
            self._turns.start(self._step)
        if self._waiting and sum(map(len, self._waiting)) > MAX_BACKLOG_BYTES:
            self._stop_reading()

    def _step(self) -> bool:
        """Handle the next plain orders and cancels, the next other message, or the next request of a batch.

        Returns whether there is more to do now.
        """
        if self.ended or (self._batch is None and not self._waiting):
            return self._finish()
        if self._batch is None:
            self._handle_next()
        elif not self._batch.step():
            self._batch = None
        if self.bucket.is_exhausted(self._clock()):
            self._stop_reading()
            self._turns.after(PAUSE_SECONDS, partial(self._turns.later, self._step))
            return False
        return True if self._batch is not None or self._waiting else self._finish()

    def _handle_next(self) -> None:
        waiting, fast_path = self._waiting, self._fast_path
        for _ in range(min(STEP_MESSAGES, len(waiting))):
            data = waiting.popleft()
            if not fast_path(self, data):
                self._batch = rpc.handle(data, self.send, self._call, self.bill)
                if self._batch is not None:
                    self._batch.wake = partial(self._wake, self._batch)
                return
            if not waiting:
                return  # also where the answer to a message has ended the session

    def _finish(self) -> bool:
        self._working = False
        if self._held:
            self._held = False
            self._hold(False)
        return False

    def _stop_reading(self) -> None:
        if not self._held:
            self._held = True
            self._hold(True)

    def work(self, step: Callable[[], bool]) -> None:
        """Call ``step`` until it has no more work, while further requests are handled."""
        self._turns.later(step)

    def _wake(self, batch: rpc.Batch) -> None:
        """Go on with a batch whose next request has waited for answers."""

        def step() -> bool:
            return not self.ended and batch.step()

        self.work(step)

    def send(self, data: bytes) -> None:
        """Send one message to the client, unless the session has ended."""
        if not self.ended:
            self._push(data)

    def end(self) -> None:
        """End the session and its subscriptions: the connection has ended."""
        self.ended = True
        self.cancel_timer.halt()
        if self.heartbeat is not None:
            self.heartbeat.halt()
        self._waiting.clear()
        self._batch = None
        for subscribed in self.channels.values():
            subscribed.channel.unsubscribe(self)
        self.channels.clear()
        self.beginning.clear()

    def has_waiting(self, method: str) -> bool:
        """Return whether a request of a method was received and is not handled yet, as far as it can be seen."""
        name = method.encode()
        if self._batch is not None and self._batch.has_waiting(method):
            return True
        return any(name in data for data in self._waiting)

    def has(self, subscribed: Subscribed) -> bool:
        """Return whether a subscription still exists and has not begun anew."""
        return self.channels.get(subscribed.channel.name) is subscribed

    def _call(self, request: Request) -> None:
        if request.trace is not None and self.principal is not None:
            if self._traced is None:
                self._traced = TracedRefusals(self._clock)
            request = self._traced.watch(request, self.name)
        method = self._methods.get(request.method)
        if method is None:
            self.bill()
            known = ", ".join(sorted(self._methods))
            name = as_json(request.method[:64])
            request.fail(rpc.METHOD_NOT_FOUND, f"method: {name} is not known; there are {known}")
            return
        try:
            if request.method not in SELF_LIMITED:
                self.limit(request.method)
            method(self, request)
        except Refusal as refusal:
            request.refuse(refusal)
        except BadValue as error:
            request.reject(error)
        except Exception:
            log.exception("a request failed", method=request.method, session=self.name, trace=request.trace)
            request.fail(rpc.INTERNAL_ERROR, "the gateway failed on this request; it has been logged")

    def limit(self, method: str) -> None:
        """Take a unit for a request. Raises Refusal (RATE_LIMITED)."""
        reserved = LOG_ON_METHODS if self.principal is None else CANCEL_METHODS
        bucket = self.reserve if method in reserved else self.bucket
        if wait_ms := bucket.take(self._clock()):
            raise _too_many(wait_ms)

    def charge(self, rows: int) -> None:
        """Take the cost of an answer of ``rows`` rows beyond its first unit. Raises Refusal (RATE_LIMITED)."""
        if rows >= ROWS_OF_A_UNIT:
            self._take(self.bucket, rows // ROWS_OF_A_UNIT)

    def correct_charge(self, charged: int, rows: int) -> None:
        """Charge an answer of ``rows`` rows for which ``charged`` rows were charged: take the rest, or give it back.

        Raises Refusal (RATE_LIMITED).
        """
        units = rows // ROWS_OF_A_UNIT - charged // ROWS_OF_A_UNIT
        if units > 0:
            self._take(self.bucket, units)
        else:
            self.bill(units)

    def bill(self, units: int = 1) -> None:
        """Take units for a refused request, even if the session has none left."""
        self.bucket.spend(self._clock(), units)

    def _take(self, bucket: TokenBucket, cost: int) -> None:
        if wait_ms := bucket.take(self._clock(), cost):
            raise _too_many(wait_ms)

    def require(self, permission: str) -> Principal:
        """Return the principal if it has a permission. Raises Refusal (NOT_PERMITTED)."""
        principal = self.principal
        if principal is None:
            raise Refusal("NOT_PERMITTED", "log on first: session.challenge, then session.logon")
        if permission not in principal.permissions:
            raise Refusal("NOT_PERMITTED", f"key {principal.key_id} has not the permission {as_json(permission)}")
        return principal


def _too_many(wait_ms: int) -> Refusal:
    text = f"too many requests in this session; the next is allowed in {wait_ms} ms"
    return Refusal("RATE_LIMITED", text, retry_after_ms=wait_ms)
