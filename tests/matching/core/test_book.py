"""One side of a book is a sorted list of queues, whatever led to it."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldx.protocol.terms import BUY, GTC, SELL
from matching.core.book import MAX_NEAR, Level, Side
from matching.core.holdings import Account, Member
from matching.core.instrument import Instrument
from matching.core.orders import Order

INSTRUMENT = Instrument("AU")
NOBODY = Account("nobody", Member("nobody"), 0, "nobody")


def order(number: int, side: int, price: int, quantity: int) -> Order:
    return Order().reset(number, NOBODY, NOBODY.cash, "", INSTRUMENT, side, price, quantity, GTC)


def level_of(order: Order) -> Level:
    assert order.level is not None
    return order.level


def queues(side: Side) -> list[tuple[int, list[int]]]:
    found = []
    for level in side.levels_best_first():
        numbers, quantity, backwards = [], 0, []
        at = level.head
        while at is not None:
            numbers.append(at.order_id)
            quantity += at.remaining
            at = at.next
        at = level.tail
        while at is not None:
            backwards.append(at.order_id)
            at = at.previous
        assert backwards == numbers[::-1]
        assert quantity == level.quantity
        found.append((level.price, numbers))
    return found


@given(
    st.sampled_from((BUY, SELL)),
    st.lists(st.tuples(st.sampled_from(("join", "leave", "requeue")), st.integers(1, 6), st.integers(0, 50))),
)
@settings(deadline=None)
def test_a_side_has_its_prices_in_order_and_a_queue_at_each(which: int, steps: list[tuple[str, int, int]]) -> None:
    side = Side(which)
    plain: dict[int, list[Order]] = {}
    resting: list[Order] = []
    for number, (step, price, pick) in enumerate(steps):
        if step == "join":
            new = order(number, which, price, 1 + number % 3)
            side.add(new)
            resting.append(new)
            plain.setdefault(price, []).append(new)
        elif resting and step == "leave":
            gone = resting.pop(pick % len(resting))
            level_of(gone).remove(gone)
            plain[gone.price].remove(gone)
        elif resting:
            again = resting[pick % len(resting)]
            level_of(again).move_to_end(again)
            plain[again.price].remove(again)
            plain[again.price].append(again)
        expected = [(p, [o.order_id for o in queue]) for p, queue in sorted(plain.items()) if queue]
        assert queues(side) == (expected[::-1] if which == BUY else expected)
        assert (side.best.price if side.best else None) == (queues(side)[0][0] if expected else None)


@pytest.mark.parametrize("which", [BUY, SELL])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_book_of_thousands_of_levels_whose_price_travels(which: int, seed: int) -> None:
    random = Random(seed)
    side = Side(which)
    resting: list[Order] = []
    middle = 50_000
    for number in range(20_000):
        middle += random.choice((-3, 3))
        if number % 5_000 < 3_000 or not resting:  # it fills, then it empties, mostly from the best price on
            new = order(number, which, middle + random.choice((-1, 1)) * random.randrange(4 * MAX_NEAR), 1)
            side.add(new)
            resting.append(new)
        elif random.random() < 0.8:
            assert side.best is not None
            assert side.best.head is not None
            side.best.remove(side.best.head)
        else:
            gone = resting.pop(random.randrange(len(resting)))
            if gone.level is not None:
                gone.level.remove(gone)
        if number % 500 == 0:
            assert not side.near or len(side.near) <= MAX_NEAR
            check_order_of_prices(side)
    assert side.far, "the SortedList had nothing to do"


def check_order_of_prices(side: Side) -> None:
    prices = sorted(side.levels, reverse=side.buys)
    assert [level.price for level in side.levels_best_first()] == prices
    assert (side.best.price if side.best else None) == (prices[0] if prices else None)
    for price in prices[:: max(1, len(prices) // 10)]:
        expected = [p for p in prices if (p >= price if side.buys else p <= price)]
        assert [level.price for level in side.levels_up_to(price)] == expected


def test_a_removed_order_keeps_no_references() -> None:
    side = Side(BUY)
    orders = [order(number, BUY, 600, 1) for number in range(3)]
    for each in orders:
        side.add(each)
    level_of(orders[1]).remove(orders[1])
    assert (orders[1].level, orders[1].previous, orders[1].next) == (None, None, None)
    assert queues(side) == [(600, [0, 2])]
