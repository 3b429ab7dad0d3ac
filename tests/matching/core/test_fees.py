"""Fees add up to the rounded sum, and a reservation never falls short."""

from hypothesis import given, settings
from hypothesis import strategies as st

from goldx.protocol.units import half_up
from matching.core.fees import affordable, cost, fee

RATES = st.integers(0, 1_000)


@given(st.lists(st.tuples(st.integers(1, 10**12), RATES), max_size=30))
@settings(deadline=None)
def test_the_fees_of_an_order_are_the_rounded_sum(fills: list[tuple[int, int]]) -> None:
    residue = charged = 0
    for amount, rate in fills:
        one = fee(residue, amount, rate)
        assert one >= 0
        residue += amount * rate - one * 10_000
        charged += one
    assert charged == half_up(sum(amount * rate for amount, rate in fills), 10_000)


@given(
    st.integers(1, 10**6),
    st.lists(st.tuples(st.integers(1, 50), st.booleans(), st.integers(0, 3)), min_size=1, max_size=20),
    RATES,
    RATES,
)
@settings(deadline=None)
def test_what_a_buy_reserves_is_enough_for_any_split(
    price: int, fills: list[tuple[int, bool, int]], maker: int, taker: int
) -> None:
    highest = max(maker, taker)
    left = 1_000 * sum(grams for grams, _, _ in fills)
    residue = 0
    reserved = cost(price, left, residue, highest)
    for grams, as_maker, better in fills:
        quantity = 1_000 * grams
        amount = max(1, price - better) * grams
        rate = maker if as_maker else taker
        one = fee(residue, amount, rate)
        residue += amount * rate - one * 10_000
        left -= quantity
        still = cost(price, left, residue, highest) if left else 0
        assert amount + one + still <= reserved
        reserved = still


@given(st.integers(0, 10**7), st.integers(1, 10**4), st.integers(1, 200), st.integers(-5_000, 4_999), RATES)
@settings(deadline=None)
def test_affordable_is_the_most_whole_lots(cash: int, price: int, lots: int, residue: int, rate: int) -> None:
    found = affordable(cash, price, lots * 1_000, residue, rate, 1_000)
    each = (n * 1_000 for n in range(lots, 0, -1))
    assert found == next((q for q in each if cost(price, q, residue, rate) <= cash), 0)
