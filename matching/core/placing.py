"""``order.place``: the checks in their fixed order, the reservation, and the entry into the market.

Instrument, account, permission, id, phase, price, quantity, claims on the account, limits of the member, funds; then
what depends on the book: a fill-or-kill that cannot fill, a post-only that would take. A refused order changes nothing
and does not use up its client id.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.terms import (
    BUY,
    CANCEL_TAKER,
    DAY,
    FOK,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    OUTLIVES,
    SELF_TRADE_MODES,
    SELL,
    TIMES_IN_FORCE,
)
from goldx.protocol.units import MAX_PRICE_FEN, MG_PER_GRAM
from matching.core import claims, entry, fees, holders, limit_checks, matcher, pending_stops, phases, regime
from matching.core.holdings import Account, Balance
from matching.core.instrument import Instrument
from matching.core.orders import Order, Special
from matching.core.state import State
from matching.core.tags import ORDER_ACCEPTED, ORDER_REJECTED


class OrderRequest:
    """The fields of an ``order.place``, see ``goldx.protocol.commands.OrderPlace``."""

    __slots__ = (
        "account",
        "client_order_id",
        "display_quantity",
        "expire_at",
        "persist",
        "post_only",
        "price",
        "quantity",
        "session",
        "side",
        "stop_price",
        "stp",
        "symbol",
        "time_in_force",
        "type",
    )

    account: str
    client_order_id: str
    symbol: str
    side: int
    type: int
    quantity: int
    price: int | None
    time_in_force: int
    expire_at: int | None
    post_only: bool
    display_quantity: int | None
    stop_price: int | None
    stp: int
    persist: bool
    session: str

    def __init__(self, command: tuple[Any, ...]) -> None:
        (
            _,
            self.account,
            self.client_order_id,
            self.symbol,
            self.side,
            self.type,
            self.quantity,
            self.price,
            self.time_in_force,
            self.expire_at,
            self.post_only,
            self.display_quantity,
            self.stop_price,
            self.stp,
            self.persist,
            self.session,
        ) = command

    def is_immediate(self) -> bool:
        """Return whether the order trades at once or never, after it has triggered if it is a stop."""
        return self.type == MARKET or self.time_in_force in (IOC, FOK)

    def may_stay(self) -> bool:
        """Return whether the order can be open after this command."""
        return self.stop_price is not None or not self.is_immediate()

    def may_outlive_day(self) -> bool:
        """Return whether the order can be open after the end of the trading day, a stop of any kind included."""
        return self.may_stay() and self.time_in_force != DAY


def place(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``order.place`` of any kind: ``order.accepted`` and what follows from it, or ``order.rejected``."""
    request = OrderRequest(command)
    side = request.side
    quantity = request.quantity
    symbol = request.symbol
    instrument = state.instruments.get(symbol)
    account = state.accounts.get(request.account)
    if instrument is None or account is None:
        return _reject(state, request, "UNKNOWN_SYMBOL" if instrument is None else "UNKNOWN_ACCOUNT")
    if account.refusal:
        return _reject(state, request, account.refusal)
    if detail := regime.refuses_orders(state, instrument):
        return _reject(state, request, "REGIME", detail=detail)
    holder = account.ids.find(request.client_order_id)
    if holder:
        return _reject(state, request, "DUPLICATE_ID", holder)
    reason = _refusal_of_terms(state, instrument, request)
    if reason:
        return _reject(state, request, reason)
    if instrument.guarded:
        reason, detail = guard_refusal(state, instrument, account, side, request.price, quantity)
        if reason:
            return _reject(state, request, reason, detail=detail)
    if side == BUY and (detail := claims.refuses(account)):
        return _reject(state, request, claims.REASON, detail=detail)
    price = entry.implied_limit(instrument, side) if request.price is None else request.price
    balance = account.cash if side == BUY else account.balances.get(symbol) or Balance(account.name, symbol)
    needed = 0  # a market buy reserves nothing and pays for each trade
    if side == SELL:
        needed = quantity
    elif request.price is not None:
        needed = fees.cost(price, quantity, 0, instrument.highest_fee)
    if account.usage is not None and (detail := _limit_refusal(account, instrument, request, price, needed)):
        return _reject(state, request, limit_checks.REASON, detail=detail)
    if needed > balance.available():
        if side == BUY:
            return _reject(state, request, "INSUFFICIENT_CASH")
        locked = needed <= balance.total - balance.reserved
        return _reject(state, request, "RESALE_LOCKED" if locked else "INSUFFICIENT_GOLD")

    order = state.free_orders.pop() if state.free_orders else Order()
    number = state.last_order_id + 1
    order.reset(
        number, account, balance, request.client_order_id, instrument, side, price, quantity, request.time_in_force
    )
    order.reserved = needed
    if not request.persist or request.session.startswith(OUTLIVES):
        order.session = request.session
    order.special = _special(request)
    reason = _refusal_by_book(state, order)
    if reason:
        return _reject(state, request, reason)
    balance.reserve(needed)
    state.touched.append(balance)
    accept(state, order, request.persist)
    special = order.special
    if special is None or not special.stop_price:
        entry.enter(state, order)
    elif pending_stops.is_reached(instrument, side, special.stop_price):
        state.triggered.append(order)
    else:
        pending_stops.add(order)
    return None


