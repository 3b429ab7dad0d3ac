"""order.place: the checks in their fixed order, the reservation, and the way into the market.

Instrument, account, permission, id, phase, price, quantity, funds; then what depends on the book: a fill-or-kill that
cannot fill, a post-only that would take. A refused order changes nothing and does not use up its client id.
"""

from __future__ import annotations

from typing import Any

from goldx import terms
from goldx.units import MAX_PRICE_FEN, MG_PER_GRAM
from matching import entry, fees, matcher, phases, stops
from matching.holdings import Account
from matching.instrument import Instrument
from matching.orders import Order, Special
from matching.state import State


def place(state: State, command: tuple[Any, ...]) -> None:
    """One order from the journal: order.accepted and what follows from it, or order.rejected."""
    name: str
    client_order_id: str
    symbol: str
    side: int
    kind: int
    quantity: int
    limit: int | None
    time_in_force: int
    expire_at: int | None
    post_only: bool
    display: int | None
    stop_price: int | None
    stp: int
    persist: bool
    session: str
    price: int
    (
        _,
        name,
        client_order_id,
        symbol,
        side,
        kind,
        quantity,
        limit,
        time_in_force,
        expire_at,
        post_only,
        display,
        stop_price,
        stp,
        persist,
        session,
    ) = command
    instrument = state.instruments.get(symbol)
    account = state.accounts.get(name)
    if instrument is None or account is None:
        return _reject(state, command, "UNKNOWN_SYMBOL" if instrument is None else "UNKNOWN_ACCOUNT")
    if account.member.refusal:
        return _reject(state, command, account.member.refusal)
    if client_order_id in account.ids:
        return _reject(state, command, "DUPLICATE_ID", first_number(account, client_order_id))
    if instrument.phase != terms.CONTINUOUS:
        reason = phases.refusal(instrument, kind, time_in_force, stop_price is not None)
        if reason:
            return _reject(state, command, reason)

    special: Special | None = None
    if (
        kind != terms.LIMIT
        or limit is None
        or not 0 <= time_in_force <= terms.DAY
        or not 0 <= side <= 1
        or post_only
        or stp
        or display is not None
        or stop_price is not None
        or expire_at is not None
    ):
        reason = _refusal_of_terms(state, command)
        if reason:
            return _reject(state, command, reason)
        special = _special(command)
    if kind == terms.LIMIT:
        assert limit is not None
        price = limit
        if price % instrument.tick or not instrument.low <= price <= instrument.high:
            return _reject(state, command, price_refusal(instrument, price))
    else:
        price = entry.implied_limit(instrument, side)
    if quantity % instrument.lot or not 0 < quantity <= instrument.max_quantity:
        return _reject(state, command, "BAD_QUANTITY")
    if display is not None and (
        kind == terms.MARKET
        or time_in_force in (terms.IOC, terms.FOK)
        or display % instrument.lot
        or not 0 < display <= quantity
    ):
        return _reject(state, command, "BAD_QUANTITY")

    if side == terms.BUY:
        balance = account.cash
        needed = 0
        if kind == terms.LIMIT:
            needed = price * quantity // MG_PER_GRAM
            if instrument.highest_fee:
                needed += fees.fee(0, needed, instrument.highest_fee)
        if needed > balance.total - balance.reserved:
            return _reject(state, command, "INSUFFICIENT_CASH")
    else:
        needed = quantity
        found = account.balances.get(symbol)
        if found is None or needed > found.total - found.locked - found.reserved:
            locked = found is not None and needed <= found.total - found.reserved
            return _reject(state, command, "RESALE_LOCKED" if locked else "INSUFFICIENT_GOLD")
        balance = found

    number = state.last_order_id + 1
    order = Order(
        number,
        account,
        client_order_id,
        instrument,
        side,
        price,
        quantity,
        time_in_force,
        "" if persist else session,
        needed,
        special,
    )
    if special is not None and not special.stop_price:
        if time_in_force == terms.FOK and not matcher.could_fill(order):
            return _reject(state, command, "CANNOT_FILL")
        if post_only and entry.would_take(instrument, side, price):
            return _reject(state, command, "WOULD_TAKE")

    balance.reserved += needed
    state.touched.append(balance)
    if special is not None or persist:
        accept(state, order, persist)
        if special is not None and special.stop_price:
            if stops.is_reached(instrument, side, special.stop_price):
                state.triggered.append(order)
            else:
                stops.wait(order)
            return None
    else:  # nearly every order: what ``accept`` does, without its calls
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
                name,
                client_order_id,
                symbol,
                side,
                terms.LIMIT,
                price,
                quantity,
                time_in_force,
            )
        )
        if instrument.phase == terms.CONTINUOUS:
            if side == terms.BUY:
                best = instrument.asks.best
                if best is None or best.price > price:
                    instrument.bids.join(order)
                    return None
            else:
                best = instrument.bids.best
                if best is None or best.price < price:
                    instrument.asks.join(order)
                    return None
    entry.enter(state, order)
    return None


def accept(state: State, order: Order, persist: bool) -> None:
    """The exchange has the order from now on. Its reservation is the caller's business."""
    number = order.order_id
    account = order.account
    special = order.special
    state.last_order_id = number
    state.orders[number] = order
    account.ids[order.client_order_id] = order
    if special is None:
        special = Special()
    if special.expire_at:
        state.schedule(special.expire_at, number, order.instrument.symbol)
    state.sequence += 1
    state.events.append(
        (
            *(1, state.sequence, state.now, number, account.name, order.client_order_id, order.instrument.symbol),
            *(order.side, terms.MARKET if special.market else terms.LIMIT, None if special.market else order.price),
            *(order.quantity, order.time_in_force, special.expire_at or None, special.post_only or None),
            *(special.display or None, special.stop_price or None, special.stp or None, persist or None),
            special.quote_id,
        )
    )


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
    immediate = kind == terms.MARKET or time_in_force in (terms.IOC, terms.FOK)
    if (
        side not in (terms.BUY, terms.SELL)
        or kind not in (terms.LIMIT, terms.MARKET)
        or not 0 <= time_in_force < len(terms.TIMES_IN_FORCE)
        or not 0 <= stp < len(terms.SELF_TRADE_MODES)
        or (expire_at is None) == (time_in_force == terms.GTD)
        or (post_only and (immediate or stop_price is not None))
    ):
        return "BAD_VALUE"
    if expire_at is not None and expire_at <= state.now:
        return "TOO_LATE"
    if (limit is None) == (kind == terms.LIMIT):
        return "BAD_PRICE"
    if stop_price is not None and (stop_price % state.instruments[symbol].tick or not 0 < stop_price <= MAX_PRICE_FEN):
        return "BAD_PRICE"
    return ""


def _special(command: tuple[Any, ...]) -> Special | None:
    _, _, _, _, _, kind, _, _, _, expire_at, post_only, display, stop_price, stp, _, _ = command
    special = Special()
    special.market = kind == terms.MARKET
    special.expire_at = expire_at or 0
    special.post_only = post_only
    special.display = display or 0
    special.stop_price = stop_price or 0
    special.stp = stp
    return special


def _reject(state: State, command: tuple[Any, ...], reason: str, order_id: int | None = None) -> None:
    state.emit(2, command[1], command[2], command[3], reason, order_id)
