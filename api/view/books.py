"""The book of one instrument, as price levels and order by order, kept from the events.

What a command changed is gathered by ``settle`` when the command is done: a level that an order passed through and left
as it was is no change. Prices in fen per fine gram, quantities (visible ones) in fine milligrams.

Changes are plain tuples of integers: most of them nobody ever reads. Checksums are made on demand, as each is the
exclusive-or over all levels, or over all resting orders: from one of them the next and the one before follow.
"""

from bisect import bisect_left, insort
from typing import NamedTuple, TypeAlias
from zlib import crc32

from api.view.records import Order
from goldx.protocol import terms, units

BOTH = (terms.BUY, terms.SELL)
Level: TypeAlias = tuple[int, int]
"""Price, and the visible quantity at it."""
LevelChange: TypeAlias = tuple[int, int, int, int]
"""Side, price, the quantity before and the quantity now; 0: there was, or is, no such level."""
Shown: TypeAlias = tuple[int, int, int, int, int]
"""A resting order: id, side, price, quantity, rank. Within a price the lower rank is served first."""
OrderChange: TypeAlias = tuple[Shown | None, Shown | None]
"""An order before and now; None: it did not, or does not, rest."""


class Changes(NamedTuple):
    """What one command did to the book; each part is empty when that part of the picture stayed as it was."""

    levels: tuple[LevelChange, ...]
    orders: tuple[OrderChange, ...]
    top: bool


def level_checksum(side: int, price: int, quantity: int) -> int:
    """CRC-32 of a level's text, such as ``buy:612.35:100``."""
    return crc32(f"{terms.SIDES[side]}:{units.format_price(price)}:{units.format_weight(quantity)}".encode())


def order_checksum(shown: Shown) -> int:
    """CRC-32 of an order's text, such as ``7:buy:612.35:100:12``: id, side, price, visible quantity, rank."""
    order_id, side, price, quantity, rank = shown
    text = f"{order_id}:{terms.SIDES[side]}:{units.format_price(price)}:{units.format_weight(quantity)}:{rank}"
    return crc32(text.encode())


def levels_turn(changes: tuple[LevelChange, ...]) -> int:
    """The exclusive-or of the levels' checksum before some changes and after them."""
    turn = 0
    for side, price, before, now in changes:
        if before:
            turn ^= level_checksum(side, price, before)
        if now:
            turn ^= level_checksum(side, price, now)
    return turn


def orders_turn(changes: tuple[OrderChange, ...]) -> int:
    """The exclusive-or of the orders' checksum before some changes and after them."""
    turn = 0
    for change in changes:
        for shown in change:
            if shown is not None:
                turn ^= order_checksum(shown)
    return turn


class Book:
    """``orders`` are the resting ones by id."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self._quantities: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._prices: tuple[list[int], list[int]] = ([], [])
        """Ascending. A few thousand at most within price limits: a list, which is moved at a gigabyte a second."""
        self._ranks = 0
        self._levels_before: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._orders_before: dict[int, Shown | None] = {}
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

    def resting(self) -> list[Shown]:
        """All resting orders, in the order of their ranks."""
        return sorted((_shown(order) for order in self.orders.values()), key=lambda shown: shown[4])

    def levels_checksum(self) -> int:
        """Of the levels as they are."""
        return levels_turn(tuple((side, price, 0, quantity) for side in BOTH for price, quantity in self.levels(side)))

    def orders_checksum(self) -> int:
        """Of the resting orders as they are."""
        return orders_turn(tuple((None, _shown(order)) for order in self.orders.values()))

    def insert(self, order: Order) -> None:
        """An order begins to rest, at the end of its level, showing a fresh slice."""
        order_id = order.order_id
        if order_id in self.orders:
            self.remove(order)
        elif order_id not in self._orders_before:
            self._orders_before[order_id] = None
        self.orders[order_id] = order
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
        levels = self._settle_levels()
        orders = self._settle_orders() if self._orders_before else ()
        if not levels:
            return Changes(levels, orders, False) if orders else None
        return Changes(levels, orders, self._settle_top(levels))

    def _settle_levels(self) -> tuple[LevelChange, ...]:
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

    def _settle_top(self, levels: tuple[LevelChange, ...]) -> bool:
        """Whether the best of a side is another now: most changes are too far from it."""
        bid, ask = self._top
        for side, price, _, _ in levels:
            best = bid if side == terms.BUY else ask
            if best is None or (price >= best[0] if side == terms.BUY else price <= best[0]):
                self._top = (self.best(terms.BUY), self.best(terms.SELL))
                return self._top != (bid, ask)
        return False

    def _settle_orders(self) -> tuple[OrderChange, ...]:
        changes = []
        orders = self.orders
        for order_id, before in self._orders_before.items():
            order = orders.get(order_id)
            now = None if order is None else _shown(order)
            if now != before:
                changes.append((before, now))
        self._orders_before.clear()
        return tuple(changes)

    def _remember(self, order: Order) -> None:
        if order.order_id not in self._orders_before:
            self._orders_before[order.order_id] = _shown(order)

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


def _shown(order: Order) -> Shown:
    assert order.price is not None, "an order without a price does not rest"
    return order.order_id, order.side, order.price, order.visible, order.rank
