"""The market data of one instrument: definition, phase, book, trades and candles, and their public channels."""

from collections import deque
from copy import copy
from functools import partial
from typing import Any, Final, TypeAlias

from api.view.book_checksum import BookChecksum
from api.view.books import (
    BOTH,
    Book,
    Changes,
    Level,
    LevelChange,
    RestingOrder,
    level_checksum,
    levels_checksum_change,
    order_checksum,
    orders_checksum_change,
)
from api.view.candles import INTERVALS, Candles, StandingTrades, candle_content
from api.view.channels import NO_LIMIT, Channel, Content, SnapshotInParts
from api.view.direct_trades import DirectTrades
from api.view.public_trades import trade_content, write_public_trade
from api.view.records import CANCELLED, FILLED, OPEN, BookUpdate, Candle, Order
from goldx.protocol import terms, units
from goldx.protocol.deal_events import TradePublished
from goldx.protocol.events import (
    AuctionIndicated,
    InstrumentDefined,
    OrderCancelled,
    OrderReplaced,
    PhaseChanged,
    ReferenceChanged,
    SelfTradePrevented,
    Trade,
    TradeBusted,
)
from goldx.protocol.wire import write_event

_Top: TypeAlias = tuple[int, Level | None, Level | None]
"""Time, best bid, best ask."""
TRADES_KEPT: Final = 1_000
SIDE_NAMES: Final = ("bids", "asks")
"""By side: the name of its levels in the protocol."""


