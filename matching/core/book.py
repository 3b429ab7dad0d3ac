"""One side of an order book: price levels, and at each level a queue of orders.

===========================  ===============================================================
the best level               one attribute
the level of a price         one dict step
an order joins or leaves     a constant number of steps (linked queue)
a level appears or goes      near the touch: one step in a short list, its end for the best
                             further away: one step in a SortedList, O(log levels)
===========================  ===============================================================

Prices stand in order twofold: the best one or two thousand in a plain list (``near``), all others in a SortedList
(``far``). The container's own nodes are such lists, but a step through it costs several times one in the list itself,
and nearly all levels appear and go near the touch. When the list has run empty it is filled from the container; when it
has grown too long its worse half goes there: at most one such move in ``MOST_NEAR // 2`` steps, however the price
travels.

A level that has become empty is removed at once: keeping it would be fast while the price stands still, and slow for
ever after it has travelled.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

from sortedcontainers import SortedList

from goldx.protocol.terms import BUY
from matching.core.orders import Order

MOST_NEAR: Final = 2_000
"""Prices in the list near the touch: as many as one node of a SortedList holds at most."""


class Level:
    """The queue at one price, first in time first. ``quantity`` is all that rests here, hidden quantity included."""

    __slots__ = ("head", "price", "quantity", "side", "tail")

    def __init__(self, side: Side) -> None:
        self.side: Side = side
        self.price: int = 0
        self.quantity: int = 0
        self.head: Order | None = None
        self.tail: Order | None = None

    def leave(self, order: Order) -> None:
        """Takes one of its orders out, wherever in the queue it stands; the level goes with its last."""
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
            self.side.close(self)

    def requeue(self, order: Order) -> None:
        """Sends one of its orders to the end of the queue."""
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

    ``near`` and ``far`` hold ranks in ascending order: the price of a buy, the negative price of a sell, so that the
    best is always the last. All of ``near`` is better than all of ``far``, and ``near`` is only empty if both are.
    ``all_near``: there is nothing in ``far``, to ask which is dearer.
    """

    __slots__ = ("all_near", "best", "buys", "far", "levels", "near", "spare")

    def __init__(self, side: int) -> None:
        self.buys: bool = side == BUY
        self.levels: dict[int, Level] = {}
        self.near: list[int] = []
        self.far: SortedList[int] = SortedList()
        self.all_near: bool = True
        self.best: Level | None = None
        self.spare: list[Level] = []
        """Levels that have gone, for those to come."""

    def join(self, order: Order) -> None:
        """Puts an order at the end of the queue of its price."""
        level = self.levels.get(order.price)
        if level is None:
            level = self.open(order.price)
        order.level = level
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.previous = tail
        level.tail = order
        level.quantity += order.remaining

    def open(self, price: int) -> Level:
        """A level appears."""
        spare = self.spare
        level = spare.pop() if spare else Level(self)
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
        if len(near) > MOST_NEAR:
            self.far.update(near[: MOST_NEAR // 2])
            del near[: MOST_NEAR // 2]
            self.all_near = False
        return level

    def close(self, level: Level) -> None:
        """An empty level goes."""
        price = level.price
        del self.levels[price]
        self.spare.append(level)
        near = self.near
        if level is self.best:
            near.pop()
            if not (near or self.all_near):
                near.extend(self.far[-(MOST_NEAR // 2) :])
                del self.far[-(MOST_NEAR // 2) :]
                self.all_near = not self.far
            self.best = self.levels[abs(near[-1])] if near else None
            return
        rank = price if self.buys else -price
        if rank >= near[0]:
            del near[bisect_left(near, rank)]
        else:
            self.far.remove(rank)
            self.all_near = not self.far

    def best_first(self) -> list[Level]:
        """All levels, best price first. O(levels)."""
        return [self.levels[abs(rank)] for rank in (*reversed(self.near), *reversed(self.far))]

    def reaching(self, price: int) -> list[Level]:
        """The levels at a price or better, best first. O(log levels + what is found)."""
        rank = price if self.buys else -price
        ranks = self.near[bisect_left(self.near, rank) :]
        if len(ranks) == len(self.near):
            ranks = [*self.far.irange(rank), *ranks]
        ranks.reverse()
        return [self.levels[abs(one)] for one in ranks]
