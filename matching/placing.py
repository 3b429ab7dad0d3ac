"""order.place: the checks in their fixed order, the reservation, and the way into the market.

Instrument, account, permission, id, phase, price, quantity, funds; then what depends on the book: a fill-or-kill that
cannot fill, a post-only that would take. A refused order changes nothing and does not use up its client id.
"""

from __future__ import annotations

from typing import Any

from goldx.terms import (
    BUY,
    CANCEL_TAKER,
    CONTINUOUS,
    DAY,
    FOK,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    SELF_TRADE_MODES,
    SELL,
    TIMES_IN_FORCE,
)
from goldx.units import MAX_PRICE_FEN, MG_PER_GRAM
from matching import entry, fees, matcher, phases, stops
from matching.holdings import Account
from matching.instrument import Instrument
from matching.orders import Order, Special
from matching.resting import rest
from matching.state import State

_COMMON = (None, False, None, None, CANCEL_TAKER, False)
"""expire_at, post_only, display_quantity, stop_price, stp, persist of nearly every order."""


def place(state: State, command: tuple[Any, ...]) -> None:
    """One order from the journal: order.accepted and what follows from it, or order.rejected."""
    client_order_id: str = command[2]
    instrument = state.instruments.get(command[3])
    account = state.accounts.get(command[1])
    if instrument is None or account is None:
        return _reject(state, command, "UNKNOWN_SYMBOL" if instrument is None else "UNKNOWN_ACCOUNT")
    if account.member.refusal:
        return _reject(state, command, account.member.refusal)
    if client_order_id in account.ids:
        return _reject(state, command, "DUPLICATE_ID", first_number(account, client_order_id))
    if instrument.phase != CONTINUOUS:
        reason = phases.refusal(instrument, command[5], command[8], command[12] is not None)
        if reason:
            return _reject(state, command, reason)

    side: int = command[4]
    limit: int | None = command[7]
    time_in_force: int = command[8]
    special: Special | None = None
    if command[9:15] != _COMMON or command[5] or limit is None or not 0 <= time_in_force <= DAY or not 0 <= side <= 1:
        reason = _refusal_of_terms(state, command)
        if reason:
            return _reject(state, command, reason)
        special = _special(command)
    price: int
    if limit is None:
        price = entry.implied_limit(instrument, side)
    else:
        price = limit
        if price % instrument.tick or not instrument.low <= price <= instrument.high:
            return _reject(state, command, price_refusal(instrument, price))
    quantity: int = command[6]
    if quantity % instrument.lot or not 0 < quantity <= instrument.max_quantity:
        return _reject(state, command, "BAD_QUANTITY")
    if special is not None and command[11] is not None and _wrong_display(instrument, command):
        return _reject(state, command, "BAD_QUANTITY")

    needed = quantity
    if side == BUY:
        balance = account.cash
        needed = 0  # a market buy pays as it goes
        if limit is not None:
            needed = price * quantity // MG_PER_GRAM
            if instrument.highest_fee:
                needed += fees.fee(0, needed, instrument.highest_fee)
        if needed > balance.total - balance.reserved:
            return _reject(state, command, "INSUFFICIENT_CASH")
    else:
        found = account.balances.get(instrument.symbol)
        if found is None or needed > found.total - found.locked - found.reserved:
            locked = found is not None and needed <= found.total - found.reserved
            return _reject(state, command, "RESALE_LOCKED" if locked else "INSUFFICIENT_GOLD")
        balance = found

    number = state.last_order_id + 1
    session: str = command[15] if special is None or not command[14] else ""
    order = Order(
        number, account, client_order_id, instrument, side, price, quantity, time_in_force, session, needed, special
    )
    if special is not None:
        reason = _refusal_of_the_book(order, special)
        if reason:
            return _reject(state, command, reason)
    balance.reserved += needed
    state.touched.append(balance)
    if special is not None:
        accept(state, order, command[14])
        _enter_special(state, order, special)
        return None
    _accept_common(state, order)
    best = (instrument.asks if side == BUY else instrument.bids).best
    if best is None or (best.price > price if side == BUY else best.price < price):
        rest(state, order)
    else:
        entry.enter(state, order)
    return None


