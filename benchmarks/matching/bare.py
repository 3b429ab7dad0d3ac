"""The core's book alone: its sides, levels and queues, without holdings and events. What the rest of the job costs is
the difference between this and the whole core."""

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


class BareBook:
    """Limit orders by number: add, cancel; fills as (taker, maker, quantity, price)."""

    def __init__(self) -> None:
        self.bids: Side = Side(BUY)
        self.asks: Side = Side(SELL)
        self.orders: dict[int, Order] = {}
        self.spare: list[Order] = []
        self.fills: list[tuple[int, int, int, int]] = []
        self.instrument: Instrument = Instrument("BARE")
        self.account: Account = Account("nobody", Member("nobody"), 0, "nobody")

    def best(self, side: int) -> int | None:
        """The best price of a side."""
        level = self.bids.best if side == BUY else self.asks.best
        return None if level is None else level.price

    def add(self, number: int, side: int, price: int, quantity: int) -> None:
        """Matches and rests one limit order."""
        spare = self.spare
        order = spare.pop() if spare else Order()
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
                spare.append(maker)
        if order.remaining:
            (self.bids if buying else self.asks).add(order)
            self.orders[number] = order

    def apply_all(self, messages: list[tuple[int, ...]]) -> None:
        """Runs messages of a flow (``benchmarks.matching.flows``)."""
        for message in messages:
            kind = message[0]
            if kind == ADD:
                self.add(message[1], message[2], message[3], message[4])
            elif kind == CANCEL:
                self.cancel(message[1])
            else:
                self.cancel(message[1])
                self.add(message[2], message[3], message[4], message[5])

    def cancel(self, number: int) -> None:
        """Takes an open order out."""
        order = self.orders.pop(number)
        assert order.level is not None
        order.level.remove(order)
        self.spare.append(order)
