"""Annulments in the brute-force model, which keeps every trade and takes amounts and parties from its own record."""

from goldx.protocol import commands, events, units
from tests.amounts import value_of
from tests.matching.core.model_parts import Account, Refused
from tests.matching.core.model_rfq import Requests

HALF_AN_HOUR = 30 * 60 * 1_000


class Busts(Requests):
    def do_trade_bust(self, c: commands.TradeBust) -> None:
        trade, given = self.trades.get(c.trade_id), c.trade
        if trade is None or given is None:
            raise Refused("UNKNOWN_TRADE")
        if c.trade_id in self.busted:
            raise Refused("BUSTED")
        if not c.reason.strip():
            raise Refused("BAD_VALUE")
        window = self.instruments[trade.symbol].terms.bust_window_ms
        window = HALF_AN_HOUR if window is None else window
        if given.trading_day != self.trading_day or self.at - given.at > window or window == 0:
            raise Refused("TOO_LATE")
        if given.amount != value_of(given.price, given.quantity):
            raise Refused("BAD_VALUE")
        buyer, seller = self.accounts[trade.buy_account], self.accounts[trade.sell_account]
        proceeds = trade.amount - trade.sell_fee
        locked = min(trade.quantity, sum(quantity for _, quantity, _ in self.locked_today(buyer, trade.symbol)))
        if self.available(seller, units.CASH) < proceeds:
            raise Refused("INSUFFICIENT_CASH")
        if self.available(buyer, trade.symbol) + locked < trade.quantity:
            raise Refused("INSUFFICIENT_GOLD")
        if c.lots_found is not None:
            self.check_lots(c.lots_found.lots, trade.quantity, c.lots_found, kept=True)
        first, terms = self.asked_for.get(c.trade_id, (c.by, given))
        if terms != given:
            raise Refused("BAD_VALUE")
        if first == c.by:
            self.asked_for[c.trade_id] = (c.by, given)
            self.emit(events.TradeBustProposed, c.trade_id, trade.symbol, c.reason, c.by)
            return
        del self.asked_for[c.trade_id]
        self.busted.append(c.trade_id)
        self.to_publish.pop(c.trade_id, None)
        orders = (trade.maker_order_id, trade.taker_order_id, trade.buy_account, trade.sell_account, trade.taker_side)
        what = (c.trade_id, trade.symbol, trade.price, trade.quantity, trade.amount)
        lots = () if c.lots_found is None else (c.lots_found.lots, c.lots_found.reservation)
        people = (given.at, first, c.by, c.reason)
        self.emit(events.TradeBusted, *what, *orders, trade.buy_fee, trade.sell_fee, *people, *lots)
        self.move(buyer, units.CASH, trade.amount + trade.buy_fee)
        self.move(buyer, trade.symbol, -trade.quantity)
        self.move(seller, trade.symbol, trade.quantity)
        self.move(seller, units.CASH, -proceeds)
        self.fees_collected -= trade.buy_fee + trade.sell_fee
        for one in self.locked_today(buyer, trade.symbol):
            symbol, quantity, free_on = one
            freed = min(quantity, locked)
            locked -= freed
            buyer.bought.remove(one)
            buyer.bought.append((symbol, quantity - freed, free_on))
        percent = self.instruments[trade.symbol].terms.same_day_reuse_percent
        held_back = proceeds - proceeds * percent // 100
        seller.unwithdrawable -= min(held_back, seller.unwithdrawable)

    def locked_today(self, account: Account, symbol: str) -> list[tuple[str, int, int]]:
        """Return what the account has bought that is locked for as long as what it would buy now."""
        days = self.lock_days(self.instruments[symbol])
        return [one for one in account.bought if days and (one[0], one[2]) == (symbol, self.day + days)]
