"""The core's book alone: its sides, levels and queues, without holdings and events.

The cost of the rest of the job is the difference between this and the whole core.
"""

from __future__ import annotations

from typing import Final

from goldx.protocol.terms import BUY, GTC, SELL
from matching.core.book import Side
from matching.core.holdings import Account, Member
from matching.core.instrument import Instrument
from matching.core.orders import Order

ADD: Final = 0
CANCEL: Final = 1
REPLACE: Final = 2
KIND: Final = 0
NUMBER: Final = 1
"""Positions in a message (``benchmarks.matching.flows``), whose other fields depend on its kind."""


class BareBook:
    """A book of limit orders by number. ``fills`` are (taker, maker, quantity, price)."""

    def __init__(self) -> None:
        self.bids: Side = Side(BUY)
        self.asks: Side = Side(SELL)
        self.orders: dict[int, Order] = {}
        self.free_orders: list[Order] = []
        self.fills: list[tuple[int, int, int, int]] = []
        self.instrument: Instrument = Instrument("BARE")
        self.account: Account = Account("nobody", Member("nobody"), 0, "nobody")

    def best(self, side: int) -> int | None:
        """Return the best price of a side."""
        level = self.bids.best if side == BUY else self.asks.best
        return None if level is None else level.price

    def add(self, number: int, side: int, price: int, quantity: int) -> None:
        """Match one limit order, and let the rest of it rest."""
        free_orders = self.free_orders
        order = free_orders.pop() if free_orders else Order()
        order.reset(number, self.account, self.account.cash, "", self.instrument, side, price, quantity, GTC)
        buying = side == BUY
        opposite = self.asks if buying else self.bids
        while order.remaining:
            level = opposite.best
            if level is None or (level.price > price if buying else level.price < price):
                break
            maker = level.head
            assert maker is not None
            fill = maker.remaining if maker.remaining < order.remaining else order.remaining
            order.remaining -= fill
            maker.remaining -= fill
            level.quantity -= fill
            self.fills.append((number, maker.order_id, fill, level.price))
            if not maker.remaining:
                level.remove(maker)
                del self.orders[maker.order_id]
                free_orders.append(maker)
        if order.remaining:
            (self.bids if buying else self.asks).add(order)
            self.orders[number] = order

    def apply_all(self, messages: list[tuple[int, ...]]) -> None:
        """Apply the messages of a flow (``benchmarks.matching.flows``)."""
        for message in messages:
            kind = message[KIND]
            if kind == ADD:
                _, number, side, price, quantity = message
                self.add(number, side, price, quantity)
            elif kind == CANCEL:
                self.cancel(message[NUMBER])
            else:
                _, old, number, side, price, quantity, _ = message
                self.cancel(old)
                self.add(number, side, price, quantity)

    def cancel(self, number: int) -> None:
        """Remove an open order."""
        order = self.orders.pop(number)
        assert order.level is not None
        order.level.remove(order)
        self.free_orders.append(order)
