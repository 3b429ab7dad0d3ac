"""Quotes: a market maker's bid and ask, replaced together in one step.

A quote is two DAY limit orders with the client ids ``<quote_id>/bid`` and ``<quote_id>/ask``. An account has at most
one open quote in a symbol: a new one cancels what is left of the old one (REPLACED) and may use its money and gold. A
quote belongs to a group, for which its member may set limits (``matching.core.protection``).
"""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from matching.core import claims, entry, fees, limit_checks, methods, phases, protection, regime
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.open_quotes import of_symbol, open_quote
from matching.core.orders import Order, Special
from matching.core.placing import accept, guard_refusal, price_refusal, quantity_refusal
from matching.core.state import State


def set_quote(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``quote.set``: it is refused as a whole, or both sides enter, the bid first."""
    _, name, quote_id, symbol, bid_price, bid_quantity, ask_price, ask_quantity, session, given_group = command
    group: str = given_group or symbol
    instrument = state.instruments.get(symbol)
    account = state.accounts.get(name)
    if instrument is None or account is None:
        reason = "UNKNOWN_SYMBOL" if instrument is None else "UNKNOWN_ACCOUNT"
        return state.refuse(methods.QUOTE_SET, reason, name, quote_id)
    if account.refusal:
        return state.refuse(methods.QUOTE_SET, account.refusal, name, quote_id)
    if detail := regime.refuses(state, terms.MARKET_MAKING):
        return state.refuse(methods.QUOTE_SET, "REGIME", name, quote_id, detail)
    holder = account.ids.find(quote_id + "/bid")
    if holder:
        return state.refuse(methods.QUOTE_SET, "DUPLICATE_ID", name, quote_id, f"its bid is order {holder}")
    if protection.is_frozen(account.member, group):
        return state.refuse(methods.QUOTE_SET, protection.REASON, name, quote_id)
    reason = phases.refusal(instrument, terms.LIMIT, terms.DAY, False)
    old = open_quote(state, account, symbol)
    bid_cost = 0
    if not reason:
        reason = _refusal_of_terms(instrument, bid_price, bid_quantity, ask_price, ask_quantity)
    if not reason and instrument.guarded:
        reason, detail = guard_refusal(state, instrument, account, terms.BUY, bid_price, bid_quantity)
        if not reason:
            reason, detail = guard_refusal(state, instrument, account, terms.SELL, ask_price, ask_quantity)
    if not reason and (detail := claims.refuses(account)):
        reason = claims.REASON
    if not reason:
        bid_cost = fees.cost(bid_price, bid_quantity, 0, instrument.highest_fee)
        detail = _limit_refusal(account, instrument, bid_price, bid_quantity, ask_price, ask_quantity, bid_cost, old)
        reason = limit_checks.REASON if detail else ""
    if not reason:
        reason = _refusal_of_funds(account, symbol, bid_cost, ask_quantity, old)
    if reason:
        return state.refuse(methods.QUOTE_SET, reason, name, quote_id, detail)

    for order in old:
        state.cancel(order, "REPLACED")
    account.quotes[symbol] = quote_id
    gold = account.balances[symbol]
    account.cash.reserve(bid_cost)
    gold.reserve(ask_quantity)
    state.touched.append(account.cash)
    state.touched.append(gold)
    for side, word, price, quantity, balance, reserved in (
        (terms.BUY, "/bid", bid_price, bid_quantity, account.cash, bid_cost),
        (terms.SELL, "/ask", ask_price, ask_quantity, gold, ask_quantity),
    ):
        special = Special()
        special.quote_id = quote_id
        special.group = group
        order = state.free_orders.pop() if state.free_orders else Order()
        number = state.last_order_id + 1
        client_order_id = quote_id + word
        order.reset(number, account, balance, client_order_id, instrument, side, price, quantity, terms.DAY)
        order.session = session
        order.reserved = reserved
        order.special = special
        accept(state, order, False)
        if protection.is_frozen(account.member, group):  # the bid has reached a limit
            state.cancel(order, protection.REASON, group)
        else:
            entry.enter(state, order)
    return None


def cancel_quote(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``quote.cancel``: cancel the bid, then the ask, and all levels of mass quotes, the oldest first."""
    _, name, symbol = command
    account = state.accounts.get(name)
    if symbol not in state.instruments:
        return state.refuse(methods.QUOTE_CANCEL, "UNKNOWN_SYMBOL", name, symbol)
    if account is None:
        return state.refuse(methods.QUOTE_CANCEL, "UNKNOWN_ACCOUNT", name, symbol)
    orders = of_symbol(state, account, symbol)
    if not orders:
        return state.refuse(methods.QUOTE_CANCEL, "UNKNOWN_ORDER", name, symbol)
    for order in orders:
        state.cancel(order, "USER")
    return None


def _refusal_of_terms(
    instrument: Instrument, bid_price: int, bid_quantity: int, ask_price: int, ask_quantity: int
) -> str:
    """Return the reason why prices and quantities are not allowed, or an empty text."""
    reason = price_refusal(instrument, bid_price) or price_refusal(instrument, ask_price)
    if reason:
        return reason
    if bid_price >= ask_price:
        return "BAD_PRICE"
    return quantity_refusal(instrument, bid_quantity) or quantity_refusal(instrument, ask_quantity)


def _limit_refusal(
    account: Account,
    instrument: Instrument,
    bid_price: int,
    bid_quantity: int,
    ask_price: int,
    ask_quantity: int,
    bid_cost: int,
    old: list[Order],
) -> str:
    """Return which limit of its member refuses a quote in place of an old one, or an empty text."""
    if account.usage is None:
        return ""
    bid = next((order for order in old if order.side == terms.BUY), None)
    ask = next((order for order in old if order.side == terms.SELL), None)
    more = 2 - len(old)
    return limit_checks.refuses_quote(
        account, instrument, terms.BUY, bid_price, bid_quantity, bid_cost, bid, more
    ) or limit_checks.refuses_quote(account, instrument, terms.SELL, ask_price, ask_quantity, ask_quantity, ask, 0)


def _freed(old: list[Order], side: int) -> int:
    """Return what the orders of a side of the old quote have reserved."""
    return sum([order.reserved for order in old if order.side == side])


def _refusal_of_funds(account: Account, symbol: str, cash: int, gold: int, old: list[Order]) -> str:
    """Return the reason why an account cannot reserve this with what its old quote frees, or an empty text."""
    freed_gold = _freed(old, terms.SELL)
    if cash > account.cash.available() + _freed(old, terms.BUY):
        return "INSUFFICIENT_CASH"
    balance = account.balances.get(symbol)
    if balance is not None and gold <= balance.available() + freed_gold:
        return ""
    locked = balance is not None and gold <= balance.total - balance.reserved + freed_gold
    return "RESALE_LOCKED" if locked else "INSUFFICIENT_GOLD"
