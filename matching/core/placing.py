"""order.place: the checks in their fixed order, the reservation, and the way into the market.

Instrument, account, permission, id, phase, price, quantity, funds; then what depends on the book: a fill-or-kill that
cannot fill, a post-only that would take. A refused order changes nothing and does not use up its client id.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.terms import BUY, DAY, FOK, GTD, IOC, LIMIT, MARKET, SELF_TRADE_MODES, SELL, TIMES_IN_FORCE
from goldx.protocol.units import MAX_PRICE_FEN
from matching.core import entry, fees, matcher, phases, stops
from matching.core.holdings import Balance
from matching.core.instrument import Instrument
from matching.core.orders import Order, Special
from matching.core.state import State


def place(state: State, command: tuple[Any, ...]) -> None:
    """One order from the journal, of whatever kind: order.accepted and what follows from it, or order.rejected."""
    _, name, client_order_id, symbol, side, kind, quantity, limit, time_in_force, *_ = command
    instrument = state.instruments.get(symbol)
    account = state.accounts.get(name)
    if instrument is None or account is None:
        return _reject(state, command, "UNKNOWN_SYMBOL" if instrument is None else "UNKNOWN_ACCOUNT")
    if account.member.refusal:
        return _reject(state, command, account.member.refusal)
    first = account.ids.find(client_order_id)
    if first:
        return _reject(state, command, "DUPLICATE_ID", first)
    reason = phases.refusal(instrument, kind, time_in_force, command[12] is not None)
    reason = reason or _refusal_of_terms(state, instrument, command)
    if not reason and limit is not None:
        reason = price_refusal(instrument, limit)
    if not reason and (_wrong_quantity(instrument, quantity) or _wrong_display(instrument, command)):
        reason = "BAD_QUANTITY"
    if reason:
        return _reject(state, command, reason)
    price = entry.implied_limit(instrument, side) if limit is None else limit
    balance = account.cash if side == BUY else account.balances.get(symbol) or Balance(name, symbol)
    needed = 0  # a market buy pays as it goes
    if side == SELL:
        needed = quantity
    elif limit is not None:
        needed = fees.cost(price, quantity, 0, instrument.highest_fee)
    if needed > balance.available():
        if side == BUY:
            return _reject(state, command, "INSUFFICIENT_CASH")
        locked = needed <= balance.total - balance.reserved
        return _reject(state, command, "RESALE_LOCKED" if locked else "INSUFFICIENT_GOLD")

    order = state.spare.pop() if state.spare else Order()
    number = state.last_order_id + 1
    order.begin(number, account, balance, client_order_id, instrument, side, price, quantity, time_in_force)
    order.reserved = needed
    order.session = "" if command[14] else command[15]
    order.special = _special(command)
    reason = _refusal_of_the_book(order)
    if reason:
        return _reject(state, command, reason)
    balance.reserved += needed
    state.touched.append(balance)
    accept(state, order, command[14])
    special = order.special
    if special is None or not special.stop_price:
        entry.enter(state, order)
    elif stops.is_reached(instrument, side, special.stop_price):
        state.triggered.append(order)
    else:
        stops.wait(order)
    return None


def accept(state: State, order: Order, persist: bool) -> None:
    """The exchange has the order from now on. Its reservation is the caller's business."""
    number = order.order_id
    account = order.account
    symbol = order.instrument.symbol
    special = order.special
    state.last_order_id = number
    state.orders[number] = order
    account.ids.claim(order.client_order_id, number)
    if special is None:
        terms = (order.side, LIMIT, order.price, order.quantity, order.time_in_force)
        state.emit(1, number, account.name, order.client_order_id, symbol, *terms)
        return
    if special.expire_at:
        state.schedule(special.expire_at, number, symbol)
    state.emit(
        1,
        *(number, account.name, order.client_order_id, symbol),
        *(order.side, MARKET if special.market else LIMIT, None if special.market else order.price),
        *(order.quantity, order.time_in_force, special.expire_at or None, special.post_only or None),
        *(special.display or None, special.stop_price or None, special.stp or None, persist or None),
        special.quote_id,
    )


def _refusal_of_the_book(order: Order) -> str:
    """Why an order cannot have what it asks of the book now, or nothing. A stop asks when it triggers."""
    special = order.special
    if special is None or special.stop_price:
        return ""
    if order.time_in_force == FOK and not matcher.could_fill(order):
        return "CANNOT_FILL"
    if special.post_only and entry.would_take(order.instrument, order.side, order.price):
        return "WOULD_TAKE"
    return ""


def _wrong_quantity(instrument: Instrument, quantity: int) -> bool:
    return quantity % instrument.lot != 0 or not 0 < quantity <= instrument.max_quantity


def _wrong_display(instrument: Instrument, command: tuple[Any, ...]) -> bool:
    display: int | None = command[11]
    if display is None:
        return False
    immediate = command[5] == MARKET or command[8] in (IOC, FOK)
    return immediate or display % instrument.lot != 0 or not 0 < display <= command[6]


def price_refusal(instrument: Instrument, price: int) -> str:
    """Why a limit price is not allowed, or nothing."""
    if price % instrument.tick or not 0 < price <= MAX_PRICE_FEN:
        return "BAD_PRICE"
    return "" if instrument.low <= price <= instrument.high else "PRICE_LIMIT"


def _refusal_of_terms(state: State, instrument: Instrument, command: tuple[Any, ...]) -> str:
    """Why the terms of an order do not go together, or nothing."""
    _, _, _, _, side, kind, _, limit, time_in_force, expire_at, post_only, _, stop_price, stp, _, _ = command
    immediate = kind == MARKET or time_in_force in (IOC, FOK)
    if (
        side not in (BUY, SELL)
        or kind not in (LIMIT, MARKET)
        or not 0 <= time_in_force < len(TIMES_IN_FORCE)
        or not 0 <= stp < len(SELF_TRADE_MODES)
        or (expire_at is None) == (time_in_force == GTD)
        or (post_only and (immediate or stop_price is not None))
    ):
        return "BAD_VALUE"
    if expire_at is not None and expire_at <= state.now:
        return "TOO_LATE"
    if (limit is None) == (kind == LIMIT):
        return "BAD_PRICE"
    if stop_price is not None and (stop_price % instrument.tick or not 0 < stop_price <= MAX_PRICE_FEN):
        return "BAD_PRICE"
    return ""


def _special(command: tuple[Any, ...]) -> Special | None:
    """The uncommon properties of an order, if it has any."""
    _, _, _, _, _, kind, _, _, time_in_force, expire_at, post_only, display, stop_price, stp, persist, _ = command
    if not (kind or post_only or stp or persist or expire_at or display or stop_price) and time_in_force <= DAY:
        return None
    special = Special()
    special.market = kind == MARKET
    special.expire_at = expire_at or 0
    special.post_only = post_only
    special.display = display or 0
    special.stop_price = stop_price or 0
    special.stp = stp
    return special


def _reject(state: State, command: tuple[Any, ...], reason: str, order_id: int | None = None) -> None:
    state.emit(2, command[1], command[2], command[3], reason, order_id)
