"""Changes of open orders by members: ``order.cancel``, ``order.cancel_all``, ``order.replace``."""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from goldx.protocol.details import write_detail
from matching.core import entry, fees, limit_checks, methods
from matching.core.holdings import Account
from matching.core.orders import Order
from matching.core.placing import guard_refusal, price_refusal, quantity_refusal
from matching.core.state import State
from matching.core.tags import ORDER_REPLACED


def cancel(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``order.cancel``, in any phase, for killed and halted members too."""
    _, name, order_id, client_order_id = command
    account = state.accounts.get(name)
    order = None if account is None else _find(state, account, order_id, client_order_id)
    if order is None:
        reason = "UNKNOWN_ACCOUNT" if account is None else "UNKNOWN_ORDER"
        return state.refuse(methods.ORDER_CANCEL, reason, name, _subject(order_id, client_order_id))
    return state.cancel(order, "USER")


def cancel_all(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``order.cancel_all``: cancel in order of acceptance. Nothing to cancel is no refusal."""
    _, name, symbol, side = command
    account = state.accounts.get(name)
    if symbol is not None and symbol not in state.instruments:
        state.refuse(methods.ORDER_CANCEL_ALL, "UNKNOWN_SYMBOL", name, symbol)
    elif account is None:
        state.refuse(methods.ORDER_CANCEL_ALL, "UNKNOWN_ACCOUNT", name, symbol)
    elif side is not None and side not in (terms.BUY, terms.SELL):
        state.refuse(methods.ORDER_CANCEL_ALL, "BAD_VALUE", name, symbol, write_detail("side", "buy or sell"))
    else:
        for order in state.open_orders([account]):
            if symbol in (None, order.instrument.symbol) and side in (None, order.side):
                state.cancel(order, "USER")


def replace(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``order.replace``: another price, another total quantity, another client id, or several of them at once.

    Only a lower or equal quantity at the same price keeps the place in the queue. A total at or below what has filled
    ends the order. A refusal leaves the order and its place as they are.
    """
    _, name, order_id, client_order_id, new_id, price, total = command
    account = state.accounts.get(name)
    order: Order | None = None
    detail = ""
    if account is None:
        reason = "UNKNOWN_ACCOUNT"
    elif account.refusal:
        reason = account.refusal
    else:
        order = _find(state, account, order_id, client_order_id)
        holder = 0 if new_id is None else account.ids.find(new_id)
        if order is None:
            reason = "UNKNOWN_ORDER"
        elif holder:
            reason, detail = "DUPLICATE_ID", f"{new_id} is order {holder}"
        else:
            reason, detail = change(state, order, new_id, price, total)
    if reason:
        state.refuse(methods.ORDER_REPLACE, reason, name, _subject(order_id, client_order_id), detail)


def change(state: State, order: Order, new_id: str | None, price: int | None, total: int | None) -> tuple[str, str]:
    """Change an order, or return (reason, detail) why it may not be changed like this. None: that property stays."""
    special = order.special
    market = special is not None and special.market
    pending = special is not None and special.pending
    new_price = order.price if price is None else price
    new_total = order.quantity if total is None else total
    remaining = new_total - (order.quantity - order.remaining)
    kept = new_price == order.price and remaining <= order.remaining
    reason = _refusal_of_terms(order, new_price, new_total, kept, market and price is not None)
    if reason:
        return reason, ""
    if remaining <= 0:
        state.cancel(order, "REPLACED")
        return "", ""
    instrument = order.instrument
    if instrument.guarded and not kept:
        given = None if market else new_price
        reason, detail = guard_refusal(state, instrument, order.account, order.side, given, remaining)
        if reason:
            return reason, detail
    if not (kept or pending) and special is not None and special.post_only:  # noqa: SIM102 : two steps, one thought each
        if entry.would_take(order.instrument, order.side, new_price):
            return "WOULD_TAKE", ""
    reason, detail = _reserve(state, order, new_price, new_total, remaining)
    if reason:
        return reason, detail

    account = order.account
    old_id = order.client_order_id
    if new_id is not None:
        account.ids.claim(new_id, order.order_id)
        order.client_order_id = new_id
    if order.level is not None and kept:
        order.level.quantity -= order.remaining - remaining
        if special is not None and special.display:
            special.shown = min(special.shown, remaining)
    elif order.level is not None:
        order.level.remove(order)
    order.price, order.quantity, order.remaining = new_price, new_total, remaining
    state.emit(
        ORDER_REPLACED,
        order.order_id,
        account.name,
        old_id,
        order.client_order_id,
        instrument.symbol,
        None if market else new_price,
        new_total,
        remaining,
        kept,
    )
    if instrument.phase == terms.AUCTION:
        state.changed_auctions[instrument.symbol] = instrument
    if not (kept or pending):
        entry.enter(state, order)
    return "", ""


def _refusal_of_terms(order: Order, price: int, total: int, kept: bool, prices_a_market_order: bool) -> str:
    """Return the reason why an order may not be changed like this whatever the funds are, or an empty text."""
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
    return quantity_refusal(instrument, total)


def _reserve(state: State, order: Order, price: int, total: int, remaining: int) -> tuple[str, str]:
    """Reserve what the changed order could use instead of what it has reserved, or return (reason, detail) why not."""
    instrument = order.instrument
    balance = order.balance
    needed = remaining
    if order.side == terms.BUY:
        market = order.special is not None and order.special.market
        needed = 0 if market else fees.cost(price, remaining, order.residue, instrument.highest_fee)
    more = needed - order.reserved
    if detail := limit_checks.refuses_change(order, price, total, more):
        return limit_checks.REASON, detail
    if more > 0 and more > balance.available():
        if order.side == terms.BUY:
            return "INSUFFICIENT_CASH", ""
        return ("RESALE_LOCKED" if more <= balance.total - balance.reserved else "INSUFFICIENT_GOLD"), ""
    balance.reserve(more)
    order.reserved = needed
    state.touched.append(balance)
    return "", ""


def _find(state: State, account: Account, order_id: int | None, client_order_id: str | None) -> Order | None:
    """Return an open order of an account by its number, or else by its present client id. Quotes are not found."""
    order: Order | None = None
    if order_id is not None:
        order = state.orders.get(order_id)
        if order is not None and order.account is not account:
            return None
    elif client_order_id is not None:
        order = state.find_order(account, client_order_id)
    if order is not None and order.special is not None and order.special.quote_id is not None:
        return None
    return order


def _subject(order_id: int | None, client_order_id: str | None) -> str | None:
    """Return the order's name in a refusal."""
    return client_order_id if order_id is None else str(order_id)
