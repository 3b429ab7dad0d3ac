"""Allowances, which limit requests: token buckets, one for each address or key."""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_NAMES: Final = 10_000
"""The number of buckets that are kept; beyond it the least recently used one is forgotten."""


class TokenBucket:
    """Allows ``rate`` units a second, and ``burst`` at once. ``now`` is a time in seconds.

    A request costs a unit or more, also if it is refused. So a bucket can be in debt, by at most the units that return
    in one second.
    """

    def __init__(self, rate: int, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float, cost: int = 1) -> int:
        """Return 0 and count a request, or return the milliseconds after which it is allowed."""
        self._fill(now)
        needed = 1 if cost == 1 else max(1, min(cost, self._burst))
        if self._tokens >= needed:
            self._tokens -= cost
            return 0
        self._spend(1)
        return math.ceil((needed - self._tokens) / self._rate * 1_000)

    def spend(self, now: float, cost: int = 1) -> None:
        """Count units for something already done, or refused for another reason; a negative cost gives units back."""
        self._fill(now)
        self._spend(cost)

    def is_exhausted(self, now: float) -> bool:
        """Return whether the debt has reached its limit."""
        self._fill(now)
        return self._tokens <= -self._rate

    def _spend(self, cost: int) -> None:
        self._tokens = max(-self._rate, self._tokens - cost)

    def _fill(self, now: float) -> None:
        tokens = self._tokens + (now - self._at) * self._rate
        self._tokens = tokens if tokens < self._burst else self._burst
        self._at = now


class Allowances:
    """A token bucket for each name: an address, or a key."""

    def __init__(self, rate: int, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def of(self, name: str) -> TokenBucket:
        """Return the bucket of a name, which all users of the name share."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(self._rate, self._burst, self._clock())
            if len(self._buckets) > MOST_NAMES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        return bucket
