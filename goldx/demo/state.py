"""The state that the displays of the demonstration draw."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from goldx.client.local_book import LocalBook


@dataclass
class DisplayState:
    """The progress and the figures of a demonstration.

    ``step`` of ``steps`` is under way, ``note`` says more about it, ``results`` holds a sentence for each step before.
    ``latencies`` are the newest ones, in microseconds; ``holdings``: account -> asset -> fen or fine milligrams.
    """

    steps: Sequence[str]
    step: int = 0
    note: str = ""
    results: dict[int, str] = field(default_factory=dict)
    books: dict[str, LocalBook] = field(default_factory=dict)
    holdings: dict[str, dict[str, int]] = field(default_factory=dict)
    latencies: deque[int] = field(default_factory=lambda: deque(maxlen=2_000))
    acked: int = 0
    refused: int = 0
    changes: int = 0
    posted: int = 0
    """Trades in the ledger."""
    trading_since: float | None = None
    trading_seconds: float = 0.0
    _samples: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=9))

    @property
    def trades(self) -> int:
        """The day's trades of all instruments."""
        return sum(book.trades for book in self.books.values())

    @property
    def current(self) -> str:
        """The name of the step that is under way."""
        return self.steps[self.step] if self.step < len(self.steps) else "Done."

    def sample(self) -> None:
        """Sample the counters, for ``rates``, which looks back over the last nine samples."""
        self._samples.append((time.monotonic(), self.acked + self.changes, self.trades))

    def rates(self) -> tuple[float, float]:
        """Return requests answered and trades, per second."""
        if len(self._samples) < 2:
            return 0.0, 0.0
        (then, requests, trades), (now, requests_now, trades_now) = self._samples[0], self._samples[-1]
        seconds = max(now - then, 0.001)
        return (requests_now - requests) / seconds, (trades_now - trades) / seconds

    def latency(self) -> str:
        """Return p50 and p99 of the newest orders as text."""
        found = percentiles(self.latencies)
        return "no orders yet" if found is None else f"p50 {found[0]:.1f} ms, p99 {found[1]:.1f} ms"


def percentiles(latencies: Sequence[int] | deque[int]) -> tuple[float, float] | None:
    """Return p50 and p99 in milliseconds of latencies in microseconds, by nearest rank; None if there are none."""
    if not latencies:
        return None
    ordered = sorted(latencies)
    last = len(ordered) - 1
    return ordered[last // 2] / 1_000, ordered[last * 99 // 100] / 1_000