def accept(state: State, order: Order, persist: bool) -> None:
    """Make an order an open one and publish that. The caller reserves what it needs."""
    number = order.order_id
    account = order.account
    symbol = order.instrument.symbol
    special = order.special
    state.last_order_id = number
    state.orders[number] = order
    if account.usage is not None:
        account.usage.open(1)
    account.ids.claim(order.client_order_id, number)
    if special is None:
        state.emit(
            ORDER_ACCEPTED,
            number,
            account.name,
            order.client_order_id,
            symbol,
            order.side,
            LIMIT,
            order.price,
            order.quantity,
            order.time_in_force,
        )
        return
    if special.expire_at:
        state.schedule(special.expire_at, number, symbol)
    state.emit(
        ORDER_ACCEPTED,
        number,
        account.name,
        order.client_order_id,
        symbol,
        order.side,
        MARKET if special.market else LIMIT,
        None if special.market else order.price,
        order.quantity,
        order.time_in_force,
        special.expire_at or None,
        special.post_only or None,
        special.display or None,
        special.stop_price or None,
        special.stp or None,
        persist or None,
        special.quote_id,
    )


def guard_refusal(
    state: State, instrument: Instrument, account: Account, side: int, price: int | None, quantity: int
) -> tuple[str, str]:
    """Return (reason, detail) why the caps of a sandbox or the limit of holders refuse an order, or two empty texts.

    An order without a price is refused only when nothing may be traded any more.
    """
    if detail := regime.refuses_value(state, 1 if price is None else price * quantity // MG_PER_GRAM):
        return "REGIME", detail
    if side == BUY and (detail := holders.refuses_holders(state, instrument, [account])):
        return "MAX_HOLDERS", detail
    return "", ""


def _limit_refusal(account: Account, instrument: Instrument, request: OrderRequest, price: int, needed: int) -> str:
    """Return which limit of its member refuses an order that would reserve an amount, or an empty text."""
    side, quantity, lasts = request.side, request.quantity, request.may_outlive_day()
    if request.price is None:
        is_stop = request.stop_price is not None
        return limit_checks.refuses_market_order(account, instrument, side, price, quantity, is_stop, lasts)
    orders = 1 if request.may_stay() else 0
    return limit_checks.refuses_order(account, instrument, side, price, quantity, needed, orders, lasts)


def price_refusal(instrument: Instrument, price: int) -> str:
    """Return the reason why a limit price is not allowed, or an empty text."""
    if price % instrument.tick or not 0 < price <= MAX_PRICE_FEN:
        return "BAD_PRICE"
    return "" if instrument.low <= price <= instrument.high else "PRICE_LIMIT"


def quantity_refusal(instrument: Instrument, quantity: int) -> str:
    """Return the reason why an order's total quantity is not allowed, or an empty text."""
    return "BAD_QUANTITY" if quantity % instrument.lot or not 0 < quantity <= instrument.max_quantity else ""


def _refusal_of_terms(state: State, instrument: Instrument, request: OrderRequest) -> str:
    """Return the reason why the phase or the terms of an order refuse it, or an empty text."""
    return (
        phases.refusal(instrument, request.type, request.time_in_force, request.stop_price is not None)
        or _refusal_of_combination(state, instrument, request)
        or ("" if request.price is None else price_refusal(instrument, request.price))
        or quantity_refusal(instrument, request.quantity)
        or _refusal_of_display(instrument, request)
    )


def _refusal_of_combination(state: State, instrument: Instrument, request: OrderRequest) -> str:
    """Return the reason why the terms of an order do not go together, or an empty text."""
    stop_price = request.stop_price
    if (
        request.side not in (BUY, SELL)
        or request.type not in (LIMIT, MARKET)
        or not 0 <= request.time_in_force < len(TIMES_IN_FORCE)
        or not 0 <= request.stp < len(SELF_TRADE_MODES)
        or (request.expire_at is None) == (request.time_in_force == GTD)
        or (request.post_only and (request.is_immediate() or stop_price is not None))
    ):
        return "BAD_VALUE"
    if request.expire_at is not None and request.expire_at <= state.now:
        return "TOO_LATE"
    if (request.price is None) == (request.type == LIMIT):
        return "BAD_PRICE"
    if stop_price is not None and (stop_price % instrument.tick or not 0 < stop_price <= MAX_PRICE_FEN):
        return "BAD_PRICE"
    return ""


def _refusal_of_display(instrument: Instrument, request: OrderRequest) -> str:
    """Return the reason why an iceberg's slice is not allowed, or an empty text."""
    display = request.display_quantity
    if display is None:
        return ""
    wrong = request.is_immediate() or display % instrument.lot or not 0 < display <= request.quantity
    return "BAD_QUANTITY" if wrong else ""


def _refusal_by_book(state: State, order: Order) -> str:
    """Return the reason why the book as it is now refuses an order, or an empty text. Stops are only asked later."""
    special = order.special
    if special is None or special.stop_price:
        return ""
    if order.time_in_force == FOK and not matcher.could_fill(state, order):
        return "CANNOT_FILL"
    if special.post_only and entry.would_take(order.instrument, order.side, order.price):
        return "WOULD_TAKE"
    return ""


def _special(request: OrderRequest) -> Special | None:
    """Return the uncommon properties of an order, or None if it has none."""
    if (
        request.type == LIMIT
        and request.time_in_force <= DAY
        and request.stp == CANCEL_TAKER
        and not (request.post_only or request.persist)
        and not (request.expire_at or request.display_quantity or request.stop_price)
    ):
        return None
    special = Special()
    special.market = request.type == MARKET
    special.expire_at = request.expire_at or 0
    special.post_only = request.post_only
    special.display = request.display_quantity or 0
    special.stop_price = request.stop_price or 0
    special.stp = request.stp
    return special


def _reject(state: State, request: OrderRequest, reason: str, order_id: int | None = None, detail: str = "") -> None:
    about = (request.account, request.client_order_id, request.symbol, reason, order_id)
    if detail:
        state.emit(ORDER_REJECTED, *about, detail)
    else:
        state.emit(ORDER_REJECTED, *about)
