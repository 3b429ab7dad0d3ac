"""Quotes: a market maker's bid and ask, replaced both in one step.

A quote is two DAY limit orders with the client ids ``<quote_id>/bid`` and ``<quote_id>/ask``. An account has at most
one live quote per symbol; a new one cancels what is left of the old one (REPLACED), whose money and gold it may use.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from matching.core import entry, fees, phases
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.orders import Order, Special
from matching.core.placing import accept, price_refusal
from matching.core.state import State


def set_quote(state: State, command: tuple[Any, ...]) -> None:
    """quote.set: refused as a whole, or both sides enter, the bid first."""
    _, name, quote_id, symbol, bid_price, bid_quantity, ask_price, ask_quantity, session = command
    instrument = state.instruments.get(symbol)
    account = state.accounts.get(name)
    if instrument is None or account is None:
        reason = "UNKNOWN_SYMBOL" if instrument is None else "UNKNOWN_ACCOUNT"
        return state.refuse("quote.set", reason, name, quote_id)
    if account.member.refusal:
        return state.refuse("quote.set", account.member.refusal, name, quote_id)
    first = account.ids.find(quote_id + "/bid")
    if first:
        return state.refuse("quote.set", "DUPLICATE_ID", name, quote_id, f"its bid is order {first}")
    reason = phases.refusal(instrument, terms.LIMIT, terms.DAY, False)
    old = live(state, account, symbol)
    bid_cost = 0
    if not reason:
        reason = _refusal(instrument, bid_price, bid_quantity, ask_price, ask_quantity)
    if not reason:
        bid_cost = fees.cost(bid_price, bid_quantity, 0, instrument.highest_fee)
        reason = _funds(account, symbol, bid_cost, ask_quantity, old)
    if reason:
        return state.refuse("quote.set", reason, name, quote_id)

    for order in old:
        state.cancel(order, "REPLACED")
    account.quotes[symbol] = quote_id
    gold = account.balances[symbol]
    account.cash.reserved += bid_cost
    gold.reserved += ask_quantity
    state.touched.append(account.cash)
    state.touched.append(gold)
    for side, word, price, quantity, balance, reserved in (
        (terms.BUY, "/bid", bid_price, bid_quantity, account.cash, bid_cost),
        (terms.SELL, "/ask", ask_price, ask_quantity, gold, ask_quantity),
    ):
        special = Special()
        special.quote_id = quote_id
        order = state.spare.pop() if state.spare else Order()
        number = state.last_order_id + 1
        client_order_id = quote_id + word
        order.begin(number, account, balance, client_order_id, instrument, side, price, quantity, terms.DAY)
        order.session = session
        order.reserved = reserved
        order.special = special
        accept(state, order, False)
        entry.enter(state, order)
    return None


def cancel_quote(state: State, command: tuple[Any, ...]) -> None:
    """quote.cancel: the bid, then the ask."""
    _, name, symbol = command
    account = state.accounts.get(name)
    if symbol not in state.instruments:
        return state.refuse("quote.cancel", "UNKNOWN_SYMBOL", name, symbol)
    if account is None:
        return state.refuse("quote.cancel", "UNKNOWN_ACCOUNT", name, symbol)
    orders = live(state, account, symbol)
    if not orders:
        return state.refuse("quote.cancel", "UNKNOWN_ORDER", name, symbol)
    for order in orders:
        state.cancel(order, "USER")
    return None


def live(state: State, account: Account, symbol: str) -> list[Order]:
    """What is open of the account's quote."""
    quote_id = account.quotes.get(symbol)
    if quote_id is None:
        return []
    sides = [state.named(account, quote_id + word) for word in ("/bid", "/ask")]
    return [side for side in sides if side is not None]


def _refusal(instrument: Instrument, bid_price: int, bid_quantity: int, ask_price: int, ask_quantity: int) -> str:
    reason = price_refusal(instrument, bid_price) or price_refusal(instrument, ask_price)
    if reason:
        return reason
    if bid_price >= ask_price:
        return "BAD_PRICE"
    for quantity in (bid_quantity, ask_quantity):
        if quantity % instrument.lot or not 0 < quantity <= instrument.max_quantity:
            return "BAD_QUANTITY"
    return ""


def _funds(account: Account, symbol: str, cash: int, gold: int, old: list[Order]) -> str:
    freed_cash = sum(order.reserved for order in old if order.side == terms.BUY)
    freed_gold = sum(order.reserved for order in old if order.side == terms.SELL)
    if cash > account.cash.available() + freed_cash:
        return "INSUFFICIENT_CASH"
    balance = account.balances.get(symbol)
    if balance is not None and gold <= balance.available() + freed_gold:
        return ""
    locked = balance is not None and gold <= balance.total - balance.reserved + freed_gold
    return "RESALE_LOCKED" if locked else "INSUFFICIENT_GOLD"
