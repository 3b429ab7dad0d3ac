"""Resting orders: how one comes to rest, and what it is after it has lost a part."""

from __future__ import annotations

from goldx.protocol.terms import AUCTION, BUY
from matching.core.orders import Order
from matching.core.state import State


def rest(state: State, order: Order) -> None:
    """Puts what is left of an order at the end of its level."""
    instrument = order.instrument
    special = order.special
    if special is not None and special.display:
        special.shown = min(special.display, order.remaining)
    (instrument.bids if order.side == BUY else instrument.asks).join(order)
    if instrument.phase == AUCTION:
        state.auctioning[instrument.symbol] = instrument


def shrink(state: State, order: Order, quantity: int) -> None:
    """A resting order has lost a quantity: done, it leaves; an iceberg whose slice is gone queues again."""
    level = order.level
    if level is not None:
        level.quantity -= quantity
    if not order.remaining:
        if level is not None:
            level.leave(order)
        state.finish(order)
        return
    special = order.special
    if special is not None and special.display:
        special.shown -= quantity
        if not special.shown:
            refresh(state, order)


def refresh(state: State, order: Order) -> None:
    """The next slice of an iceberg goes to the end of its level."""
    special = order.special
    level = order.level
    assert special is not None
    assert level is not None
    special.shown = min(special.display, order.remaining)
    level.requeue(order)
    state.emit(21, order.order_id, order.instrument.symbol, special.shown)
