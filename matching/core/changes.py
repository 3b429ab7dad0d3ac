"""What members do with their open orders: order.cancel, order.cancel_all, order.replace."""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from matching.core import entry, fees
from matching.core.holdings import Account
from matching.core.orders import Order
from matching.core.placing import price_refusal
from matching.core.state import State


def cancel(state: State, command: tuple[Any, ...]) -> None:
    """order.cancel: possible in every phase, and for killed and halted members too."""
    _, name, order_id, client_order_id = command
    account = state.accounts.get(name)
    if account is None:
        return _refuse(state, "order.cancel", "UNKNOWN_ACCOUNT", command)
    order = _find(state, account, order_id, client_order_id)
    if order is None:
        return _refuse(state, "order.cancel", "UNKNOWN_ORDER", command)
    return state.cancel(order, "USER")


def cancel_all(state: State, command: tuple[Any, ...]) -> None:
    """order.cancel_all: in order of acceptance; nothing to cancel is no refusal."""
    _, name, symbol, side = command
    account = state.accounts.get(name)
    if symbol is not None and symbol not in state.instruments:
        state.refuse("order.cancel_all", "UNKNOWN_SYMBOL", name, symbol)
    elif account is None:
        state.refuse("order.cancel_all", "UNKNOWN_ACCOUNT", name, symbol)
    elif side is not None and side not in (terms.BUY, terms.SELL):
        state.refuse("order.cancel_all", "BAD_VALUE", name, symbol, "side: buy or sell")
    else:
        for order in state.open_orders([account]):
            if symbol in (None, order.instrument.symbol) and side in (None, order.side):
                state.cancel(order, "USER")


def replace(state: State, command: tuple[Any, ...]) -> None:
    """order.replace: another price, another total quantity, another client id, or several of them at once.

    Only a lower or equal quantity at the same price keeps the place. A total at or below what has filled ends the
    order. A refusal leaves the order and its place untouched.
    """
    _, name, order_id, client_order_id, new_id, price, quantity = command
    account = state.accounts.get(name)
    if account is None:
        return _refuse(state, "order.replace", "UNKNOWN_ACCOUNT", command)
    if account.member.refusal:
        return _refuse(state, "order.replace", account.member.refusal, command)
    order = _find(state, account, order_id, client_order_id)
    if order is None:
        return _refuse(state, "order.replace", "UNKNOWN_ORDER", command)
    first = 0 if new_id is None else account.ids.find(new_id)
    if first:
        return _refuse(state, "order.replace", "DUPLICATE_ID", command, f"{new_id} is order {first}")
    new_price = order.price if price is None else price
    total = order.quantity if quantity is None else quantity
    remaining = total - (order.quantity - order.remaining)
    special = order.special
    market = special is not None and special.market
    kept = new_price == order.price and remaining <= order.remaining
    reason = _refusal(order, new_price, total, kept, market and price is not None)
    if reason:
        return _refuse(state, "order.replace", reason, command)
    if remaining <= 0:
        state.cancel(order, "REPLACED")
        return None
    waiting = special is not None and special.waiting
    if not (kept or waiting) and special is not None and special.post_only:  # noqa: SIM102 : the rule reads in two steps
        if entry.would_take(order.instrument, order.side, new_price):
            return _refuse(state, "order.replace", "WOULD_TAKE", command)
    reason = _reserve(state, order, new_price, remaining)
    if reason:
        return _refuse(state, "order.replace", reason, command)

    old_id = order.client_order_id
    if new_id is not None:
        account.ids.claim(new_id, order.order_id)
        order.client_order_id = new_id
    if order.level is not None and kept:
        order.level.quantity -= order.remaining - remaining
        if special is not None and special.display:
            special.shown = min(special.shown, remaining)
    elif order.level is not None:
        order.level.leave(order)
    order.price, order.quantity, order.remaining = new_price, total, remaining
    state.emit(
        5,
        *(order.order_id, name, old_id, order.client_order_id, order.instrument.symbol),
        *(None if market else new_price, total, remaining, kept),
    )
    if order.instrument.phase == terms.AUCTION:
        state.auctioning[order.instrument.symbol] = order.instrument
    if not (kept or waiting):
        entry.enter(state, order)
    return None


def _refusal(order: Order, price: int, total: int, kept: bool, prices_a_market_order: bool) -> str:
    """Why an order may not be changed like this, whatever the funds, or nothing."""
    instrument = order.instrument
    if instrument.phase == terms.CLOSED:
        return "MARKET_CLOSED"
    if instrument.phase == terms.HALTED:
        return "HALTED"
    if prices_a_market_order:
        return "BAD_PRICE"
    market = order.special is not None and order.special.market
    if not (kept or market):
        reason = price_refusal(instrument, price)
        if reason:
            return reason
    if total % instrument.lot or not 0 < total <= instrument.max_quantity:
        return "BAD_QUANTITY"
    return ""


def _reserve(state: State, order: Order, price: int, remaining: int) -> str:
    """Reserves what the changed order could use in place of what it has reserved; or says what is missing."""
    instrument = order.instrument
    balance = order.balance
    needed = remaining
    if order.side == terms.BUY:
        market = order.special is not None and order.special.market
        needed = 0 if market else fees.cost(price, remaining, order.residue, instrument.highest_fee)
    more = needed - order.reserved
    if more > 0 and more > balance.available():
        if order.side == terms.BUY:
            return "INSUFFICIENT_CASH"
        return "RESALE_LOCKED" if more <= balance.total - balance.reserved else "INSUFFICIENT_GOLD"
    balance.reserved += more
    order.reserved = needed
    state.touched.append(balance)
    return ""


def _find(state: State, account: Account, order_id: int | None, client_order_id: str | None) -> Order | None:
    """An open order of the account by its number, else by its present client id. A quote's sides are not found."""
    order: Order | None = None
    if order_id is not None:
        order = state.orders.get(order_id)
        if order is not None and order.account is not account:
            return None
    elif client_order_id is not None:
        order = state.named(account, client_order_id)
    if order is not None and order.special is not None and order.special.quote_id is not None:
        return None
    return order


def _refuse(state: State, method: str, reason: str, command: tuple[Any, ...], detail: str = "") -> None:
    account, order_id, client_order_id = command[1:4]
    subject = client_order_id if order_id is None else str(order_id)
    state.refuse(method, reason, account, subject, detail)
