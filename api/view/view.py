"""The gateway's view: the state of the exchange, folded from the event stream.

The same events give the same view, with the same messages and numbers in its channels, at every gateway.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, get_args

from msgspec.structs import replace

from api.edge.outcome import Outcome
from api.view.accounts import Account, OrderOwners, PrivateMessage, own_trades, private_messages
from api.view.channels import Channel, Content
from api.view.deals import Deals
from api.view.limits import ViewedLimits
from api.view.market_data import MarketData
from api.view.notices import Notices
from api.view.orders import accepted, becomes_past, is_kept, is_of_today, standing_trades
from api.view.protections import Protections
from api.view.records import OPEN, Fill, Gap, Order, OwnTrade
from api.view.regimes import Regimes
from api.view.requests import Requests
from api.view.tables import NumberTable
from goldx.protocol import claim_events, deal_events, events
from goldx.protocol.events import AnyEvent
from goldx.protocol.quote_events import QuoteEvent
from goldx.protocol.terms import BUY
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.frames import EventFrame

PUBLISHED_BY_HANDLER: Final = (events.OrderAccepted, events.Trade, events.OrderCancelled, events.HoldingChanged)
"""The most frequent events. Their handlers publish the messages of ``private_messages`` themselves, which is faster."""
PART_EVENTS: Final = 500
"""About so many events of one command, such as the trades of a large order, are folded at once.

