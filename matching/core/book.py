"""One side of an order book: price levels, each with a queue of orders.

===========================  ===============================================================
find the best level          read one attribute
find the level of a price    look it up in a dict
add or remove an order       a constant number of steps (linked queue)
open or close a level        near the best price: one step in a short list, at its end for the best level;
                             further away: one step in a SortedList, O(log levels)
===========================  ===============================================================

The prices are sorted in two containers: the best one or two thousand in a plain list (``near``), all others in a
SortedList (``far``). A SortedList consists of such lists, but a step through it takes longer than one in the list
itself, and nearly all levels open and close near the best price. When ``near`` has run empty it is refilled
from ``far``; when it has grown too long its worse half moves there. There is at most one such move in ``MAX_NEAR // 2``
steps, however the price travels.

A level that has become empty is removed at once. Keeping it would be fast while the price stands still, and slow for
good after the price has travelled.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

from sortedcontainers import SortedList

from goldx.protocol.terms import BUY
from matching.core.orders import Order

MAX_NEAR: Final = 2_000
"""The most prices that ``Side.near`` holds: as many as one of a SortedList's own lists."""


class Level:
    """The queue of the orders at one price, in time priority. ``quantity`` is their sum, hidden quantity included."""

    __slots__ = ("head", "price", "quantity", "side", "tail")

    def __init__(self, side: Side) -> None:
        self.side: Side = side
        self.price: int = 0
        self.quantity: int = 0
        self.head: Order | None = None
        self.tail: Order | None = None

    def remove(self, order: Order) -> None:
        """Remove an order of this level, wherever it is in the queue; close the level if it was the last."""
        before = order.previous
        after = order.next
        self.quantity -= order.remaining
        order.level = None
        if before is not None:
            before.next = after
            order.previous = None
            if after is not None:
                after.previous = before
                order.next = None
            else:
                self.tail = before
        elif after is not None:
            self.head = after
            after.previous = None
            order.next = None
        else:
            self.head = self.tail = None
            self.side.close_level(self)

    def move_to_end(self, order: Order) -> None:
        """Move an order of this level to the end of the queue."""
        after = order.next
        tail = self.tail
        if after is None or tail is None:
            return
        before = order.previous
        if before is None:
            self.head = after
        else:
            before.next = after
        after.previous = before
        tail.next = order
        order.previous = tail
        order.next = None
        self.tail = order


class Side:
    """All resting buys, or all resting sells, of an instrument.

    ``near`` and ``far`` hold ranks in ascending order: the price of a buy, the negated price of a sell, so that the
    best is always the last. Every rank in ``near`` is better than every rank in ``far``, and ``near`` is only empty if
    both are. ``all_near`` is True while ``far`` is empty; it is quicker to read than to ask the SortedList.
    """

    __slots__ = ("all_near", "best", "buys", "far", "free_levels", "levels", "near")

    def __init__(self, side: int) -> None:
        self.buys: bool = side == BUY
        self.levels: dict[int, Level] = {}
        self.near: list[int] = []
        self.far: SortedList[int] = SortedList()
        self.all_near: bool = True
        self.best: Level | None = None
        self.free_levels: list[Level] = []
        """Closed levels, to be used again."""

    def add(self, order: Order) -> None:
        """Add an order at the end of the queue of its price."""
        level = self.levels.get(order.price)
        if level is None:
            level = self.open_level(order.price)
        order.level = level
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.previous = tail
        level.tail = order
        level.quantity += order.remaining

    def open_level(self, price: int) -> Level:
        """Insert and return an empty level for a price that has none; the caller has to add an order to it."""
        free_levels = self.free_levels
        level = free_levels.pop() if free_levels else Level(self)
        level.price = price
        self.levels[price] = level
        rank = price if self.buys else -price
        near = self.near
        if not near or rank > near[-1]:
            near.append(rank)
            self.best = level
        elif rank > near[0] or self.all_near:
            insort(near, rank)
        else:
            self.far.add(rank)
            return level
        if len(near) > MAX_NEAR:
            self.far.update(near[: MAX_NEAR // 2])
            del near[: MAX_NEAR // 2]
            self.all_near = False
        return level

    def close_level(self, level: Level) -> None:
        """Remove a level that has become empty."""
        price = level.price
        del self.levels[price]
        self.free_levels.append(level)
        near = self.near
        if level is self.best:
            near.pop()
            if not (near or self.all_near):
                near.extend(self.far[-(MAX_NEAR // 2) :])
                del self.far[-(MAX_NEAR // 2) :]
                self.all_near = not self.far
            self.best = self.levels[abs(near[-1])] if near else None
            return
        rank = price if self.buys else -price
        if rank >= near[0]:
            del near[bisect_left(near, rank)]
        else:
            self.far.remove(rank)
            self.all_near = not self.far

    def levels_best_first(self) -> list[Level]:
        """Return all levels, best price first. O(levels)."""
        return [self.levels[abs(rank)] for rank in (*reversed(self.near), *reversed(self.far))]

    def levels_up_to(self, price: int) -> list[Level]:
        """Return the levels at a price or better, best price first. O(log levels + levels returned)."""
        lowest = price if self.buys else -price
        ranks = self.near[bisect_left(self.near, lowest) :]
        if len(ranks) == len(self.near):
            ranks = [*self.far.irange(lowest), *ranks]
        ranks.reverse()
        return [self.levels[abs(rank)] for rank in ranks]
