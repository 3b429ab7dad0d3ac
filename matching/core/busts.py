"""Annulment of a trade by two persons (``trade.bust``): money, gold and fees go back in one step.

Orders, the last price and the stops that it triggered stay as they are. The core remembers no trades: the command
carries the terms of the trade, which gateways have from the events, each by itself. So state and speed do not depend on
the number of trades. Two commands of different persons must have the same terms, and settlement compares the event with
the trade that it has posted. Whatever the terms are, what one account loses another one or the fees gain.
"""

from __future__ import annotations

from typing import Any, Final

from goldx.protocol.commands import TradeTerms
from goldx.protocol.details import write_detail
from goldx.protocol.terms import DEFAULT_BUST_WINDOW_MS
from goldx.protocol.units import CASH, MAX_WEIGHT_MG, MG_PER_GRAM
from matching.core import methods, named_lots
from matching.core.holdings import Account, Balance
from matching.core.state import State
from matching.core.tags import TRADE_BUST_PROPOSED, TRADE_BUSTED

_REPEATED: Final[int] = TradeTerms.__struct_fields__.index("symbol")
"""Where in the terms those begin that ``trade.busted`` repeats in the same order."""


class _Terms:
    """The terms of a trade as a command gives them, see ``goldx.protocol.commands.TradeTerms``."""

    __slots__ = (
        "amount",
        "at",
        "buy_account",
        "buy_fee",
        "maker_order_id",
        "price",
        "quantity",
        "sell_account",
        "sell_fee",
        "symbol",
        "taker_order_id",
        "taker_side",
        "trading_day",
    )

    at: int
    trading_day: str
    symbol: str
    price: int
    quantity: int
    amount: int
    maker_order_id: int
    taker_order_id: int
    buy_account: str
    sell_account: str
    taker_side: int | None
    buy_fee: int
    sell_fee: int

    def __init__(self, traded: tuple[Any, ...]) -> None:
        (
            self.at,
            self.trading_day,
            self.symbol,
            self.price,
            self.quantity,
            self.amount,
            self.maker_order_id,
            self.taker_order_id,
            self.buy_account,
            self.sell_account,
            self.taker_side,
            self.buy_fee,
            self.sell_fee,
        ) = traded


class _Parties:
    """The two accounts of a trade, and what each of them gives back: the buyer gold, the seller money."""

    __slots__ = ("buyer", "freed", "held_back", "lock_day", "missing_cash", "missing_gold", "proceeds", "seller")

    def __init__(self, state: State, terms: _Terms) -> None:
        instrument = state.instruments[terms.symbol]
        self.buyer: Account = state.accounts[terms.buy_account]
        self.seller: Account = state.accounts[terms.sell_account]
        proceeds = terms.amount - terms.sell_fee
        self.proceeds: int = proceeds
        self.held_back: int = proceeds - proceeds * instrument.reuse_percent // 100
        """The part of the proceeds that may not be withdrawn today; it is free again when they go back."""
        self.lock_day: int = state.day + instrument.lock_days
        self.freed: int = 0
        """The part of the gold that is under this day's resale lock, from which it goes back."""
        bought = self.buyer.balances.get(terms.symbol) or Balance(terms.buy_account, terms.symbol)
        if instrument.lock_days:
            self.freed = min(terms.quantity, bought.locked_until(self.lock_day))
        self.missing_gold: int = terms.quantity - self.freed - bought.available()
        self.missing_cash: int = proceeds - self.seller.cash.available()

    def missing(self, symbol: str) -> tuple[str, str]:
        """Return (reason, detail) of what the parties do not have to give back, or two empty texts."""
        reason = detail = ""
        if self.missing_cash > 0:
            reason = "INSUFFICIENT_CASH"
            detail = f"{self.seller.name} lacks {self.missing_cash} of {CASH}"
        if self.missing_gold > 0:
            reason = reason or "INSUFFICIENT_GOLD"
            detail += f"{' and ' if detail else ''}{self.buyer.name} lacks {self.missing_gold} of {symbol}"
        return reason, f"{detail} in its smallest unit" if detail else ""


