"""One side of a book is a sorted list of queues, however it is brought about."""

from hypothesis import given
from hypothesis import strategies as st

from goldx.terms import BUY, GTC, SELL
from matching.book import Side
from matching.holdings import Account, Member
from matching.instrument import Instrument
from matching.orders import Order

INSTRUMENT = Instrument("AU")
NOBODY = Account("nobody", Member("nobody"), 0, "nobody")


def order(number: int, side: int, price: int, quantity: int) -> Order:
    return Order(number, NOBODY, "", INSTRUMENT, side, price, quantity, GTC, "", 0, None)


def queues(side: Side) -> list[tuple[int, list[int]]]:
    found = []
    for level in side.best_first():
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
def test_a_side_is_its_prices_in_order_each_with_its_queue(which: int, steps: list[tuple[str, int, int]]) -> None:
    side = Side(which)
    plain: dict[int, list[Order]] = {}
    resting: list[Order] = []
    for number, (step, price, pick) in enumerate(steps):
        if step == "join":
            new = order(number, which, price, 1 + number % 3)
            side.join(new)
            resting.append(new)
            plain.setdefault(price, []).append(new)
        elif resting and step == "leave":
            gone = resting.pop(pick % len(resting))
            side.leave(gone)
            plain[gone.price].remove(gone)
        elif resting:
            again = resting[pick % len(resting)]
            side.requeue(again)
            plain[again.price].remove(again)
            plain[again.price].append(again)
        expected = [(p, [o.order_id for o in queue]) for p, queue in sorted(plain.items()) if queue]
        assert queues(side) == (expected[::-1] if which == BUY else expected)
        assert (side.best.price if side.best else None) == (queues(side)[0][0] if expected else None)


def test_an_order_that_left_holds_on_to_nothing() -> None:
    side = Side(BUY)
    orders = [order(number, BUY, 600, 1) for number in range(3)]
    for each in orders:
        side.join(each)
    side.leave(orders[1])
    assert (orders[1].level, orders[1].previous, orders[1].next) == (None, None, None)
    assert queues(side) == [(600, [0, 2])]
