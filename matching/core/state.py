"""Everything that the core knows, and the few changes that several modules make."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappush
from typing import Any, Final, NamedTuple, TypeAlias

from goldx.protocol.terms import AUCTION
from goldx.protocol.units import CASH
from matching.core.deal import Deal
from matching.core.holdings import Account, Balance, Member
from matching.core.instrument import Instrument
from matching.core.orders import Order
from matching.core.regime_terms import NO_CAP, Regime
from matching.core.rfq import OpenRfq, OpenRfqQuote
from matching.core.tags import COMMAND_REJECTED, HOLDING_CHANGED, ORDER_CANCELLED

Events: TypeAlias = list[tuple[Any, ...]]

NEVER: Final = 1 << 62
"""A time later than any that occurs."""
NO_ORDER: Final = 1 << 62
"""The number in a ``Due`` that is about no order. Higher than any order's, so that at one time orders come first."""
DEALS: Final = 1 << 60
"""Added to the number of a proposed deal in a ``Due``: at one time deals expire after orders."""
LEAVING: Final = DEALS + (1 << 58)
"""Added to the number of a quote in a request whose session has ended: it leaves when it is no longer firm."""
GRACE_ENDS: Final = DEALS + (2 << 58)
"""Added to the number of a request in the ``Due`` of the end of its grace."""
REQUESTS: Final = DEALS + (3 << 58)
"""Added to the number of a request in the ``Due`` of its expiry."""
UNPUBLISHED: Final = 1 << 61
"""Added to the number of a trade in the ``Due`` of its publication, which comes after deals and requests."""
FORGOTTEN_ENTRIES: Final = 1_000
"""Entries of ended orders that may stay in the timetable, besides two for each open order."""


class Due(NamedTuple):
    """Something that happens at a time (ms).

    An order, a proposed deal or a request expires, a quote in a request leaves, a grace ends, a trade is published, or
    a volatility interruption of a symbol ends.
    """

    time: int
    order_id: int
    """NO_ORDER for the end of an interruption; from DEALS on a deal, and so on with the numbers above."""
    symbol: str


