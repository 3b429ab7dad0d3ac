"""An order enters the market: it takes what it may, and the rest goes to the book or is cancelled."""

from __future__ import annotations

from goldx.protocol.terms import BUY, CONTINUOUS, FOK, IOC
from matching.core import auction, matcher, phases, stops
from matching.core.instrument import Instrument
from matching.core.orders import Order
from matching.core.resting import rest
from matching.core.state import Events, State


def enter(state: State, order: Order) -> None:
    """From here on an accepted (or triggered, or newly priced) order trades and rests."""
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


def run_stops(state: State) -> None:
    """Lets the stops that were reached enter, one by one. Where trading has stopped meanwhile, they wait on."""
    while state.triggered:
        order = state.triggered.popleft()
        instrument = order.instrument
        if instrument.phase != CONTINUOUS:
            stops.wait(order)
            continue
        state.emit(19, order.order_id, order.account.name, order.client_order_id, instrument.symbol)
        if order.special is not None and order.special.market:
            order.price = implied_limit(instrument, order.side)
        if order.time_in_force == FOK and not matcher.could_fill(order):
            state.cancel(order, "FOK")
        else:
            enter(state, order)


def end(state: State) -> Events:
    """What ends every command, but for the quickest: stops, indicative prices, holdings. Returns its events."""
    if state.triggered:
        run_stops(state)
    if state.auctioning:
        auction.indicate(state)
    if state.touched:
        state.publish_holdings()
    events = state.events
    state.events = []
    return events


def implied_limit(instrument: Instrument, side: int) -> int:
    """How far a market order may go now: the protection away from the best opposite price, within the price limits."""
    best = instrument.opposite(side).best
    protection = instrument.protection
    if side == BUY:
        return min(best.price + protection, instrument.high) if best is not None and protection else instrument.high
    return max(best.price - protection, instrument.low) if best is not None and protection else instrument.low


def would_take(instrument: Instrument, side: int, price: int) -> bool:
    """Whether an order at a price would trade at once."""
    if instrument.phase != CONTINUOUS:
        return False
    best = instrument.opposite(side).best
    return best is not None and (best.price <= price if side == BUY else best.price >= price)
