"""The choice of lots for a load-out: those whose fine gold together comes closest to the ask.

Up to ``EXACT`` lots the answer is exact, by meeting in the middle: all sums of either half of the pool, each sum of one
half paired with the best one of the other. From a larger pool the oldest lots that fit are taken first, until what is
still to be filled is at most half of the next ``EXACT`` of them, and the rest is chosen among those exactly: with so
many sums to choose from, it is seldom more than a few milligrams off.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

EXACT: Final = 26
"""Size of the largest pool that is searched whole: two halves of 2**13 sums."""


class Candidate(NamedTuple):
    """A lot that may be allocated. A pool stands in the order of age, oldest first."""

    lot_id: int
    fine_mg: int


def choose(pool: Sequence[Candidate], ask_mg: int) -> list[Candidate]:
    """Return the lots that come closest to ``ask_mg``, oldest first; none if nothing comes closer than no lot at all.

    If two choices are equally far from the ask, the lower one is taken (nobody must buy more without need), then the
    one of fewer lots, then the older ones. The same pool and ask always give the same lots.
    """
    if len(pool) <= EXACT:
        return _nearest(pool, ask_mg)
    taken: list[Candidate] = []
    left = ask_mg
    waiting = iter(pool)
    window: deque[Candidate] = deque()
    while True:
        window = deque(lot for lot in window if _fits(lot, left))
        window.extend(islice(_fitting(waiting, left), EXACT - len(window)))
        full = len(window) == EXACT
        if not full or left <= sum(lot.fine_mg for lot in window) // 2 or window[0].fine_mg > left:
            return taken + _nearest(list(window), left)
        taken.append(window.popleft())
        left -= taken[-1].fine_mg


def _fits(lot: Candidate, left: int) -> bool:
    """Return whether a lot is at most 5% more than what is left to fill."""
    return lot.fine_mg * 20 <= left * 21


def _fitting(lots: Iterator[Candidate], left: int) -> Iterator[Candidate]:
    return (lot for lot in lots if _fits(lot, left))


def _nearest(pool: Sequence[Candidate], ask_mg: int) -> list[Candidate]:
    middle = len(pool) // 2
    first, second = _sums(pool[:middle]), _sums(pool[middle:])
    ordered = sorted(second)
    best: tuple[int, bool, int, int] | None = None
    for one, mask in first.items():
        place = bisect_right(ordered, ask_mg - one)
        for other in ordered[max(place - 1, 0) : place + 1]:
            total = one + other
            chosen = mask | second[other] << middle
            rank = (abs(total - ask_mg), total > ask_mg, chosen.bit_count(), chosen)
            if best is None or rank < best:
                best = rank
    chosen = best[3] if best else 0
    return [lot for place, lot in enumerate(pool) if chosen >> place & 1]


def _sums(half: Sequence[Candidate]) -> dict[int, int]:
    """Return each sum that some of these lots make, with the mask of the fewest, then the oldest, that make it."""
    sums = {0: 0}
    for place, lot in enumerate(half):
        for total, mask in list(sums.items()):
            more, bigger = total + lot.fine_mg, mask | 1 << place
            known = sums.get(more)
            if known is None or (bigger.bit_count(), bigger) < (known.bit_count(), known):
                sums[more] = bigger
    return sums