def bust(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``trade.bust``: note who has asked for it, or annul the trade if another person has."""
    _, trade_id, text, by, given, found = command
    traded: tuple[Any, ...] = () if given is None else tuple(given)
    subject = str(trade_id)
    if not traded or not 0 < trade_id <= state.last_trade_id:
        return state.refuse(methods.TRADE_BUST, "UNKNOWN_TRADE", None, subject)
    if trade_id in state.busted:
        return state.refuse(methods.TRADE_BUST, "BUSTED", None, subject)
    if not text.strip():
        words = write_detail("reason", "a text for the parties and the public")
        return state.refuse(methods.TRADE_BUST, "BAD_VALUE", None, subject, words)
    terms = _Terms(traded)
    reason, detail = _refusal(state, terms)
    lots: tuple[Any, ...] = ()
    if found is not None:
        numbers, _, reservation, _ = found
        lots = (tuple(numbers), reservation)
        if not reason:
            reason, detail = named_lots.refusal(state, tuple(numbers), terms.quantity, tuple(found), gives=True)
    if reason:
        return state.refuse(methods.TRADE_BUST, reason, None, subject, detail)
    first = state.bust_proposals.get(trade_id)
    proposed_by, proposed = ("", traded) if first is None else first
    if proposed != traded:
        words = write_detail("trade", f"{proposed_by} has proposed the annulment with other terms")
        return state.refuse(methods.TRADE_BUST, "BAD_VALUE", None, subject, words)
    if first is None or proposed_by == by:
        state.bust_proposals[trade_id] = (by, traded)
        return state.emit(TRADE_BUST_PROPOSED, trade_id, terms.symbol, text, by)
    del state.bust_proposals[trade_id]
    state.busted[trade_id] = None
    state.unpublished.pop(trade_id, None)
    state.emit(TRADE_BUSTED, trade_id, *traded[_REPEATED:], terms.at, proposed_by, by, text, *lots)
    return _return(state, trade_id, terms)


def _refusal(state: State, terms: _Terms) -> tuple[str, str]:
    """Return (reason, detail) why a trade of these terms cannot be annulled now, or two empty texts."""
    symbol = terms.symbol
    buyer, seller = terms.buy_account, terms.sell_account
    quantity, amount = terms.quantity, terms.amount
    buy_fee, sell_fee = terms.buy_fee, terms.sell_fee
    instrument = state.instruments.get(symbol)
    if instrument is None:
        return "UNKNOWN_SYMBOL", write_detail("symbol", symbol[:32])
    for name in (buyer, seller):
        if name not in state.accounts:
            return "UNKNOWN_ACCOUNT", write_detail("account", name[:32])
    if terms.trading_day != state.trading_day:
        return "TOO_LATE", "its trading day has ended"
    window = instrument.definition.bust_window_ms
    until = terms.at + (DEFAULT_BUST_WINDOW_MS if window is None else window)
    if state.now > until or window == 0:
        return "TOO_LATE", f"trades of {symbol} may be annulled for so long only: this one until {until}"
    possible = (
        (0 <= terms.at <= state.now and buyer != seller and 0 < quantity <= MAX_WEIGHT_MG and terms.price > 0)
        and (amount > 0 and amount == terms.price * quantity // MG_PER_GRAM)
        and (0 <= buy_fee <= amount and 0 <= sell_fee <= amount and buy_fee + sell_fee <= state.fees_collected)
        and _may_be_orders(state, terms.maker_order_id, terms.taker_order_id, terms.taker_side)
    )
    if not possible:
        return "BAD_VALUE", write_detail("trade", "its terms do not go together")
    return _Parties(state, terms).missing(symbol)


def _may_be_orders(state: State, maker: int, taker: int, taker_side: int | None) -> bool:
    """Return whether two numbers may be the orders of a trade: both of orders, or both 0 for a trade without any."""
    if not maker and not taker:
        return taker_side is None
    return 0 < maker <= state.last_order_id and 0 < taker <= state.last_order_id


def _return(state: State, trade_id: int, terms: _Terms) -> None:
    """Give money, gold and fees of a trade back, all of which is there; it counts towards no limit any more."""
    quantity = terms.quantity
    given_back = terms.amount + terms.buy_fee
    parties = _Parties(state, terms)
    paid = parties.buyer.cash
    bought = parties.buyer.balance(terms.symbol)
    sold = parties.seller.balance(terms.symbol)
    earned = parties.seller.cash
    bought.unlock(parties.freed, parties.lock_day)
    earned.release(parties.held_back)
    paid.total += given_back
    bought.total -= quantity
    sold.total += quantity
    earned.total -= parties.proceeds
    state.fees_collected -= terms.buy_fee + terms.sell_fee
    state.touched += (paid, bought, sold, earned)
    _uncount(parties.buyer, trade_id, -given_back, quantity)
    _uncount(parties.seller, trade_id, parties.proceeds, -quantity)


def _uncount(account: Account, trade_id: int, paid: int, sold: int) -> None:
    """Take a trade back from what counts towards the limits of an account, if it was counted."""
    after = account.member.counted_after
    if account.usage is not None and after is not None and trade_id > after:
        account.usage.count(paid, sold)