class MarketData:
    """The market data of one symbol, kept from its events. ``publish_changes`` is to be called after each command."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.defined: InstrumentDefined | None = None
        self.phase = terms.CLOSED
        self.retired = False
        """Whether the venue has taken the instrument out of use."""
        self.reference: int | None = None
        self.last: int | None = None
        self.indicated: AuctionIndicated | None = None
        self.book = Book()
        self.trades: deque[Trade | TradePublished] = deque(maxlen=TRADES_KEPT)
        self.busted: set[int] = set()
        """The ids of those of these trades that were annulled."""
        self.direct = DirectTrades()
        self.candles = {interval: Candles(interval) for interval in INTERVALS}
        self.at = 0
        """The time of the newest change, in ms."""
        self._status_changed = False
        self._traded = False
        self._corrected: list[tuple[Channel, Candle]] = []
        """The candles out of which the present command has taken a trade, and their channels."""
        self._levels_checksum = BookChecksum(self.book.levels_checksum, levels_checksum_change)
        self._orders_checksum = BookChecksum(self.book.orders_checksum, orders_checksum_change)
        self.book_channel = Channel(
            f"book.{symbol}",
            _write_levels,
            self._levels_now,
            self._levels_checksum.complete,
            rows=lambda: self.book.count_levels(NO_LIMIT),
            in_parts=self._levels_in_parts,
        )
        self.orders_channel = Channel(
            f"orders_book.{symbol}",
            _write_orders,
            self._orders_now,
            self._orders_checksum.complete,
            rows=lambda: len(self.book.orders),
            in_parts=self._orders_in_parts,
        )
        self.top_channel = Channel(f"top.{symbol}", _write_top, lambda: _write_top(self._top_now()))
        self.trades_channel = Channel(f"trades.{symbol}", trade_content, lasting=True)
        self.status_channel = Channel(f"status.{symbol}", _same, lambda: Content(self.at, self.status()))
        self.candle_channels = {
            interval: Channel(f"candles.{symbol}.{interval}", candle_content, partial(self._candle_now, interval))
            for interval in INTERVALS
        }
        self._candle_feeds = [(self.candles[name], self.candle_channels[name]) for name in INTERVALS]

    def channels(self) -> list[Channel]:
        """Return all public channels of the instrument."""
        fixed = [self.book_channel, self.orders_channel, self.top_channel, self.trades_channel, self.status_channel]
        return [*fixed, *self.candle_channels.values()]

    def define(self, event: InstrumentDefined) -> None:
        self.defined = event
        self.retired = False
        if event.reference_price is not None:
            self.reference = event.reference_price
        self._status_changed = True

    def retire(self) -> None:
        self.retired = True
        self._status_changed = True

    def begin_day(self, trading_day: str) -> None:
        """Begin a trading day, an ISO date: trades from now on belong to its candle."""
        self.candles["1d"].begin_day(trading_day)
        self.direct.begin_day()

    def set_phase(self, event: PhaseChanged) -> None:
        self.phase = event.phase
        self.indicated = None
        self._status_changed = True

    def set_reference(self, event: ReferenceChanged) -> None:
        self.reference = event.price
        self._status_changed = True

    def indicate(self, event: AuctionIndicated) -> None:
        self.indicated = event
        self._status_changed = True

    def trade(self, event: Trade, maker: Order, taker: Order) -> None:
        """Record a trade, and reduce both orders by it."""
        self.trades.append(event)
        self.last = event.price
        for candles, _ in self._candle_feeds:
            candles.add(event.at, event.price, event.quantity)
        self._apply_fill(maker, event, event.maker_remaining)
        self._apply_fill(taker, event, event.taker_remaining)
        self._traded = True
        self.trades_channel.publish(event)

    def publish_direct(self, event: TradePublished) -> None:
        """Publish a trade without orders. It is in no candle and not the last price."""
        self.trades.append(event)
        self.direct.publish(event)
        self.trades_channel.publish(event)

    def bust(self, event: TradeBusted, standing: StandingTrades) -> None:
        """Take an annulled trade out of the candles and the last price. Orders and book stay as they are."""
        kept = {trade.trade_id for trade in self.trades}
        self.busted = {trade_id for trade_id in (*self.busted, event.trade_id) if trade_id in kept}
        if not event.maker_order_id:
            if self.direct.bust(event):
                self.trades_channel.publish(event)
            return
        for candles, channel in self._candle_feeds:
            candle = candles.bust(event, standing)
            if candle is not None:
                self._corrected.append((channel, candle))
        days = self.candles["1d"].kept
        last = days[-1].close if days else None
        if last != self.last:
            self.last = last
            self._status_changed = True
        self.trades_channel.publish(event)

    def prevent(self, event: SelfTradePrevented, maker: Order, taker: Order) -> None:
        """Reduce both orders without a trade (self-trade prevention mode ``decrement``)."""
        self._reduce(maker, event.quantity, event.maker_remaining)
        self._reduce(taker, event.quantity, event.taker_remaining)

    def cancel(self, order: Order, event: OrderCancelled) -> None:
        self.book.remove(order)
        order.remaining = event.remaining
        order.status = CANCELLED
        order.reason = event.reason

    def replace(self, order: Order, event: OrderReplaced) -> None:
        """Change the price and quantity of an order. The caller changes the client id."""
        if event.kept_priority and order.order_id in self.book.orders:
            self.book.show(order, min(order.visible, event.remaining))
        else:
            self.book.remove(order)
        order.price = event.price
        order.quantity = event.quantity
        order.remaining = event.remaining

    def enter(self, order: Order) -> None:
        """Put the rest of an incoming order into the book, if it may rest."""
        if order.status == OPEN and order.remaining and order.price is not None:
            self.book.insert(order)

    def publish_changes(self, at: int) -> None:
        """Publish the changes of one command, at the time ``at`` in ms."""
        self.at = at
        changes = self.book.take_changes()
        if changes is not None:
            self._publish_book(at, changes)
        if self._corrected:
            for channel, candle in self._corrected:
                channel.publish((at, candle))
            self._corrected = []
        if self._traded:
            self._traded = False
            for candles, channel in self._candle_feeds:
                if channel.recording:
                    channel.publish((at, copy(candles.kept[-1])))
                else:
                    channel.sequence += 1
        if self._status_changed:
            self._status_changed = False
            self.status_channel.publish(Content(at, self.status()))

    def status(self) -> dict[str, Any]:
        """Return phase and prices, in the protocol's form."""
        indicated = self.indicated
        price = None if indicated is None else indicated.price
        quantity = None if indicated is None else indicated.quantity
        return {
            "symbol": self.symbol,
            "phase": terms.PHASES[self.phase],
            "reference_price": _price(self.reference),
            "last_price": _price(self.last),
            "indicative_price": _price(price),
            "indicative_quantity": None if quantity is None else units.format_weight(quantity),
        }

    def instrument(self) -> dict[str, Any]:
        """Return the definition in force, in the protocol's form, with the phase."""
        if self.defined is None:
            return {}
        out = write_event(self.defined)
        for name in ("sequence", "at", "event"):
            del out[name]
        out |= {"reference_price": _price(self.reference), "phase": terms.PHASES[self.phase]}
        return out | {"retired": True} if self.retired else out

    def depth(self, depth: int | None) -> dict[str, Any]:
        """Return the best levels, in the protocol's form. The checksum is that of the whole book."""
        sides = zip(SIDE_NAMES, BOTH, strict=True)
        levels = {name: [_level(*level) for level in self.book.levels(side, depth)] for name, side in sides}
        channel = self.book_channel
        book_at = {"symbol": self.symbol, "sequence": channel.sequence, "epoch": channel.epoch, "at": self.at}
        return book_at | levels | {"checksum": self._levels_checksum.now}

    def write_trade(self, trade: Trade | TradePublished) -> dict[str, Any]:
        """Return one of the newest trades as everybody may see it, with ``busted`` if it was annulled."""
        return write_public_trade(trade, busted=trade.trade_id in self.busted)

    def _apply_fill(self, order: Order, event: Trade, remaining: int) -> None:
        order.filled += event.quantity
        order.amount += event.amount
        order.fee += event.buy_fee if order.side == terms.BUY else event.sell_fee
        self._reduce(order, event.quantity, remaining)
        if remaining == 0:
            order.status = FILLED

    def _reduce(self, order: Order, quantity: int, remaining: int) -> None:
        order.remaining = remaining
        if order.order_id not in self.book.orders:
            return  # an incoming order enters the book only after its last trade
        if remaining == 0:
            self.book.remove(order)
        else:
            self.book.show(order, max(0, order.visible - quantity))

    def _publish_book(self, at: int, changes: Changes) -> None:
        levels, orders, top = changes
        if levels:
            self._levels_checksum.publish(self.book_channel, at, levels)
        if orders:
            self._orders_checksum.publish(self.orders_channel, at, orders)
        if top:
            if self.top_channel.recording:
                self.top_channel.publish(self._top_now())
            else:
                self.top_channel.sequence += 1

    def _levels_now(self) -> Content:
        return _write_levels(BookUpdate(self.at, self.book.level_insertions(), self._levels_checksum.now))

    def _orders_now(self) -> Content:
        orders = tuple((None, order) for order in self.book.resting())
        return _write_orders(BookUpdate(self.at, orders, self._orders_checksum.now))

    def _levels_in_parts(self) -> SnapshotInParts:
        channel, seed = self.book_channel, self._levels_checksum.seed
        rows = self.book.level_insertions()
        return SnapshotInParts(channel, self.at, rows, _level_row, _level_row_checksum, partial(seed, channel))

    def _orders_in_parts(self) -> SnapshotInParts:
        channel, seed = self.orders_channel, self._orders_checksum.seed
        return SnapshotInParts(
            channel, self.at, self.book.resting(), _order_row, order_checksum, partial(seed, channel)
        )

    def _top_now(self) -> _Top:
        return self.at, self.book.best(terms.BUY), self.book.best(terms.SELL)

    def _candle_now(self, interval: str) -> Content:
        kept = self.candles[interval].kept
        return candle_content((self.at, kept[-1] if kept else None))


