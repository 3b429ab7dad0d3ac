"""The book of one instrument, as price levels and order by order, kept from the events.

``take_changes`` gives the net changes since its last call, which are those of one command: a level that an order swept
through and left as it was has not changed. Prices are in fen per fine gram, visible quantities in fine milligrams.

Changes are plain tuples of integers, as most of them are never read. A checksum is the exclusive-or over all levels, or
over all resting orders, so that it can be computed from the one before or after it and the changes between them.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final, TypeAlias
from zlib import crc32

from api.view.records import Order
from goldx.protocol import terms, units

BOTH: Final = (terms.BUY, terms.SELL)
Level: TypeAlias = tuple[int, int]
"""A price, and the visible quantity at it."""
LevelChange: TypeAlias = tuple[int, int, int, int]
"""Side, price, the quantity before and the quantity now; 0 stands for no such level."""
RestingOrder: TypeAlias = tuple[int, int, int, int, int]
"""Id, side, price, visible quantity, rank. At a price, orders with a lower rank trade first."""
OrderChange: TypeAlias = tuple[RestingOrder | None, RestingOrder | None]
"""A resting order before and now; None stands for an order that did not, or does not, rest."""
Changes: TypeAlias = tuple[tuple[LevelChange, ...], tuple[OrderChange, ...], bool]
"""The changes of a book by one command: of its levels, of its orders, and whether the best level of a side changed."""


def level_checksum(side: int, price: int, quantity: int) -> int:
    """Return the CRC-32 of a level's text, such as ``buy:612.35:100``."""
    return crc32(f"{terms.SIDES[side]}:{units.format_price(price)}:{units.format_weight(quantity)}".encode())


def order_checksum(order: RestingOrder) -> int:
    """Return the CRC-32 of an order's text, such as ``7:buy:612.35:100:12``: id, side, price, quantity, rank."""
    order_id, side, price, quantity, rank = order
    text = f"{order_id}:{terms.SIDES[side]}:{units.format_price(price)}:{units.format_weight(quantity)}:{rank}"
    return crc32(text.encode())


def levels_checksum_change(changes: tuple[LevelChange, ...]) -> int:
    """Return the exclusive-or of the checksums of all levels before and after some changes."""
    difference = 0
    for side, price, before, now in changes:
        if before:
            difference ^= level_checksum(side, price, before)
        if now:
            difference ^= level_checksum(side, price, now)
    return difference


def orders_checksum_change(changes: tuple[OrderChange, ...]) -> int:
    """Return the exclusive-or of the checksums of all resting orders before and after some changes."""
    difference = 0
    for change in changes:
        for order in change:
            if order is not None:
                difference ^= order_checksum(order)
    return difference


