"""How many log-ons may be under way: one of a session, a few of an address, and a number of the whole gateway.

A failed log-on is paid by its address. An address that has failed too often has to pause, and so does whoever guesses.
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
"""Failed log-ons of an address until it has to pause, for a second each."""


class LogOns:
    """The log-ons that are under way, at most ``most_of_address`` from one address. ``clock`` gives seconds."""

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
        failures.spend(self._clock(), -1)  # only a failed one is paid
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
        """Let the session's address pay for a log-on that has failed."""
        self._failures.of(client_of(session.address)).spend(self._clock())


def _refusal(text: str, wait_ms: int) -> Refusal:
    return Refusal("RATE_LIMITED", text, retry_after_ms=wait_ms)
