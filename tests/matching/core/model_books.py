"""The model's state, the holdings of its accounts, and the trading of its orders."""

import copy
from typing import Any

from goldx.protocol import events, terms, units
from goldx.protocol.commands import TradeTerms
from goldx.protocol.events import AnyEvent
from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.regime_commands import VenueSetRegime
from tests.amounts import money_of
from tests.matching.core.model_auction import uncrossing
from tests.matching.core.model_limits import triggers_within_limits
from tests.matching.core.model_parts import Account, Asked, Instrument, Member, Order, Proposal
from tests.matching.core.model_protection import Limits, protect
from tests.matching.core.model_rules import could_use, crosses, fee_after, is_reached, outside_band


class Books:
    def __init__(self) -> None:
        self.at = 0
        self.sequence = 0
        self.last_order_id = 0
        self.last_trade_id = 0
        self.last_turn = 0
        self.trades: dict[int, events.Trade] = {}
        self.busted: list[int] = []
        """The trades annulled on this trading day."""
        self.asked_for: dict[int, tuple[str, TradeTerms | None]] = {}
        """By trade: who has asked for its annulment, and with which terms."""
        self.day = 0
        self.trading_day = ""
        self.instruments: dict[str, Instrument] = {}
        self.members: dict[str, Member] = {}
        self.limits: dict[tuple[str, str], Limits] = {}
        """By member and group of quotes."""
        self.accounts: dict[str, Account] = {}
        self.limits_of_members: dict[tuple[str, str], LimitsSet] = {}
        """By member and account (empty: all accounts of the member)."""
        self.asked_limits: dict[tuple[str, str], tuple[list[int | None], str]] = {}
        """By the same: the limits that only one person has given so far on this trading day, and that person."""
        self.limits_count_after: dict[str, int] = {}
        """By member: the trade after which its trades count."""
        self.last_trade_of_past = 0
        """The last trade before this trading day."""
        self.regime: VenueSetRegime | None = None
        self.asked_regime: tuple[list[Any] | None, str] = (None, "")
        """The regime that only one person has named so far, and that person."""
        self.day_value = 0
        self.total_value = 0
        """The value of the trades in sandboxes, in fen: on this trading day, and in all."""
        self.proposed: dict[str, tuple[dict[str, Any], str]] = {}
        """By symbol: the terms of an instrument that only one person has given so far, and that person."""
        self.orders: list[Order] = []
        self.coming: list[Order] = []
        """New orders of a mass quote: their money and gold are reserved, and they have not entered the book yet."""
        self.deals: list[Proposal] = []
        self.requests: list[Asked] = []
        self.fees_collected = 0
        self.out: list[AnyEvent] = []
        self.touched: list[tuple[str, str]] = []
        self.auctions: list[Instrument] = []
        """The instruments in auction that events of this command are about, in that order."""
        self.triggered: list[Order] = []
        """The stops that a trade has reached, in the order in which they enter."""

    def emit(self, event: Any, *fields: Any) -> None:
        self.sequence += 1
        self.out.append(event(self.sequence, self.at, *fields))
        instrument = self.instruments.get(getattr(self.out[-1], "symbol", ""))
        if instrument is not None and instrument.phase == terms.AUCTION and instrument not in self.auctions:
            self.auctions.append(instrument)

    # Holdings

    def touch(self, account: Account, asset: str) -> None:
        account.total.setdefault(asset, 0)
        if (account.name, asset) not in self.touched:
            self.touched.append((account.name, asset))

    def touch_for(self, order: Order) -> None:
        self.touch(order.account, units.CASH if order.side == terms.BUY else order.symbol)

    def reserved(self, account: Account, asset: str) -> int:
        uses = [could_use(o, self.instruments[o.symbol]) for o in self.orders + self.coming if o.account is account]
        return sum(amount for used, amount in uses if used == asset)

    def locked(self, account: Account, asset: str) -> int:
        return sum(quantity for symbol, quantity, day in account.bought if symbol == asset and day > self.day)

    def available(self, account: Account, asset: str) -> int:
        return account.total.get(asset, 0) - self.locked(account, asset) - self.reserved(account, asset)

    def withdrawable(self, account: Account, asset: str) -> int:
        kept = account.unwithdrawable if asset == units.CASH else 0
        return max(0, self.available(account, asset) - kept)

    def holding(self, account: Account, asset: str) -> tuple[int, int, int, int]:
        """Return (total, reserved, locked, unwithdrawable)."""
        kept = account.unwithdrawable if asset == units.CASH else 0
        return account.total.get(asset, 0), self.reserved(account, asset), self.locked(account, asset), kept

    def move(self, account: Account, asset: str, amount: int) -> None:
        account.total[asset] = account.total.get(asset, 0) + amount
        self.touch(account, asset)

    # The legal regime

    def is_beyond(self, value: int) -> bool:
        """Return whether a trade of a value would be beyond a cap."""
        regime = self.regime
        if regime is None or regime.max_day_value is None or regime.max_total_value is None:
            return False
        return self.day_value + value > regime.max_day_value or self.total_value + value > regime.max_total_value

    def count_value(self, amount: int) -> None:
        if self.regime is not None and self.regime.regime == terms.SANDBOX:
            self.day_value += amount
            self.total_value += amount

    def lock_days(self, instrument: Instrument) -> int:
        """Return for how many trading days gold that is bought now may not be sold."""
        of_regime = 0 if self.regime is None else self.regime.min_hold_trading_days
        return max(of_regime, instrument.terms.resale_lock_days)

    # Who is first

    def resting(self, symbol: str, side: int) -> list[Order]:
        """Return the resting orders of one side, best price first, then oldest first."""
        orders = [o for o in self.orders if (o.symbol, o.side) == (symbol, side) and o.turn]
        sign = -1 if side == terms.BUY else 1
        return sorted(orders, key=lambda o: (sign * (o.price or 0), o.turn))

    def join(self, order: Order) -> None:
        """Put an order, or an iceberg's next slice, behind all others of its price."""
        self.last_turn += 1
        order.turn = self.last_turn
        order.shown = min(order.remaining, order.display or order.remaining)

    # Ends

    def cancel(self, order: Order, reason: str, detail: str | None = None) -> None:
        self.orders.remove(order)
        self.touch_for(order)
        self.emit(
            events.OrderCancelled,
            order.order_id,
            order.account.name,
            order.client_order_id,
            order.symbol,
            order.remaining,
            reason,
            detail,
        )

    def cancel_each(self, orders: list[Order], reason: str, detail: str | None = None) -> None:
        for order in sorted(orders, key=lambda o: o.order_id):
            self.cancel(order, reason, detail)

    # Meeting

    def crossing_limit(self, order: Order) -> int | None:
        """Return the worst price an entering order may trade at, or None if there is nothing to trade with."""
        if order.price is not None:
            return order.price
        makers = self.resting(order.symbol, 1 - order.side)
        if not makers:
            return None
        instrument = self.instruments[order.symbol]
        lowest, highest = instrument.limits()
        best, protection = makers[0].price or 0, instrument.terms.market_protection
        if protection is None:
            return highest if order.side == terms.BUY else lowest
        return min(best + protection, highest) if order.side == terms.BUY else max(best - protection, lowest)

    def enter(self, order: Order) -> None:
        """Let an order trade; then what is left of it joins the book or, if it may not rest, is cancelled."""
        instrument = self.instruments[order.symbol]
        interrupted = False
        if instrument.phase == terms.CONTINUOUS:
            if order.time_in_force == terms.FOK and not self.would_fill(order):
                self.cancel(order, "FOK")
                return
            self.take(order)
            interrupted = instrument.phase != terms.CONTINUOUS
        if order not in self.orders:
            return
        may_rest = order.type == terms.LIMIT and order.time_in_force not in (terms.IOC, terms.FOK)
        if may_rest:
            self.join(order)
        elif interrupted:
            self.cancel(order, "PHASE")
        else:
            self.cancel(order, "MARKET" if order.type == terms.MARKET else "IOC")

    def would_fill(self, order: Order) -> bool:
        """Return whether a fill-or-kill order would fill completely, by trying it on a copy of everything."""
        trial = copy.deepcopy(self)
        twin = next((o for o in trial.orders if o.order_id == order.order_id), None)
        if twin is None:
            twin = copy.deepcopy(order)
            twin.account = trial.accounts[order.account.name]
            trial.orders.append(twin)
        trial.take(twin)
        return twin.filled == order.quantity

    def take(self, order: Order) -> None:
        instrument = self.instruments[order.symbol]
        instrument.printed.clear()
        self.trade_with_all(order, instrument)
        self.trigger(instrument, instrument.printed)

    def trade_with_all(self, order: Order, instrument: Instrument) -> None:
        centre = instrument.last or instrument.reference
        limit = self.crossing_limit(order)
        while order.remaining and order in self.orders and limit is not None:
            makers = self.resting(order.symbol, 1 - order.side)
            if not makers or not crosses(order.side, limit, makers[0].price or 0):
                return
            maker = makers[0]
            if maker.account.owner == order.account.owner:
                self.prevent(maker, order)
                continue
            price = self.trade_price(instrument, order, maker)
            quantity = min(order.remaining, maker.shown)
            if order.price is None and order.side == terms.BUY:
                quantity = self.affordable(order, instrument, price, quantity)
                if quantity == 0:
                    return
            if outside_band(instrument, centre, price):
                instrument.interrupted_until = self.at + instrument.terms.interruption_ms
                instrument.reopening = (instrument.last or instrument.reference or 0, 1)
                self.change_phase(instrument, terms.AUCTION)
                return
            if self.is_beyond(money_of(price, quantity)):
                self.cancel(order, "REGIME")
                return
            self.trade(maker, order, price, quantity, order.side)

    def trade_price(self, instrument: Instrument, order: Order, maker: Order) -> int:
        assert maker.price is not None
        tick = instrument.terms.tick
        middle = instrument.last or (instrument.reference or 0) // tick * tick or None
        if instrument.terms.price_rule == terms.MAKER_PRICE or middle is None or order.price is None:
            return maker.price
        return sorted((maker.price, order.price, middle))[1]

    def change_phase(self, instrument: Instrument, phase: int, planned_at: int | None = None) -> None:
        previous, instrument.phase = instrument.phase, phase
        instrument.indicated = None, None
        self.emit(events.PhaseChanged, instrument.terms.symbol, phase, previous, planned_at)

    def affordable(self, order: Order, instrument: Instrument, price: int, wanted: int) -> int:
        """Return the most whole lots of ``wanted`` that the available cash pays for, by removing lot by lot."""
        cash = self.available(order.account, units.CASH)
        quantity = wanted
        while quantity > 0:
            amount = money_of(price, quantity)
            if amount + fee_after(order.fee_residue, amount, instrument.terms.taker_fee_bp)[0] <= cash:
                return quantity
            quantity -= instrument.terms.lot
        return 0

    def prevent(self, maker: Order, taker: Order) -> None:
        """Resolve the meeting of two orders of one owner by the taker's mode."""
        quantity = 0
        if taker.stp == terms.DECREMENT:
            quantity = min(maker.shown, taker.shown if taker.turn else taker.remaining)
            for order in (maker, taker):
                order.remaining -= quantity
                order.quantity -= quantity
                order.shown -= quantity if order.turn else 0
                self.touch_for(order)
        numbers = maker.order_id, taker.order_id
        self.emit(events.SelfTradePrevented, taker.symbol, *numbers, quantity, maker.remaining, taker.remaining)
        goes = {
            terms.CANCEL_TAKER: (taker,),
            terms.CANCEL_MAKER: (maker,),
            terms.CANCEL_BOTH: (maker, taker),
            terms.DECREMENT: [o for o in (maker, taker) if o.remaining == 0],
        }[taker.stp]
        for order in (maker, taker):
            if order in goes:
                self.cancel(order, "SELF_TRADE")
            elif order.turn and order.shown == 0:
                self.refresh(order)

    def trade(self, maker: Order, taker: Order, price: int, quantity: int, taker_side: int | None) -> None:
        instrument = self.instruments[maker.symbol]
        buy, sell = (maker, taker) if maker.side == terms.BUY else (taker, maker)
        amount = money_of(price, quantity)
        fees = {}
        for order, rate in ((maker, instrument.terms.maker_fee_bp), (taker, instrument.terms.taker_fee_bp)):
            fees[order.order_id], order.fee_residue = fee_after(order.fee_residue, amount, rate)
            order.remaining -= quantity
            order.filled += quantity
            order.shown -= quantity if order.turn else 0
        self.fees_collected += sum(fees.values())
        self.count_value(amount)
        self.last_trade_id += 1
        self.emit(
            events.Trade,
            self.last_trade_id,
            maker.symbol,
            price,
            quantity,
            amount,
            maker.order_id,
            taker.order_id,
            buy.account.name,
            sell.account.name,
            taker_side,
            maker.remaining,
            taker.remaining,
            fees[buy.order_id],
            fees[sell.order_id],
        )
        made = self.out[-1]
        assert isinstance(made, events.Trade)
        self.trades[self.last_trade_id] = made
        earned = amount - fees[sell.order_id]
        self.move(buy.account, units.CASH, -amount - fees[buy.order_id])
        self.move(buy.account, maker.symbol, quantity)
        self.move(sell.account, maker.symbol, -quantity)
        self.move(sell.account, units.CASH, earned)
        self.hold_back(buy.account, sell.account, instrument, quantity, earned)
        instrument.last = price
        instrument.printed.append(price)
        for order in (maker, taker):
            if order.remaining == 0:
                self.orders.remove(order)
            elif order.turn and order.shown == 0:
                self.refresh(order)
        protect(self, (maker, taker), quantity)

    def hold_back(self, buyer: Account, seller: Account, instrument: Instrument, quantity: int, earned: int) -> None:
        """Lock bought gold for some trading days, and forbid the withdrawal of a part of the proceeds today."""
        if days := self.lock_days(instrument):
            free_on = self.day + days
            buyer.bought.append((instrument.terms.symbol, quantity, free_on))
        seller.unwithdrawable += earned - earned * instrument.terms.same_day_reuse_percent // 100

    def refresh(self, order: Order) -> None:
        """Show the next slice of an iceberg at the end of its level."""
        self.join(order)
        self.emit(events.IcebergRefreshed, order.order_id, order.symbol, order.shown)

    # Stops

    def trigger(self, instrument: Instrument, prices: list[int]) -> None:
        """Queue the stops that trades at these prices have reached, in order of acceptance."""
        stops = [o for o in self.orders if o.pending and o.symbol == instrument.terms.symbol]
        found = [o for o in stops if o not in self.triggered and any(is_reached(o, price) for price in prices)]
        self.triggered += sorted(found, key=lambda o: o.order_id)

    def run_stops(self) -> None:
        """Let triggered stops enter one by one; where trading has stopped they are pending again."""
        while self.triggered:
            order = self.triggered.pop(0)
            if self.instruments[order.symbol].phase == terms.CONTINUOUS:
                order.pending = False
                account, number = order.account.name, order.order_id
                self.emit(events.OrderTriggered, number, account, order.client_order_id, order.symbol)
                if triggers_within_limits(self, order):
                    self.enter(order)
                else:
                    self.cancel(order, "MEMBER_LIMIT")

    # Auctions

    def uncross(self, instrument: Instrument) -> None:
        """Trade all that crosses at one price, the older order as maker; repeat while the book is left crossed."""
        symbol = instrument.terms.symbol
        while True:
            book = self.resting(symbol, terms.BUY) + self.resting(symbol, terms.SELL)
            found = uncrossing(book, instrument.reference)
            if found is None:
                return
            self.uncross_at(symbol, found[0])

    def uncross_at(self, symbol: str, price: int) -> None:
        while True:
            buys = [o for o in self.resting(symbol, terms.BUY) if (o.price or 0) >= price]
            sells = [o for o in self.resting(symbol, terms.SELL) if (o.price or 0) <= price]
            if not buys or not sells:
                return
            maker, taker = sorted((buys[0], sells[0]), key=lambda o: o.order_id)
            if maker.account.owner == taker.account.owner:
                self.prevent(maker, taker)
            elif self.is_beyond(money_of(price, min(maker.shown, taker.shown))):
                self.cancel(taker, "REGIME")
            else:
                self.trade(maker, taker, price, min(maker.shown, taker.shown), None)