def _same(content: Content) -> Content:
    return content


def _price(fen: int | None) -> str | None:
    return None if fen is None else units.format_price(fen)


def _level(price: int, quantity: int) -> tuple[str, str]:
    return units.format_price(price), units.format_weight(quantity)


def _level_row(level: LevelChange) -> tuple[int, Any]:
    side, price, _, quantity = level
    return side, _level(price, quantity)


def _level_row_checksum(level: LevelChange) -> int:
    side, price, _, quantity = level
    return level_checksum(side, price, quantity)


def _order_row(order: RestingOrder) -> tuple[int, Any]:
    order_id, side, price, quantity, rank = order
    return side, (order_id, *_level(price, quantity), rank)


def _write_levels(update: BookUpdate) -> Content:
    data: dict[str, list[Any]] = {name: [] for name in SIDE_NAMES}
    for side, price, _, quantity in update.changes:
        data[SIDE_NAMES[side]].append(_level(price, quantity))
    return Content(update.at, data, update.checksum)


def _write_orders(update: BookUpdate) -> Content:
    data: dict[str, list[Any]] = {name: [] for name in SIDE_NAMES}
    for before, now in update.changes:
        order_id, side, price, quantity, rank = now or before
        data[SIDE_NAMES[side]].append((order_id, *_level(price, quantity if now else 0), rank))
    return Content(update.at, data, update.checksum)


def _write_top(top: _Top) -> Content:
    at, bid, ask = top
    return Content(at, {"bid": bid and _level(*bid), "ask": ask and _level(*ask)})
