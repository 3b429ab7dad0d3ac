"""Resting orders: how an order comes to rest, and what becomes of one that has lost a part of its quantity."""

from __future__ import annotations

from goldx.protocol.terms import AUCTION, BUY
from matching.core.orders import Order
from matching.core.state import State
from matching.core.tags import ORDER_REFRESHED


def rest(state: State, order: Order) -> None:
    """Add what is left of an order at the end of its price level."""
    instrument = order.instrument
    special = order.special
    if special is not None and special.display:
        special.shown = min(special.display, order.remaining)
    (instrument.bids if order.side == BUY else instrument.asks).add(order)
    if instrument.phase == AUCTION:
        state.changed_auctions[instrument.symbol] = instrument


def shrink(state: State, order: Order, quantity: int) -> None:
    """Complete a trade for a resting order, whose ``remaining`` is up to date and smaller by a quantity.

    An order with nothing left ends; an iceberg whose slice is used up shows the next one.
    """
    level = order.level
    if level is not None:
        level.quantity -= quantity
    if not order.remaining:
        if level is not None:
            level.remove(order)
        state.finish(order)
        return
    special = order.special
    if special is not None and special.display:
        special.shown -= quantity
        if not special.shown:
            refresh(state, order)


def refresh(state: State, order: Order) -> None:
    """Show the next slice of an iceberg, at the end of its price level."""
    special = order.special
    level = order.level
    assert special is not None
    assert level is not None
    special.shown = min(special.display, order.remaining)
    level.move_to_end(order)
    state.emit(ORDER_REFRESHED, order.order_id, order.instrument.symbol, special.shown)
