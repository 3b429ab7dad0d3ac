"""The whole state of a shard's core, and the few steps that everything else is made of."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappush
from typing import Any

from goldx.terms import AUCTION, BUY
from goldx.units import CASH
from matching.holdings import Account, Balance, Member
from matching.instrument import Instrument
from matching.orders import Order

NEVER = 1 << 62
"""Later than any time."""


class State:
    """Nothing here depends on a set's order, a clock or a random number; every dict is walked in order of insertion.

    ``events`` and ``touched`` belong to the command that is being applied; everything else lasts.
    """

    __slots__ = (
        "accounts",
        "auctioning",
        "day",
        "events",
        "fees_collected",
        "instruments",
        "last_order_id",
        "last_trade_id",
        "members",
        "next_due",
        "now",
        "orders",
        "references",
        "sequence",
        "timetable",
        "touched",
        "trading_day",
        "triggered",
        "yesterdays_references",
    )

    def __init__(self) -> None:
        self.now: int = 0
        self.sequence: int = 0
        self.last_order_id: int = 0
        self.last_trade_id: int = 0
        self.day: int = 0
        """Trading days ended so far."""
        self.trading_day: str = ""
        self.fees_collected: int = 0
        self.instruments: dict[str, Instrument] = {}
        self.members: dict[str, Member] = {}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[int, Order] = {}
        """Every open order, in order of its number."""
        self.references: dict[str, None] = {}
        self.yesterdays_references: dict[str, None] = {}
        self.timetable: list[tuple[int, int, str]] = []
        """Heap of (time, order number or NEVER, symbol): expiries and, after them, ends of interruptions."""
        self.next_due: int = NEVER
        self.events: list[tuple[Any, ...]] = []
        self.touched: list[Balance] = []
        self.triggered: deque[Order] = deque()
        """Stops whose price has been reached and that have not entered yet."""
        self.auctioning: dict[str, Instrument] = {}
        """Instruments in auction whose book this command has changed."""

    def emit(self, event: int, *fields: Any) -> None:
        """Appends one event. The hottest events are built in place instead."""
        self.sequence += 1
        self.events.append((event, self.sequence, self.now, *fields))

    def refuse(self, method: str, reason: str, account: str | None, subject: str | None, detail: str = "") -> None:
        """The one event of a refused command other than order.place."""
        self.emit(13, method, reason, account, subject, detail or None)

    def finish(self, order: Order) -> None:
        """An order is done: its number stays under its client id, for the answer to a repetition."""
        del self.orders[order.order_id]
        order.account.ids[order.client_order_id] = order.order_id

    def cancel(self, order: Order, reason: str) -> None:
        """Ends an open order, wherever it is: resting, waiting for its stop price, or just entering."""
        instrument = order.instrument
        account = order.account
        number = order.order_id
        buying = order.side == BUY
        if order.level is not None:
            (instrument.bids if buying else instrument.asks).leave(order)
        elif order.special is not None and order.special.waiting:
            instrument.stops(order.side).remove((order.special.stop_price, number))
        if instrument.phase == AUCTION:
            self.auctioning[instrument.symbol] = instrument
        balance = account.cash if buying else account.balances[instrument.symbol]
        balance.reserved -= order.reserved
        order.reserved = 0
        self.touched.append(balance)
        del self.orders[number]
        client_order_id = order.client_order_id
        account.ids[client_order_id] = number
        remaining = order.remaining
        order.remaining = 0
        self.sequence = sequence = self.sequence + 1
        self.events.append(
            (4, sequence, self.now, number, account.name, client_order_id, instrument.symbol, remaining, reason)
        )

    def open_orders(self, accounts: list[Account]) -> list[Order]:
        """All open orders of accounts, in order of acceptance. O(client ids of the day)."""
        found = [o for account in accounts for o in account.ids.values() if not isinstance(o, int)]
        found.sort(key=_number)
        return found

    def schedule(self, time: int, number: int, symbol: str) -> None:
        """Something is to happen at a time: an order (by number) expires, or (NEVER) an interruption ends."""
        if len(self.timetable) > 1_000 + 2 * len(self.orders):  # mostly orders that ended before their time
            self.timetable = [entry for entry in self.timetable if entry[1] == NEVER or entry[1] in self.orders]
            heapify(self.timetable)
        heappush(self.timetable, (time, number, symbol))
        self.next_due = self.timetable[0][0]

    def publish_holdings(self) -> None:
        """holding.changed for what is not as last published, in the order in which it was first touched."""
        for balance in self.touched:
            total = balance.total
            reserved = balance.reserved
            if total != balance.published_total or reserved != balance.published_reserved:
                balance.published_total = total
                balance.published_reserved = reserved
                self.sequence = sequence = self.sequence + 1
                if balance.locked or balance.unwithdrawable:
                    gold = balance.asset != CASH
                    self.events.append(
                        (
                            6,
                            sequence,
                            self.now,
                            balance.account,
                            balance.asset,
                            total,
                            reserved,
                            balance.locked if gold else None,
                            None if gold else balance.unwithdrawable,
                        )
                    )
                else:
                    self.events.append((6, sequence, self.now, balance.account, balance.asset, total, reserved))
        self.touched.clear()


def _number(order: Order) -> int:
    return order.order_id