def accept(state: State, order: Order, persist: bool) -> None:
    """The exchange has the order from now on. Its reservation is the caller's business."""
    number = order.order_id
    account = order.account
    special = order.special
    assert special is not None
    state.last_order_id = number
    state.orders[number] = order
    account.ids[order.client_order_id] = order
    if special.expire_at:
        state.schedule(special.expire_at, number, order.instrument.symbol)
    state.sequence += 1
    state.events.append(
        (
            *(1, state.sequence, state.now, number, account.name, order.client_order_id, order.instrument.symbol),
            *(order.side, MARKET if special.market else LIMIT, None if special.market else order.price),
            *(order.quantity, order.time_in_force, special.expire_at or None, special.post_only or None),
            *(special.display or None, special.stop_price or None, special.stp or None, persist or None),
            special.quote_id,
        )
    )


def _accept_common(state: State, order: Order) -> None:
    """What ``accept`` does, for an order whose further fields are at their defaults: nearly every one."""
    number = order.order_id
    account = order.account
    client_order_id = order.client_order_id
    state.last_order_id = number
    state.orders[number] = order
    account.ids[client_order_id] = order
    state.sequence = sequence = state.sequence + 1
    state.events.append(
        (
            1,
            sequence,
            state.now,
            number,
            account.name,
            client_order_id,
            order.instrument.symbol,
            order.side,
            LIMIT,
            order.price,
            order.quantity,
            order.time_in_force,
        )
    )


def _enter_special(state: State, order: Order, special: Special) -> None:
    if not special.stop_price:
        entry.enter(state, order)
    elif stops.is_reached(order.instrument, order.side, special.stop_price):
        state.triggered.append(order)
    else:
        stops.wait(order)


def _refusal_of_the_book(order: Order, special: Special) -> str:
    """Why an order cannot have what it asks of the book now, or nothing. A stop asks when it triggers."""
    if special.stop_price:
        return ""
    if order.time_in_force == FOK and not matcher.could_fill(order):
        return "CANNOT_FILL"
    if special.post_only and entry.would_take(order.instrument, order.side, order.price):
        return "WOULD_TAKE"
    return ""


def _wrong_display(instrument: Instrument, command: tuple[Any, ...]) -> bool:
    quantity: int = command[6]
    display: int = command[11]
    immediate = command[5] == MARKET or command[8] in (IOC, FOK)
    return immediate or display % instrument.lot != 0 or not 0 < display <= quantity


def first_number(account: Account, client_order_id: str) -> int:
    """The order that has a client id."""
    first = account.ids[client_order_id]
    return first if isinstance(first, int) else first.order_id


def price_refusal(instrument: Instrument, price: int) -> str:
    """Why a limit price is not allowed, or nothing."""
    if price % instrument.tick or not 0 < price <= MAX_PRICE_FEN:
        return "BAD_PRICE"
    return "" if instrument.low <= price <= instrument.high else "PRICE_LIMIT"


def _refusal_of_terms(state: State, command: tuple[Any, ...]) -> str:
    """Why the terms of an uncommon order do not go together, or nothing."""
    _, _, _, symbol, side, kind, _, limit, time_in_force, expire_at, post_only, _, stop_price, stp, _, _ = command
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
    if stop_price is not None and (stop_price % state.instruments[symbol].tick or not 0 < stop_price <= MAX_PRICE_FEN):
        return "BAD_PRICE"
    return ""


def _special(command: tuple[Any, ...]) -> Special | None:
    _, _, _, _, _, kind, _, _, _, expire_at, post_only, display, stop_price, stp, _, _ = command
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
