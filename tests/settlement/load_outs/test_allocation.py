"""Allocation: exact against brute force for small pools, close and fast for large ones, the same every time."""

import random
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.load_outs.allocation import EXACT, Candidate, choose


def pool_of(weights: list[int]) -> list[Candidate]:
    return [Candidate(number, mg) for number, mg in enumerate(weights, 1)]


def total(lots: list[Candidate]) -> int:
    return sum(lot.fine_mg for lot in lots)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=9), st.integers(1, 400))
def test_small_pools_are_searched_whole(weights: list[int], ask: int) -> None:
    """Nearest, then the lower one, then the fewest lots, then the older ones: as every subset in turn would say."""
    pool = pool_of(weights)

    def rank(subset: tuple[int, ...]) -> tuple[int, bool, int, int]:
        fine = sum(pool[place].fine_mg for place in subset)
        return abs(fine - ask), fine > ask, len(subset), sum(1 << place for place in subset)

    subsets = [subset for size in range(len(pool) + 1) for subset in combinations(range(len(pool)), size)]
    best = min(subsets, key=rank)
    assert choose(pool, ask) == [pool[place] for place in best]


def test_large_pools_come_within_a_few_milligrams() -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    dice = random.Random(seed)
    pool = pool_of([dice.randint(50_000, 1_200_000) for _ in range(2_000)])
    for ask in (5_000_000, 123_456_789, total(pool) // 2):
        chosen = choose(pool, ask)
        assert abs(total(chosen) - ask) <= 1_000
        assert len({lot.lot_id for lot in chosen}) == len(chosen)
        assert choose(pool, ask) == chosen


def test_large_pools_give_the_oldest_lots_first() -> None:
    pool = pool_of([1_000] * 500)
    assert choose(pool, 100_000) == pool[:100]


def test_lots_too_large_for_the_ask_do_not_hide_the_small_ones() -> None:
    pool = pool_of([5_000_000] * 100 + [10_000] * 10)
    assert total(choose(pool, 50_000)) == 50_000


def test_a_whole_pool_can_be_withdrawn() -> None:
    pool = pool_of([1_000 + n for n in range(3 * EXACT)])
    assert choose(pool, total(pool)) == pool


def test_nothing_fits() -> None:
    assert choose([], 100) == []
    assert choose(pool_of([1_000]), 100) == []
    assert choose(pool_of([1_000] * 100), 100) == []
