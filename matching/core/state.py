"""The whole state of a shard's core, and the few steps that everything else is made of."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappush
from typing import Any, Final, TypeAlias

from goldx.protocol.terms import AUCTION
from goldx.protocol.units import CASH
from matching.core.holdings import Account, Balance, Member
from matching.core.instrument import Instrument
from matching.core.orders import Order

Events: TypeAlias = list[tuple[Any, ...]]

NEVER: Final = 1 << 62
"""Later than any time."""


class State:
    """Nothing here depends on a set's order, a clock or a random number; every dict is walked in order of
    insertion, client ids in order of their numbers.

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
        "spare",
        "stamp",
        "timetable",
        "touched",
        "trading_day",
        "triggered",
        "yesterdays_references",
    )

    def __init__(self) -> None:
        self.now: int = 0
        self.stamp: Any = 0
        """The same, as the object that stands in events: the compiled core need not make one each time."""
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
        self.spare: list[Order] = []
        """Orders that are done, for those to come. Nobody else may hold on to one beyond its end."""
        self.references: dict[str, None] = {}
        self.yesterdays_references: dict[str, None] = {}
        self.timetable: list[tuple[int, int, str]] = []
        """Heap of (time, order number or NEVER, symbol): expiries and, after them, ends of interruptions."""
        self.next_due: int = NEVER
        self.events: Events = []
        self.touched: list[Balance] = []
        self.triggered: deque[Order] = deque()
        """Stops whose price has been reached and that have not entered yet."""
        self.auctioning: dict[str, Instrument] = {}
        """Instruments in auction whose book this command has changed."""

    def emit(self, event: int, *fields: Any) -> None:
        """Appends one event. The hottest events are built in place instead."""
        self.sequence += 1
        self.events.append((event, self.sequence, self.stamp, *fields))

    def refuse(self, method: str, reason: str, account: str | None, subject: str | None, detail: str = "") -> None:
        """The one event of a refused command other than order.place."""
        self.emit(13, method, reason, account, subject, detail or None)

    def finish(self, order: Order) -> None:
        """An order is done; its number stays under its client id, for the answer to a repetition."""
        del self.orders[order.order_id]
        self.spare.append(order)

    def cancel(self, order: Order, reason: str) -> None:
        """Ends an open order, wherever it is: resting, waiting for its stop price, or just entering."""
        instrument = order.instrument
        special = order.special
        if order.level is not None:
            order.level.leave(order)
        elif special is not None and special.waiting:
            instrument.stops(order.side).remove((special.stop_price, order.order_id))
            instrument.waiting -= 1
        if instrument.phase == AUCTION:
            self.auctioning[instrument.symbol] = instrument
        order.balance.reserved -= order.reserved
        self.touched.append(order.balance)
        self.sequence = sequence = self.sequence + 1
        self.events.append(
            (
                4,
                sequence,
                self.stamp,
                order.order_id,
                order.account.name,
                order.client_order_id,
                instrument.symbol,
                order.remaining,
                reason,
            )
        )
        order.reserved = 0
        order.remaining = 0
        self.finish(order)

    def named(self, account: Account, client_order_id: str) -> Order | None:
        """The open order of an account that has a client id now: one that was renamed is not found by its old one."""
        order = self.orders.get(account.ids.find(client_order_id))
        return order if order is not None and order.client_order_id == client_order_id else None

    def open_orders(self, accounts: list[Account]) -> list[Order]:
        """All open orders of accounts, in order of acceptance. O(all open orders), or O(their client ids of the day)
        where these are fewer."""
        if len(self.orders) <= sum([account.ids.count() for account in accounts]):
            names = {account.name for account in accounts}
            return [order for order in self.orders.values() if order.account.name in names]
        numbers = sorted({number for account in accounts for _, number in account.ids.items() if number in self.orders})
        return [self.orders[number] for number in numbers]

    def schedule(self, time: int, number: int, symbol: str) -> None:
        """Something is to happen at a time: an order (by number) expires, or (NEVER) an interruption ends."""
        if len(self.timetable) > 1_000 + 2 * len(self.orders):  # mostly orders that ended before their time
            self.timetable = [entry for entry in self.timetable if entry[1] == NEVER or entry[1] in self.orders]
            heapify(self.timetable)
        heappush(self.timetable, (time, number, symbol))
        self.next_due = self.timetable[0][0]

    def publish_holdings(self) -> None:
        """holding.changed for what is not as last published, in the order in which it was first touched."""
        append = self.events.append
        sequence = self.sequence
        now = self.stamp
        for balance in self.touched:
            total = balance.total
            reserved = balance.reserved
            if total != balance.published_total or reserved != balance.published_reserved:
                balance.published_total = total
                balance.published_reserved = reserved
                sequence += 1
                if balance.locked or balance.unwithdrawable:
                    gold = balance.asset != CASH
                    locked = balance.locked if gold else None
                    held = None if gold else balance.unwithdrawable
                    append((6, sequence, now, balance.account, balance.asset, total, reserved, locked, held))
                else:
                    append((6, sequence, now, balance.account, balance.asset, total, reserved))
        self.sequence = sequence
        self.touched.clear()