Part of what all gateways have in common: changes of a book are published with each part, and numbered."""
WHOLE_COMMANDS: Final = 8
"""So many times as many events of commands of few events are folded at once: what is answered together costs less."""


class View:
    """The view. ``sequence`` is that of the newest event in it, ``position`` the journal position of its frame."""

    def __init__(self, part_events: int = PART_EVENTS) -> None:
        self._part_events = part_events
        self.sequence = 0
        self.position = BEGINNING
        self.at = 0
        self.trading_day: str | None = None
        self.markets: dict[str, MarketData] = {}
        self.accounts: dict[str, Account] = {}
        self.protections = Protections()
        self.regimes = Regimes()
        self.limits = ViewedLimits(self.accounts, lambda: self.last_trade)
        self.members: dict[str, list[str]] = {}
        """By member: its accounts in use, in the order of opening."""
        self.orders = NumberTable[Order]()
        """By id: open orders, and those that ended on this trading day or the one before."""
        self.fills = NumberTable[Fill]()
        """By trade id: the trades of these orders."""
        self.last_trade = 0
        """The id of the newest trade."""
        self.last_of_past = 0
        """The id of the newest trade before the present trading day."""
        self.deals = Deals()
        self.notices = Notices()
        self.requests = Requests(lambda: self.at)
        self.owners = OrderOwners()
        self.channels: dict[str, Channel] = {self.notices.channel.name: self.notices.channel}
        self.beginning = ""
        """The journal position of the first frame: it names the history of this exchange."""
        self.epoch = 0
        """The epoch of the leader that published the newest frame."""
        self.previous = b""
        """The hash of the frame before the newest one."""
        self.trouble: str | None = None
        """Why orders are not taken or not matched now, as this gateway sees it (``api.condition``), or None."""
        self._troubled_at = 0
        self._serving = False
        self._incoming: Order | None = None
        """An accepted order that is not in the book yet."""
        self._changed: dict[str, MarketData] = {}
        """By symbol: the instruments that the present command has changed."""
        self._kept_since = 0
        """The id of the newest trade before the trading day that has just ended, while the past is forgotten."""
        self._day_has_ended = False
        """Whether the present command has ended the trading day, so that orders are to be forgotten."""
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            events.OrderAccepted: self._accepted,
            events.Trade: self._traded,
            events.TradeBusted: self._busted,
            deal_events.TradePublished: lambda event: self._market(event).publish_direct(event),
            events.OrderCancelled: self._cancelled,
            events.OrderReplaced: self._replaced,
            events.OrderTriggered: self._triggered,
            events.IcebergRefreshed: lambda e: self._market(e).book.refresh(self.orders[e.order_id], e.quantity),
            events.SelfTradePrevented: self._prevented,
            events.HoldingChanged: self._holding_changed,
            claim_events.AccountClaimChanged: lambda event: self.accounts[event.account].owe(event),
            events.AccountOpened: lambda event: self.add_account(Account(event)),
            events.InstrumentDefined: self._instrument_defined,
            events.PhaseChanged: lambda event: self._market(event).set_phase(event),
            events.ReferenceChanged: lambda event: self._market(event).set_reference(event),
            events.AuctionIndicated: lambda event: self._market(event).indicate(event),
            events.DayEnded: self._day_ended,
            events.InstrumentRetired: lambda event: self._market(event).retire(),
            events.AccountRetired: lambda e: self.members[self.accounts[e.account].member].remove(e.account),
            **dict.fromkeys(get_args(QuoteEvent), lambda e: self.protections.fold(self.accounts[e.account].member, e)),
        }
        for part in (self.regimes, self.limits, self.notices, self.deals, self.requests):
            self._handlers |= part.handlers()
        for event_type in get_args(AnyEvent):
            self._handlers[event_type] = self._handler(event_type)

    def _handler(self, event_type: type[Any]) -> Callable[[Any], None]:
        """Return the function that folds events of a type and publishes their private messages."""
        known = self._handlers.get(event_type)
        if event_type in PUBLISHED_BY_HANDLER and known is not None:
            return known

        def fold(event: Any) -> None:
            if known is not None:
                known(event)
            for name, message in private_messages(event, self.owners):
                if (account := self.accounts.get(name)) is not None:
                    account.publish(self.named(message))

        return fold

    def named(self, message: PrivateMessage) -> PrivateMessage:
        """Return a private message made again from the events, with its order's client id if that is still known."""
        if not isinstance(message, OwnTrade) or (order := self.orders.get(message.order_id)) is None:
            return message
        return replace(message, client_order_id=order.client_order_id)

    def start_serving(self) -> None:
        """Let subscribers come: from now on a channel without any stops recording after a while."""
        self._serving = True
        for channel in self.channels.values():
            channel.limit_unread()

    def _add(self, channel: Channel) -> None:
        self.channels[channel.name] = channel
        channel.begin_epoch(self.beginning, self.epoch)
        if self._serving:
            channel.limit_unread()

    def apply(
        self, frame: EventFrame, take_waiting: Callable[[Position, int], Sequence[Callable[[Outcome], object]]]
    ) -> None:
        """Fold one frame at once. Raises Gap. See ``parts``."""
        for _ in self.parts(frame, take_waiting):
            pass

    def parts(
        self, frame: EventFrame, take_waiting: Callable[[Position, int], Sequence[Callable[[Outcome], object]]]
    ) -> Iterator[int]:
        """Fold one frame in parts (see PART_EVENTS), and yield the number of events of each. Raises Gap.

        After each part all that clients can read fits together, so requests may be answered meanwhile; ``position``
        follows at the end of the frame. ``take_waiting`` returns the callbacks that wait for the frame, given its
        position and its number of commands. The first callback is called with the events of the first command as soon
        as these are folded, and so on.
        """
        position = Position(*frame.position)
        self.previous = frame.previous
        if frame.epoch != self.epoch or not self.beginning:
            self._begin_epoch(position, frame.epoch)
        waiting = take_waiting(position, len(frame.outcomes))
        count = len(waiting)
        folded = 0
        for index, outcome in enumerate(frame.outcomes):
            if len(outcome) > self._part_events:
                yield from self._fold_in_parts(outcome)
            else:
                self._fold_whole(outcome)
                folded += len(outcome)
                if folded >= self._part_events * WHOLE_COMMANDS:
                    yield folded
                    folded = 0
            if self._day_has_ended:
                self._day_has_ended = False
                yield from self._forget_past()
            if index < count:
                waiting[index](outcome)
        self.position = position
        yield folded

    def _fold_whole(self, outcome: Sequence[Any]) -> None:
        """Fold the events of a command, and publish what they change."""
        handlers = self._handlers
        sequence = self.sequence
        for event in outcome:
            sequence += 1
            if event.sequence != sequence:
                raise Gap(f"event {event.sequence} follows event {sequence - 1}")
            handlers[type(event)](event)
        if outcome:
            self._enter_book()
            self._publish(sequence, outcome[-1].at)

    def _fold_in_parts(self, outcome: Outcome) -> Iterator[int]:
        """Fold the events of a command in parts, and yield the number of events of each.

        A part ends between two cancels, or between two trades of an order that is on its way into a book: there what
        clients can read fits together, as that order is in no book yet. The trades of an auction are one part, because
        the book is crossed until the last of them.
        """
        handlers = self._handlers
        begin = 0
        for number, event in enumerate(outcome):
            last = self.sequence + number - begin
            if number - begin >= self._part_events:
                dividing = events.OrderCancelled if self._incoming is None else events.Trade
                if type(event) is dividing is type(outcome[number - 1]):
                    self._publish(last, outcome[number - 1].at)
                    yield number - begin
                    begin = number
            if event.sequence != last + 1:
                raise Gap(f"event {event.sequence} follows event {last}")
            handlers[type(event)](event)
        self._enter_book()
        self._publish(outcome[-1].sequence, outcome[-1].at)
        yield len(outcome) - begin

    def _begin_epoch(self, position: Position, epoch: int) -> None:
        self.beginning = self.beginning or str(position)
        self.epoch = epoch
        for channel in self.channels.values():
            channel.begin_epoch(self.beginning, epoch)

    def _publish(self, sequence: int, at: int) -> None:
        """Publish what has changed up to an event, given its sequence and time."""
        self.sequence = sequence
        self.at = at
        for market in self._changed.values():
            market.publish_changes(at)
        self._changed.clear()

    def _market(self, event: Any) -> MarketData:
        market = self._changed.get(event.symbol)
        if market is None:
            market = self._changed[event.symbol] = self.markets[event.symbol]
        return market

    def _enter_book(self) -> None:
        """Put the incoming order into the book: it trades against the other side before it rests."""
        if self._incoming is not None:
            self.markets[self._incoming.symbol].enter(self._incoming)
            self._incoming = None

    def _accepted(self, event: events.OrderAccepted) -> None:
        if self._incoming is not None:
            self._enter_book()
        self._market(event)
        order = accepted(event)
        order_id = event.order_id
        self.orders.put(order_id, order)
        self.owners.add(order_id, event.account, event.side)
        account = self.accounts[event.account]
        account.orders.put(event.client_order_id, order)
        account.live[order_id] = order
        if order.status == OPEN:
            self._incoming = order
        account.publish(event)

    def _traded(self, event: events.Trade) -> None:
        if self.limits.state.traded:
            self.limits.count(event)
        if event.kind is not None:
            self._traded_without_orders(event)
            return
        maker, taker = self.orders[event.maker_order_id], self.orders[event.taker_order_id]
        trade_id = event.trade_id
        self.fills.put(trade_id, Fill(event, maker.last_trade, taker.last_trade))
        maker.last_trade = taker.last_trade = self.last_trade = trade_id
        self._market(event).trade(event, maker, taker)
        buy, sell = (maker, taker) if maker.side == BUY else (taker, maker)
        self.accounts[event.buy_account].publish_trade(event, buy)
        self.accounts[event.sell_account].publish_trade(event, sell)
        if not event.maker_remaining:
            self.accounts[maker.account].live.pop(maker.order_id, None)
        if not event.taker_remaining:
            self.accounts[taker.account].live.pop(taker.order_id, None)

    def _traded_without_orders(self, event: events.Trade) -> None:
        self.last_trade = event.trade_id
        self.fills.put(event.trade_id, Fill(event, 0, 0))
        self._market(event).direct.make(event)
        for message in own_trades(event, BUY):
            account = event.buy_account if message.side == BUY else event.sell_account
            self.accounts[account].publish(message)

    def _busted(self, event: events.TradeBusted) -> None:
        """Mark an annulled trade, which is one of this trading day."""
        self.limits.bust(event)
        if (annulled := self.fills.get(event.trade_id)) is not None:
            self.fills.put(event.trade_id, replace(annulled, busted=True))

        def standing(since: int, of_day: bool) -> list[events.Trade]:
            ids = range(self.last_trade, self.last_of_past if of_day else 0, -1)
            return standing_trades(self.fills, event.symbol, ids, since)

        self._market(event).bust(event, standing)

    def _cancelled(self, event: events.OrderCancelled) -> None:
        order = self.orders[event.order_id]
        self._market(event).cancel(order, event)
        account = self.accounts[order.account]
        account.live.pop(order.order_id, None)
        account.publish(event)

    def _replaced(self, event: events.OrderReplaced) -> None:
        order = self.orders[event.order_id]
        self._enter_book()
        self._market(event).replace(order, event)
        if event.new_client_order_id != order.client_order_id:
            order.client_order_id = event.new_client_order_id
            self.accounts[order.account].orders.put(order.client_order_id, order)
        if order.status == OPEN and not event.kept_priority:
            self._incoming = order

    def _triggered(self, event: events.OrderTriggered) -> None:
        self._enter_book()
        self._market(event)
        order = self.orders[event.order_id]
        order.status = OPEN
        self._incoming = order

    def _prevented(self, event: events.SelfTradePrevented) -> None:
        maker, taker = self.orders[event.maker_order_id], self.orders[event.taker_order_id]
        self._market(event).prevent(event, maker, taker)

    def _holding_changed(self, event: events.HoldingChanged) -> None:
        account = self.accounts[event.account]
        account.holdings[event.asset] = event
        account.publish(event)

    def add_account(self, account: Account) -> None:
        """Add an account that is not in the view yet."""
        self.accounts[account.name] = account
        self.members.setdefault(account.member, []).append(account.name)
        self.limits.add_account(account.name, account.member)
        self._add(account.channel)
        self.requests.add_member(account.member, self._add)

    def add_market(self, market: MarketData) -> None:
        """Add an instrument that is not in the view yet."""
        self.markets[market.symbol] = market

        def notice(resumes: bool) -> Content | None:
            return self._notice(market) if resumes or self.trouble is not None else None

        market.status_channel.notice = notice
        if self.trading_day is not None:
            market.begin_day(self.trading_day)
        for channel in market.channels():
            self._add(channel)

    def announce(self, trouble: str | None, at: int) -> None:
        """Notify the subscribers of status channels that orders are not accepted or not matched, or are again.

        No event of the exchange says so: these are notices and not numbered messages, at the gateway's time in ms.
        """
        self.trouble, self._troubled_at = trouble, at
        for market in self.markets.values():
            market.status_channel.notify(self._notice(market))

    def _notice(self, market: MarketData) -> Content:
        return Content(self._troubled_at or self.at, {**market.status(), "trouble": self.trouble})

    def _instrument_defined(self, event: events.InstrumentDefined) -> None:
        if event.symbol not in self.markets:
            self.add_market(MarketData(event.symbol))
        self._market(event).define(event)

    def _day_ended(self, event: events.DayEnded) -> None:
        self.trading_day = event.next_trading_day
        self._kept_since, self.last_of_past = self.last_of_past, self.last_trade
        for part in (self.regimes, self.limits, self.deals, self.requests):
            part.begin_day()
        for market in self.markets.values():
            market.begin_day(event.next_trading_day)
        self._day_has_ended = True

    def _forget_past(self) -> Iterator[int]:
        """Drop the orders that ended before this day, and their client ids: members could repeat them until now.

        There may be millions, so it is done in parts; yield the number of entries looked at in each.
        """
        looked = 0
        for account in self.accounts.values():
            for count in account.orders.forget(is_of_today):
                looked += count
                if looked >= self._part_events:
                    yield looked
                    looked = 0
        yield from self.orders.forget(becomes_past)
        yield from self.fills.forget(lambda fill: is_kept(fill, self.orders, self._kept_since))
        self._kept_since = 0
