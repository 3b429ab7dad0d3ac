"""The book of one instrument, as price levels and order by order, kept from the events.

What a command changed is gathered by ``settle`` when the command is done: a level that an order passed through and left
as it was is no change. Prices in fen per fine gram, quantities (visible ones) in fine milligrams.
"""

from typing import NamedTuple
from zlib import crc32

from sortedcontainers import SortedList

from api.orders import Order
from goldx import terms, units

BOTH = (terms.BUY, terms.SELL)
Level = tuple[int, int]
"""Price, and the visible quantity at it."""


class LevelChange(NamedTuple):
    side: int
    price: int
    quantity: int


class OrderChange(NamedTuple):
    """An order that came, moved or changed; quantity 0: it is gone. Within a price the lower rank is served first."""

    order_id: int
    side: int
    price: int
    quantity: int
    rank: int


class Changes(NamedTuple):
    """What one command did to the book; each part is empty when that part of the picture stayed as it was."""

    levels: tuple[LevelChange, ...]
    orders: tuple[OrderChange, ...]
    top: bool


def level_checksum(side: int, price: int, quantity: int) -> int:
    """CRC-32 of a level's text, such as ``buy:612.35:100``."""
    return crc32(f"{terms.SIDES[side]}:{units.format_price(price)}:{units.format_weight(quantity)}".encode())


def order_checksum(change: OrderChange) -> int:
    """CRC-32 of an order's text, such as ``7:buy:612.35:100:12``: id, side, price, visible quantity, rank."""
    price, quantity = units.format_price(change.price), units.format_weight(change.quantity)
    return crc32(f"{change.order_id}:{terms.SIDES[change.side]}:{price}:{quantity}:{change.rank}".encode())


class Book:
    """``checksum`` and ``orders_checksum`` are the exclusive-or over all levels and over all resting orders."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.checksum = 0
        self.orders_checksum = 0
        self._quantities: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._prices: tuple[SortedList[int], SortedList[int]] = (SortedList(), SortedList())
        self._ranks = 0
        self._levels_before: dict[tuple[int, int], int] = {}
        self._orders_before: dict[int, OrderChange | None] = {}
        self._top: tuple[Level | None, Level | None] = (None, None)

    def best(self, side: int) -> Level | None:
        """The best level of a side."""
        prices = self._prices[side]
        if not prices:
            return None
        price = prices[-1] if side == terms.BUY else prices[0]
        return price, self._quantities[side][price]

    def levels(self, side: int, depth: int | None = None) -> list[Level]:
        """Levels of a side, best first."""
        prices = self._prices[side]
        quantities = self._quantities[side]
        ordered = reversed(prices) if side == terms.BUY else iter(prices)
        count = len(prices) if depth is None else min(depth, len(prices))
        return [(price, quantities[price]) for price, _ in zip(ordered, range(count), strict=False)]

    def resting(self) -> list[OrderChange]:
        """All resting orders, in the order of their ranks."""
        return sorted((_shown(order) for order in self.orders.values()), key=lambda shown: shown.rank)

    def insert(self, order: Order) -> None:
        """An order begins to rest, at the end of its level, showing a fresh slice."""
        if order.order_id in self.orders:
            self.remove(order)
        self._orders_before.setdefault(order.order_id, None)
        self.orders[order.order_id] = order
        self._ranks += 1
        order.rank = self._ranks
        order.visible = order.slice()
        self._add(order, order.visible)

    def show(self, order: Order, visible: int) -> None:
        """A resting order shows another quantity, in its place."""
        self._remember(order)
        self._add(order, visible - order.visible)
        order.visible = visible

    def refresh(self, order: Order, visible: int) -> None:
        """A new slice of an iceberg goes to the end of its level."""
        self.show(order, visible)
        self._ranks += 1
        order.rank = self._ranks

    def remove(self, order: Order) -> None:
        """A resting order leaves; nothing happens if it does not rest."""
        if order.order_id in self.orders:
            self._remember(order)
            self._add(order, -order.visible)
            del self.orders[order.order_id]

    def settle(self) -> Changes | None:
        """What has changed since the last call; None if nothing."""
        if not self._orders_before and not self._levels_before:
            return None
        levels = tuple(self._settle_levels())
        orders = tuple(self._settle_orders())
        top = self._top
        self._top = (self.best(terms.BUY), self.best(terms.SELL))
        return Changes(levels, orders, top != self._top) if levels or orders else None

    def _settle_levels(self) -> list[LevelChange]:
        changes = []
        for (side, price), before in self._levels_before.items():
            now = self._quantities[side].get(price, 0)
            if now == before:
                continue
            if before:
                self.checksum ^= level_checksum(side, price, before)
            if now:
                self.checksum ^= level_checksum(side, price, now)
            changes.append(LevelChange(side, price, now))
        self._levels_before.clear()
        return changes

    def _settle_orders(self) -> list[OrderChange]:
        changes = []
        for order_id, before in self._orders_before.items():
            order = self.orders.get(order_id)
            now = None if order is None else _shown(order)
            if now == before:
                continue
            if before is not None:
                self.orders_checksum ^= order_checksum(before)
            if now is not None:
                self.orders_checksum ^= order_checksum(now)
                changes.append(now)
            elif before is not None:
                changes.append(before._replace(quantity=0))
        self._orders_before.clear()
        return changes

    def _remember(self, order: Order) -> None:
        if order.order_id not in self._orders_before:
            self._orders_before[order.order_id] = _shown(order)

    def _add(self, order: Order, quantity: int) -> None:
        price = order.price
        assert price is not None, "an order without a price does not rest"
        quantities = self._quantities[order.side]
        before = quantities.get(price, 0)
        self._levels_before.setdefault((order.side, price), before)
        now = before + quantity
        if now:
            if not before:
                self._prices[order.side].add(price)
            quantities[price] = now
        elif before:
            self._prices[order.side].remove(price)
            del quantities[price]


def _shown(order: Order) -> OrderChange:
    assert order.price is not None, "an order without a price does not rest"
    return OrderChange(order.order_id, order.side, order.price, order.visible, order.rank)