class Book:
    """One book. ``orders`` are the resting orders by id."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self._quantities: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._prices: tuple[list[int], list[int]] = ([], [])
        """Ascending. Price limits allow a few thousand at most, so that inserting into a list is quick."""
        self._last_rank = 0
        self._levels_before: tuple[dict[int, int], dict[int, int]] = ({}, {})
        """By side and price: the quantities before the present command, of the levels that it has touched."""
        self._orders_before: dict[int, RestingOrder | None] = {}
        """By order id: the orders before the present command, of those that it has touched."""
        self._top: tuple[Level | None, Level | None] = (None, None)

    def best(self, side: int) -> Level | None:
        """Return the best level of a side, or None."""
        prices = self._prices[side]
        if not prices:
            return None
        price = prices[-1] if side == terms.BUY else prices[0]
        return price, self._quantities[side][price]

    def levels(self, side: int, depth: int | None = None) -> list[Level]:
        """Return the levels of a side, best first; at most ``depth`` of them."""
        prices = self._prices[side]
        quantities = self._quantities[side]
        ordered = reversed(prices) if side == terms.BUY else iter(prices)
        count = len(prices) if depth is None else min(depth, len(prices))
        return [(price, quantities[price]) for price, _ in zip(ordered, range(count), strict=False)]

    def count_levels(self, depth: int) -> int:
        """Return the number of levels of both sides together, at most ``depth`` on each."""
        return sum(min(depth, len(prices)) for prices in self._prices)

    def resting(self) -> list[RestingOrder]:
        """Return all resting orders, in the order of their ranks."""
        return [_resting(order) for order in sorted(self.orders.values(), key=lambda order: order.rank)]

    def levels_checksum(self) -> int:
        """Return the checksum of the present levels."""
        return levels_checksum_change(self.level_insertions())

    def level_insertions(self) -> tuple[LevelChange, ...]:
        """Return the changes that make the present levels out of an empty book."""
        return tuple((side, price, 0, quantity) for side in BOTH for price, quantity in self.levels(side))

    def orders_checksum(self) -> int:
        """Return the checksum of the present resting orders."""
        return orders_checksum_change(tuple((None, _resting(order)) for order in self.orders.values()))

    @property
    def last_rank(self) -> int:
        """The last rank given."""
        return self._last_rank

    def restore(self, orders: Iterable[Order], last_rank: int) -> None:
        """Put orders, which have their ranks and visible quantities, into an empty book."""
        for order in orders:
            self.orders[order.order_id] = order
            self._add(order, order.visible)
        for before in self._levels_before:
            before.clear()
        self._last_rank = last_rank
        self._top = (self.best(terms.BUY), self.best(terms.SELL))

    def insert(self, order: Order) -> None:
        """Put an order at the end of its level."""
        order_id = order.order_id
        if order_id in self.orders:
            self.remove(order)
        elif order_id not in self._orders_before:
            self._orders_before[order_id] = None
        self.orders[order_id] = order
        self._last_rank += 1
        order.rank = self._last_rank
        order.visible = order.shown_quantity()
        self._add(order, order.visible)

    def show(self, order: Order, visible: int) -> None:
        """Change the visible quantity of a resting order, which keeps its place."""
        self._remember(order)
        self._add(order, visible - order.visible)
        order.visible = visible

    def refresh(self, order: Order, visible: int) -> None:
        """Show the next part of an iceberg order, at the end of its level."""
        self.show(order, visible)
        self._last_rank += 1
        order.rank = self._last_rank

    def remove(self, order: Order) -> None:
        """Take an order out of the book, if it rests."""
        if order.order_id in self.orders:
            self._remember(order)
            self._add(order, -order.visible)
            del self.orders[order.order_id]

    def take_changes(self) -> Changes | None:
        """Return the changes since the last call, or None if there are none."""
        if not self._orders_before:
            return None  # a level changes with its orders only
        orders = self._take_order_changes()
        levels = self._take_level_changes()
        if not levels:
            return (levels, orders, False) if orders else None
        return levels, orders, self._update_top(levels)

    def _take_level_changes(self) -> tuple[LevelChange, ...]:
        changes = []
        for side in BOTH:
            before_of = self._levels_before[side]
            if before_of:
                quantities = self._quantities[side]
                for price, before in before_of.items():
                    now = quantities.get(price, 0)
                    if now != before:
                        changes.append((side, price, before, now))
                before_of.clear()
        return tuple(changes)

    def _update_top(self, levels: tuple[LevelChange, ...]) -> bool:
        """Return whether the best level of a side has changed. Most changes are too far from it to matter."""
        bid, ask = self._top
        for side, price, _, _ in levels:
            best = bid if side == terms.BUY else ask
            if best is not None:
                best_price, _ = best
                if price < best_price if side == terms.BUY else price > best_price:
                    continue
            self._top = (self.best(terms.BUY), self.best(terms.SELL))
            return self._top != (bid, ask)
        return False

    def _take_order_changes(self) -> tuple[OrderChange, ...]:
        changes = []
        orders = self.orders
        for order_id, before in self._orders_before.items():
            order = orders.get(order_id)
            now = None if order is None else _resting(order)
            if now != before:
                changes.append((before, now))
        self._orders_before.clear()
        return tuple(changes)

    def _remember(self, order: Order) -> None:
        if order.order_id not in self._orders_before:
            self._orders_before[order.order_id] = _resting(order)

    def _add(self, order: Order, quantity: int) -> None:
        price, side = order.price, order.side
        assert price is not None, "an order without a price does not rest"
        quantities = self._quantities[side]
        before = quantities.get(price, 0)
        levels_before = self._levels_before[side]
        if price not in levels_before:
            levels_before[price] = before
        now = before + quantity
        if now:
            if not before:
                insort(self._prices[side], price)
            quantities[price] = now
        elif before:
            prices = self._prices[side]
            del prices[bisect_left(prices, price)]
            del quantities[price]


def _resting(order: Order) -> RestingOrder:
    assert order.price is not None, "an order without a price does not rest"
    return order.order_id, order.side, order.price, order.visible, order.rank
