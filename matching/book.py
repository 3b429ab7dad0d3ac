"""One side of an order book: price levels, and at each level a queue of orders.

===========================  =======================================================
the best level               one attribute
the level of a price         one dict step
an order joins or leaves     a constant number of steps (linked queue)
a level appears or goes      one step in a SortedList of prices, O(log levels)
===========================  =======================================================

A level that has become empty is removed at once: keeping it would be fast while the price stands still, and slow for
ever after it has travelled.
"""

from __future__ import annotations

from sortedcontainers import SortedList

from goldx.terms import BUY
from matching.orders import Order


class Level:
    """The queue at one price, first in time first. ``quantity`` is all that rests here, hidden quantity included."""

    __slots__ = ("head", "price", "quantity", "tail")

    def __init__(self, price: int) -> None:
        self.price: int = price
        self.quantity: int = 0
        self.head: Order | None = None
        self.tail: Order | None = None


class Side:
    """All resting buys, or all resting sells, of an instrument."""

    __slots__ = ("best", "buys", "levels", "prices")

    def __init__(self, side: int) -> None:
        self.buys: bool = side == BUY
        self.levels: dict[int, Level] = {}
        self.prices: SortedList[int] = SortedList()
        self.best: Level | None = None

    def join(self, order: Order) -> None:
        """Puts an order at the end of the queue of its price."""
        price = order.price
        level = self.levels.get(price)
        if level is None:
            level = self._open(price)
        tail = level.tail
        order.level = level
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.previous = tail
        level.tail = order
        level.quantity += order.remaining

    def leave(self, order: Order) -> None:
        """Takes a resting order out, wherever in its queue it stands."""
        level = order.level
        if level is None:
            return
        before = order.previous
        after = order.next
        level.quantity -= order.remaining
        order.level = None
        if before is None:
            level.head = after
        else:
            before.next = after
            order.previous = None
        if after is None:
            level.tail = before
        else:
            after.previous = before
            order.next = None
        if before is after:  # both None: nobody is left
            self._close(level)

    def requeue(self, order: Order) -> None:
        """Sends a resting order to the end of its queue; its level stays even if nobody else is there."""
        level = order.level
        if level is None or level.tail is order:
            return
        before = order.previous
        after = order.next
        if before is None:
            level.head = after
        else:
            before.next = after
        if after is not None:
            after.previous = before
        tail = level.tail
        if tail is not None:
            tail.next = order
        order.previous = tail
        order.next = None
        level.tail = order

    def best_first(self) -> list[Level]:
        """All levels, best price first. O(levels)."""
        prices = reversed(self.prices) if self.buys else iter(self.prices)
        levels = self.levels
        return [levels[price] for price in prices]

    def _open(self, price: int) -> Level:
        level = Level(price)
        self.levels[price] = level
        self.prices.add(price)
        best = self.best
        if best is None or (price > best.price if self.buys else price < best.price):
            self.best = level
        return level

    def _close(self, level: Level) -> None:
        price = level.price
        prices = self.prices
        del self.levels[price]
        if level is not self.best:
            prices.remove(price)
        elif not self.levels:
            prices.clear()
            self.best = None
        elif self.buys:
            prices.pop()
            self.best = self.levels[prices[-1]]
        else:
            prices.pop(0)
            self.best = self.levels[prices[0]]
