"""A large book is sent in several pieces of work; a subscriber's book is nevertheless complete and current."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.view.channels import KEPT, PART_ROWS
from api.view.records import Gap
from api.view.tables import CHUNK_SIZE
from api.view.view import PART_EVENTS, WHOLE_COMMANDS
from goldx.protocol import terms
from goldx.protocol.events import DayEnded, OrderCancelled
from goldx.streams.frames import EventFrame
from tests.api.view.test_market_data import Market, Reader, subscribed

ORDERS = 3 * PART_ROWS // 2
SIDES = {"A.H": (terms.BUY, -1), "B.H": (terms.SELL, 1)}


class LargeMarket(Market):
    """A market with enough orders on each side for a snapshot in several parts."""

    def __init__(self) -> None:
        super().__init__()
        self.orders = 0
        for _ in range(ORDERS):
            self.add("A.H")
            self.add("B.H")

    def add(self, account: str) -> None:
        """Place an order at a price of its own."""
        self.orders += 1
        side, sign = SIDES[account]
        self.apply(self.place(self.orders, account, side, 60_000 + sign * self.orders, 1_000 + self.orders))

    def cancel(self, order_id: int) -> None:
        self.apply(self.cancelled(order_id))

    def cancelled(self, order_id: int) -> OrderCancelled:
        order = self.view.orders[order_id]
        about = (order_id, order.account, order.client_order_id, "AU", order.remaining, "USER")
        return OrderCancelled(self.next(), self.at, *about)


def book_of(messages: list[dict[str, Any]]) -> tuple[set[Any], int]:
    """Return the book after messages, and its checksum."""
    rows: dict[Any, Any] = {}
    for message in messages:
        for side, found in message["data"].items():
            for row in found:
                key, quantity = (side, row[0]), row[1] if len(row) == 2 else row[2]
                rows[key] = tuple(row)
                if quantity == "0":
                    del rows[key]
    return set(rows.items()), messages[-1]["checksum"]


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("name", ["book.AU", "orders_book.AU"])
def test_a_book_may_change_while_its_snapshot_is_written(name: str, watched: bool) -> None:
    market = LargeMarket()
    channel = market.view.channels[name]
    if watched:
        subscribed(market, name)
    parts = channel.snapshot_in_parts(None)
    assert parts is not None
    while parts.step():
        market.add("A.H")
        market.cancel(market.orders - 1)
    assert parts.is_current
    late = Reader()
    parts.subscribe(late)
    snapshot, *updates = late.messages
    assert snapshot["type"] == "snapshot"
    assert len(updates) > 2
    assert [message["previous"] for message in updates] == [message["sequence"] - 1 for message in updates]
    assert updates[0]["previous"] == snapshot["sequence"]
    market.cancel(1)
    market.add("B.H")
    now = subscribed(market, name)
    assert book_of(late.messages) == book_of(now)
    book = market.view.markets["AU"].book
    whole = book.levels_checksum() if name == "book.AU" else book.orders_checksum()
    assert late.messages[-1]["checksum"] == whole
    assert late.messages[-1]["sequence"] == now[0]["sequence"]


def test_a_snapshot_in_parts_is_the_same_message() -> None:
    market = LargeMarket()
    for name in ("book.AU", "orders_book.AU"):
        parts, reader = market.view.channels[name].snapshot_in_parts(None), Reader()
        assert parts is not None
        while parts.step():
            pass
        parts.subscribe(reader)
        assert reader.messages == subscribed(market, name)


def test_a_snapshot_is_out_of_date_when_what_came_after_it_is_not_kept() -> None:
    market = LargeMarket()
    parts = market.view.channels["book.AU"].snapshot_in_parts(None)
    assert parts is not None
    for _ in range(KEPT // 2 - 1):
        market.add("A.H")
        market.cancel(market.orders)
    assert parts.is_current
    for _ in range(2):
        market.add("A.H")
    assert not parts.is_current


def test_a_small_book_and_a_resumed_one_have_no_parts() -> None:
    small, large = Market(), LargeMarket()
    assert small.view.channels["book.AU"].snapshot_in_parts(None) is None
    book = large.view.channels["book.AU"]
    assert book.snapshot_in_parts(book.sequence - 1) is None
    assert book.snapshot_in_parts(0) is not None
    assert large.view.channels["top.AU"].snapshot_in_parts(None) is None


def test_a_day_ends_in_parts_however_many_orders_it_forgets() -> None:
    """Each part looks at some of the orders and their trades; orders that stay can be read between two parts."""
    market = LargeMarket()
    while market.orders < 4 * CHUNK_SIZE:
        market.add("A.H")
        market.cancel(market.orders)
    market.apply(DayEnded(market.next(), market.at, "2026-11-30"))
    live = [order_id for order_id, order in market.view.orders.items() if order.live]
    ended = DayEnded(market.next(), market.at, "2026-12-01")
    looked = list(market.view.parts(market.frame(ended), lambda *_: ()))
    assert [order_id for order_id, _ in market.view.orders.items()] == live
    assert max(looked) < CHUNK_SIZE + PART_EVENTS
    assert sum(looked) > 8 * CHUNK_SIZE, "each order, and each client id"


def test_commands_of_few_events_are_folded_together_and_their_answers_leave_together() -> None:
    market = LargeMarket()
    answered: list[Any] = []
    count = WHOLE_COMMANDS * PART_EVENTS + 100
    orders = range(market.orders + 1, market.orders + 1 + count)
    placed = [(market.place(number, "A.H", terms.BUY, 50_000, 1_000),) for number in orders]
    frame = EventFrame((1, market.sequence), tuple(placed))
    waiting = [answered.append] * count
    sizes = [(folded, len(answered)) for folded in market.view.parts(frame, lambda *_: waiting)]
    assert sizes == [(WHOLE_COMMANDS * PART_EVENTS, WHOLE_COMMANDS * PART_EVENTS - 1), (100, count)]


@pytest.mark.parametrize("missing", [1, PART_EVENTS - 1, PART_EVENTS, PART_EVENTS + 1])
def test_a_gap_in_a_large_command_is_noticed_wherever_it_is(missing: int) -> None:
    market = LargeMarket()
    cancels = [market.cancelled(number) for number in market.view.accounts["B.H"].live]
    del cancels[missing]
    with pytest.raises(Gap, match="follows event"):
        market.view.apply(market.frame(*cancels), lambda *_: ())


def test_an_order_that_takes_thousands_of_levels_is_folded_in_parts() -> None:
    """After each the book is what its subscribers have, and not crossed, though the order bids higher than it."""
    market = LargeMarket()
    messages = subscribed(market, "book.AU")
    book, asks = market.view.markets["AU"].book, market.view.accounts["B.H"].live
    makers, taker = list(asks.values()), market.orders + 1
    quantity = sum(maker.remaining for maker in makers) + 1_000
    outcome: list[Any] = [market.place(taker, "A.H", terms.BUY, 90_000, quantity)]
    left = quantity
    for number, maker in enumerate(makers, 1):
        left -= maker.remaining
        outcome.append(market.trade(maker.order_id, taker, maker.remaining, 0, left, number))
    sizes = []

    def parts() -> Iterator[int]:
        for folded in market.view.parts(market.frame(*outcome), lambda *_: ()):
            yield folded
            levels, checksum = book_of(messages)
            assert checksum == market.view.markets["AU"].depth(None)["checksum"]
            sizes.append(len([row for (side, _), row in levels if side == "asks"]))
            assert (book.best(terms.BUY) or (0,))[0] < (book.best(terms.SELL) or (60_000,))[0] or not asks

    assert max(parts()) <= PART_EVENTS + 1
    assert len(makers) == ORDERS
    assert sizes[-1] == 0
    assert book.best(terms.BUY) == (90_000, 1_000)
    assert 0 < sizes[0] < ORDERS
    assert market.view.orders[taker].filled == quantity - 1_000