class State:
    """The state of one core.

    Nothing here depends on the order of a set, a clock or a random number: every dict is walked in order of insertion,
    client ids in the order of their numbers. ``events``, ``touched``, ``triggered`` and ``changed_auctions`` belong to
    the command that is being applied, ``free_orders`` and the ``general_...`` counters to this object, and ``next_due``
    follows from ``timetable``. Everything else is in a snapshot.
    """

    __slots__ = (
        "accounts",
        "at",
        "bust_proposals",
        "busted",
        "changed_auctions",
        "day",
        "day_value",
        "deal_ids",
        "deals",
        "events",
        "fees_collected",
        "free_orders",
        "general_commands",
        "general_trades",
        "instruments",
        "last_deal_id",
        "last_notice_id",
        "last_order_id",
        "last_rfq_id",
        "last_rfq_quote_id",
        "last_trade_id",
        "leaving",
        "members",
        "next_due",
        "notices",
        "now",
        "obstacle",
        "opening",
        "orders",
        "previous_references",
        "proposed_limits",
        "proposed_regime",
        "proposed_terms",
        "references",
        "regime",
        "requests",
        "rfq_ids",
        "sequence",
        "timetable",
        "total_value",
        "touched",
        "trading_day",
        "triggered",
        "unpublished",
    )

    opening: int
    """Whether the trading day may open (``matching.core.day_opening``); 0 where it need not be permitted."""
    obstacle: str
    """The obstacle that a day waits for, as far as settlement has named it."""

    def __init__(self) -> None:
        self.now: int = 0
        """The time of the command, in ms since the epoch."""
        self.at: Any = 0
        """The time ``now`` as an object for the events, so that the compiled core does not make one for each."""
        self.sequence: int = 0
        self.last_order_id: int = 0
        self.last_trade_id: int = 0
        self.day: int = 0
        """The number of trading days that have ended."""
        self.trading_day: str = ""
        self.opening, self.obstacle = 0, ""
        self.fees_collected: int = 0
        self.instruments: dict[str, Instrument] = {}
        self.members: dict[str, Member] = {}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[int, Order] = {}
        """Every open order, in the order of the numbers."""
        self.free_orders: list[Order] = []
        """Orders that are over, to be used again. Nothing else may keep a reference to one beyond its end."""
        self.references: dict[str, None] = {}
        """The references of this trading day's adjustments."""
        self.previous_references: dict[str, None] = {}
        """The references of the trading day before."""
        self.proposed_terms: dict[str, tuple[tuple[Any, ...], str]] = {}
        """By symbol: the terms that only one person has given so far on this trading day, and that person."""
        self.bust_proposals: dict[int, tuple[str, tuple[Any, ...]]] = {}
        """By trade id: who has asked for its annulment on this trading day, and its terms as that command had them."""
        self.busted: dict[int, None] = {}
        """The trades that were annulled on this trading day. Those of earlier days cannot be annulled any more."""
        self.regime: Regime | None = None
        """The legal regime; None before the first ``venue.set_regime``, when nothing is refused for it."""
        self.proposed_regime: tuple[tuple[Any, ...], str] | None = None
        """The regime that only one person has named so far on this trading day, and that person."""
        self.proposed_limits: dict[tuple[str, str], tuple[tuple[int | None, ...], str]] = {}
        """By member and account (or empty): limits that only one person has given so far on this day, and who."""
        self.day_value: int = 0
        self.total_value: int = 0
        """The value of the trades in sandboxes, in fen: of this trading day, and in all."""
        self.last_deal_id: int = 0
        self.deals: dict[int, Deal] = {}
        """Every open proposal of a deal, in the order of the numbers."""
        self.deal_ids: dict[tuple[str, str], tuple[int, int]] = {}
        """By account and client id: the deal that has it, and the day on which it was used."""
        self.last_rfq_id: int = 0
        self.last_rfq_quote_id: int = 0
        self.requests: dict[int, OpenRfq] = {}
        """Every open request for quotes, in the order of the numbers."""
        self.rfq_ids: dict[tuple[str, str], tuple[int, int]] = {}
        """By account and client id: the request that has it, and the day on which it was used."""
        self.leaving: dict[int, OpenRfqQuote] = {}
        """By number: the quotes in requests whose session has ended, and that are still firm."""
        self.unpublished: dict[int, tuple[int, tuple[Any, ...]]] = {}
        """By trade id: when a trade without orders is to be published (ms), and the fields of that event."""
        self.last_notice_id: int = 0
        self.notices: dict[int, dict[str, None]] = {}
        """By the number of a notice: the members that have still to acknowledge it."""
        self.timetable: list[Due] = []  # a heap
        self.next_due: int = NEVER
        self.events: Events = []
        self.touched: list[Balance] = []
        """The balances that this command may have changed, in the order in which it did; some several times."""
        self.triggered: deque[Order] = deque()
        """The stops whose price has been reached and that have not entered yet."""
        self.changed_auctions: dict[str, Instrument] = {}
        """The instruments in auction whose book this command has changed."""
        self.general_commands: int = 0
        """How many commands the fast path (``matching.core.plain``) has not served."""
        self.general_trades: int = 0
        """How many trades it has not made."""

    def emit(self, tag: object, *fields: Any) -> None:
        """Append one event. The most frequent events are built where they happen instead."""
        self.sequence += 1
        self.events.append((tag, self.sequence, self.at, *fields))

    def refuse(self, method: str, reason: str, account: str | None, subject: str | None, detail: str = "") -> None:
        """Append the ``command.rejected`` of a refused command other than ``order.place``."""
        self.emit(COMMAND_REJECTED, method, reason, account, subject, detail or None)

    def room(self) -> int:
        """Return what the caps of a sandbox still allow to be traded, in fen; without caps more than is ever traded."""
        regime = self.regime
        if regime is None or regime.max_day_value is None or regime.max_total_value is None:
            return NO_CAP
        return min(regime.max_day_value - self.day_value, regime.max_total_value - self.total_value)

    def count_value(self, amount: int) -> None:
        """Count the value of trades (fen) if the regime has caps."""
        if self.regime is not None and self.regime.max_day_value is not None:
            self.day_value += amount
            self.total_value += amount

    def finish(self, order: Order) -> None:
        """Remove an order that is over. Its client id stays taken, and still leads to its number."""
        usage = order.account.usage
        if usage is not None:
            usage.open(-1)
        del self.orders[order.order_id]
        self.free_orders.append(order)

    def cancel(self, order: Order, reason: str, detail: str = "") -> None:
        """Cancel an open order, whether it rests, is a pending stop, or is just entering."""
        instrument = order.instrument
        special = order.special
        if order.level is not None:
            order.level.remove(order)
        elif special is not None and special.pending:
            instrument.stops(order.side).remove((special.stop_price, order.order_id))
            instrument.pending_stops -= 1
        if instrument.phase == AUCTION:
            self.changed_auctions[instrument.symbol] = instrument
        order.balance.reserve(-order.reserved)
        self.touched.append(order.balance)
        self.sequence = sequence = self.sequence + 1
        cancelled = (
            ORDER_CANCELLED,
            sequence,
            self.at,
            order.order_id,
            order.account.name,
            order.client_order_id,
            instrument.symbol,
            order.remaining,
            reason,
        )
        self.events.append((*cancelled, detail) if detail else cancelled)
        order.reserved = 0
        order.remaining = 0
        self.finish(order)

    def find_order(self, account: Account, client_order_id: str) -> Order | None:
        """Return the open order of an account that has a client id now; after a rename the old id finds nothing."""
        order = self.orders.get(account.ids.find(client_order_id))
        return order if order is not None and order.client_order_id == client_order_id else None

    def open_orders(self, accounts: list[Account]) -> list[Order]:
        """Return all open orders of some accounts, in order of acceptance.

        O(all open orders), or O(client ids of these accounts today) if these are fewer.
        """
        if len(self.orders) <= sum([account.ids.count() for account in accounts]):
            names = {account.name for account in accounts}
            return [order for order in self.orders.values() if order.account.name in names]
        numbers = sorted({number for account in accounts for _, number in account.ids.items() if number in self.orders})
        return [self.orders[number] for number in numbers]

    def schedule(self, time: int, order_id: int, symbol: str) -> None:
        """Note that something happens at a time (``Due``)."""
        known = len(self.orders) + len(self.deals) + len(self.requests) + len(self.leaving) + len(self.unpublished)
        if len(self.timetable) > FORGOTTEN_ENTRIES + 2 * known:
            # In place, because this may happen while run_due walks the timetable.
            self.timetable[:] = [due for due in self.timetable if self._is_awaited(due.order_id)]
            heapify(self.timetable)
        heappush(self.timetable, Due(time, order_id, symbol))
        self.find_next_due()

    def _is_awaited(self, number: int) -> bool:
        """Return whether what an entry of the timetable is about is still to come."""
        if number == NO_ORDER:
            return True
        if number >= UNPUBLISHED:
            return number - UNPUBLISHED in self.unpublished
        if number >= REQUESTS:
            return number - REQUESTS in self.requests
        if number >= GRACE_ENDS:
            return number - GRACE_ENDS in self.requests
        if number >= LEAVING:
            return number - LEAVING in self.leaving
        return number - DEALS in self.deals if number >= DEALS else number in self.orders

    def find_next_due(self) -> None:
        """Set ``next_due`` to the earliest time in the timetable."""
        self.next_due = self.timetable[0].time if self.timetable else NEVER

    def publish_holdings(self) -> None:
        """Append ``holding.changed`` for each balance that differs from the one last published, in order of change."""
        append = self.events.append
        sequence = self.sequence
        at = self.at
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
                    append(
                        (
                            HOLDING_CHANGED,
                            sequence,
                            at,
                            balance.account,
                            balance.asset,
                            total,
                            reserved,
                            locked,
                            held,
                        )
                    )
                else:
                    append((HOLDING_CHANGED, sequence, at, balance.account, balance.asset, total, reserved))
        self.sequence = sequence
        self.touched.clear()
