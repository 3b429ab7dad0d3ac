"""The exchange as a gateway sees it: the fold of the event stream.

The same events give the same view, channels and their numbers included, whenever and wherever they are folded.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, get_args

from api.edge.outcome import Outcome
from api.view.accounts import Account, OrderOwners, tell
from api.view.channels import Channel
from api.view.market_data import MarketData
from api.view.orders import accepted, fills
from api.view.records import OPEN, Fill, Gap, Order
from api.view.tables import Named, Numbered
from goldx.protocol import events
from goldx.protocol.events import AnyEvent
from goldx.protocol.terms import BUY
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.frames import EventFrame

SELF_TOLD: Final = (events.OrderAccepted, events.Trade, events.OrderCancelled, events.HoldingChanged)
"""The events that make up nearly everything; what they tell is what ``accounts.tell`` says, without the detour."""


class View:
    """``sequence`` is that of the newest event folded, ``position`` the place of its frame in the journal."""

    def __init__(self) -> None:
        self.sequence = 0
        self.position = BEGINNING
        self.at = 0
        self.trading_day: str | None = None
        self.markets: dict[str, MarketData] = {}
        self.accounts: dict[str, Account] = {}
        self.members: dict[str, list[str]] = {}
        """Member -> its accounts, in the order of opening."""
        self.orders = Numbered[Order]()
        """Live orders and those that ended today."""
        self.fills = Numbered[Fill]()
        """The trades of these orders, by id."""
        self.owners = OrderOwners()
        self.channels: dict[str, Channel] = {}
        self._serving = False
        self._entering: Order | None = None
        self._touched: dict[str, MarketData] = {}
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            events.OrderAccepted: self._accepted,
            events.Trade: self._traded,
            events.OrderCancelled: self._cancelled,
            events.OrderReplaced: self._replaced,
            events.OrderTriggered: self._triggered,
            events.IcebergRefreshed: self._refreshed,
            events.SelfTradePrevented: self._prevented,
            events.HoldingChanged: self._holding_changed,
            events.AccountOpened: self._account_opened,
            events.InstrumentDefined: self._instrument_defined,
            events.PhaseChanged: lambda event: self._market(event).set_phase(event),
            events.ReferenceChanged: lambda event: self._market(event).set_reference(event),
            events.AuctionIndicated: lambda event: self._market(event).indicate(event),
            events.DayEnded: self._day_ended,
        }
        for event_type in get_args(AnyEvent):
            self._handlers[event_type] = self._handler(event_type)

    def _handler(self, event_type: type[Any]) -> Callable[[Any], None]:
        """What folds an event of a kind: the four that make up nearly everything tell their accounts themselves."""
        known = self._handlers.get(event_type)
        if event_type in SELF_TOLD and known is not None:
            return known

        def fold(event: Any) -> None:
            if known is not None:
                known(event)
            for name, told in tell(event, self.owners):
                if (account := self.accounts.get(name)) is not None:
                    account.publish(told)

        return fold

    def serve(self) -> None:
        """From now on there may be subscribers: channels to which none comes need not keep what they say."""
        self._serving = True
        for channel in self.channels.values():
            channel.linger()

    def _add(self, channel: Channel) -> None:
        self.channels[channel.name] = channel
        if self._serving:
            channel.linger()

    def apply(
        self, frame: EventFrame, expected: Callable[[Position, int], Sequence[Callable[[Outcome], object]]]
    ) -> None:
        """Folds one frame. ``expected`` is asked who waits for it, by its position and number of commands.

        The first of them is called with the events of the first command, when these are folded. Raises Gap.
        """
        position = Position(*frame.position)
        handlers = self._handlers
        waiting = expected(position, len(frame.outcomes))
        count = len(waiting)
        sequence = self.sequence
        for index, outcome in enumerate(frame.outcomes):
            if outcome:
                for event in outcome:
                    if event.sequence != sequence + 1:
                        raise Gap(f"event {event.sequence} follows event {sequence}")
                    sequence += 1
                    handlers[type(event)](event)
                self.sequence = sequence
                self.at = event.at
                self._settle()
            if index < count:
                waiting[index](outcome)
        self.position = position

    def _settle(self) -> None:
        if self._entering is not None:
            self._rest()
        for market in self._touched.values():
            market.settle(self.at)
        self._touched.clear()

    def _market(self, event: Any) -> MarketData:
        market = self._touched.get(event.symbol)
        if market is None:
            market = self._touched[event.symbol] = self.markets[event.symbol]
        return market

    def _rest(self) -> None:
        """An order sweeps the other side before it rests: it is put into the book when its sweep is over."""
        if self._entering is not None:
            self.markets[self._entering.symbol].enter(self._entering)
            self._entering = None

    def _accepted(self, event: events.OrderAccepted) -> None:
        if self._entering is not None:
            self._rest()
        self._market(event)
        order = accepted(event)
        order_id = event.order_id
        self.orders.put(order_id, order)
        self.owners.add(order_id, event.account, event.side)
        account = self.accounts[event.account]
        account.orders.put(event.client_order_id, order)
        account.live[order_id] = order
        if order.status == OPEN:
            self._entering = order
        account.publish(event)

    def _traded(self, event: events.Trade) -> None:
        maker, taker = self.orders[event.maker_order_id], self.orders[event.taker_order_id]
        trade_id = event.trade_id
        self.fills.put(trade_id, Fill(event, maker.last_trade, taker.last_trade))
        maker.last_trade = taker.last_trade = trade_id
        self._market(event).trade(event, maker, taker)
        buy, sell = (maker, taker) if maker.side == BUY else (taker, maker)
        self.accounts[event.buy_account].publish_trade(event, buy)
        self.accounts[event.sell_account].publish_trade(event, sell)
        if not event.maker_remaining:
            self.accounts[maker.account].live.pop(maker.order_id, None)
        if not event.taker_remaining:
            self.accounts[taker.account].live.pop(taker.order_id, None)

    def _cancelled(self, event: events.OrderCancelled) -> None:
        order = self.orders[event.order_id]
        self._market(event).cancel(order, event)
        account = self.accounts[order.account]
        account.live.pop(order.order_id, None)
        account.publish(event)

    def _replaced(self, event: events.OrderReplaced) -> None:
        order = self.orders[event.order_id]
        self._rest()
        self._market(event).replace(order, event)
        if event.new_client_order_id != order.client_order_id:
            order.client_order_id = event.new_client_order_id
            self.accounts[order.account].orders.put(order.client_order_id, order)
        if order.status == OPEN and not event.kept_priority:
            self._entering = order

    def _triggered(self, event: events.OrderTriggered) -> None:
        self._rest()
        self._market(event)
        order = self.orders[event.order_id]
        order.status = OPEN
        self._entering = order

    def _refreshed(self, event: events.IcebergRefreshed) -> None:
        self._market(event).book.refresh(self.orders[event.order_id], event.quantity)

    def _prevented(self, event: events.SelfTradePrevented) -> None:
        maker, taker = self.orders[event.maker_order_id], self.orders[event.taker_order_id]
        self._market(event).prevent(event, maker, taker)

    def _holding_changed(self, event: events.HoldingChanged) -> None:
        account = self.accounts[event.account]
        account.holdings[event.asset] = event
        account.publish(event)

    def _account_opened(self, event: events.AccountOpened) -> None:
        account = self.accounts[event.account] = Account(event)
        self.members.setdefault(event.member, []).append(event.account)
        self._add(account.channel)

    def _instrument_defined(self, event: events.InstrumentDefined) -> None:
        if event.symbol not in self.markets:
            market = self.markets[event.symbol] = MarketData(event.symbol)
            for channel in market.channels():
                self._add(channel)
        self._market(event).define(event)

    def _day_ended(self, event: events.DayEnded) -> None:
        """Orders that have ended are forgotten, and their client ids with them."""
        self.trading_day = event.next_trading_day
        self.orders = Numbered((order_id, order) for order_id, order in self.orders.items() if order.live)
        kept = [fill for order in self.orders.values() for fill in fills(order, self.fills)]
        self.fills = Numbered((fill.trade.trade_id, fill) for fill in kept)
        for account in self.accounts.values():
            account.orders = Named((order.client_order_id, order) for order in account.live.values())
