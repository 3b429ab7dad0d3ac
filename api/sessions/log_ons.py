"""The limits on log-ons under way: one for each session, a few for each address, and a number for the gateway.

A failed log-on is charged to its address. An address with too many failures must wait, which slows down guessing.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from api.edge.allowance import Allowances
from api.edge.connections import client_of
from api.edge.outcome import Refusal
from api.sessions.session import Session

MOST: Final = 512
"""Log-ons under way in a gateway."""
FAILURES_A_SECOND: Final = 1
FAILURES_AT_ONCE: Final = 20
"""Failed log-ons of an address after which each further one costs it a second of waiting."""


class LogOns:
    """The log-ons under way, at most ``most_of_address`` from one address. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float], most_of_address: int) -> None:
        self._clock = clock
        self._most_of_address = most_of_address
        self._pending: set[Session] = set()
        self._by_address: Counter[str] = Counter()
        self._failures = Allowances(FAILURES_A_SECOND, FAILURES_AT_ONCE, clock)

    def __len__(self) -> int:
        return len(self._pending)

    def begin(self, session: Session) -> None:
        """Count a log-on that begins. Raises Refusal (RATE_LIMITED)."""
        if session in self._pending:
            raise _refusal("a log-on of this session is under way", 1_000)
        if len(self._pending) >= MOST:
            raise _refusal(f"{MOST} log-ons are under way at this gateway", 1_000)
        client = client_of(session.address)
        if self._by_address[client] >= self._most_of_address:
            raise _refusal(f"{self._most_of_address} log-ons are under way from this address", 1_000)
        failures = self._failures.of(client)
        if wait_ms := failures.take(self._clock()):
            raise _refusal(f"too many log-ons of this address have failed; the next may come in {wait_ms} ms", wait_ms)
        failures.spend(self._clock(), -1)  # only a failed one is charged
        self._pending.add(session)
        self._by_address[client] += 1

    def end(self, session: Session) -> None:
        """Count a log-on that has ended."""
        client = client_of(session.address)
        self._pending.discard(session)
        self._by_address[client] -= 1
        if not self._by_address[client]:
            del self._by_address[client]

    def failed(self, session: Session) -> None:
        """Charge a failed log-on to the session's address."""
        self._failures.of(client_of(session.address)).spend(self._clock())


def _refusal(text: str, wait_ms: int) -> Refusal:
    return Refusal("RATE_LIMITED", text, retry_after_ms=wait_ms)
