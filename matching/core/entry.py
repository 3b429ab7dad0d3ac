"""How an order enters the market: it takes what it may, and the rest joins the book or is cancelled."""

from __future__ import annotations

from goldx.protocol.terms import BUY, CONTINUOUS, IOC
from matching.core import matcher, phases
from matching.core.instrument import Instrument
from matching.core.orders import Order
from matching.core.resting import rest
from matching.core.state import State


def enter(state: State, order: Order) -> None:
    """Let an order trade and rest: one that was just accepted, has triggered, or has a new price."""
    instrument = order.instrument
    special = order.special
    inside = True
    if instrument.phase == CONTINUOUS:
        inside = matcher.take(state, order)
        if not inside:
            phases.interrupt(state, instrument)
    if not order.remaining:
        return
    if special is not None and special.market:
        state.cancel(order, "MARKET" if inside else "PHASE")
    elif order.time_in_force == IOC:
        state.cancel(order, "IOC" if inside else "PHASE")
    else:
        rest(state, order)


def implied_limit(instrument: Instrument, side: int) -> int:
    """Return the worst price at which a market order may trade now.

    That is the market protection away from the best opposite price, within the price limits.
    """
    best = instrument.opposite(side).best
    protection = instrument.protection
    if side == BUY:
        return min(best.price + protection, instrument.high) if best is not None and protection else instrument.high
    return max(best.price - protection, instrument.low) if best is not None and protection else instrument.low


def would_take(instrument: Instrument, side: int, price: int) -> bool:
    """Return whether an order at a price would trade at once."""
    if instrument.phase != CONTINUOUS:
        return False
    best = instrument.opposite(side).best
    return best is not None and (best.price <= price if side == BUY else best.price >= price)
