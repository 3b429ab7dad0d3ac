"""Pending stops: orders outside the book that wait for a trade at their stop price.

A buy stop is reached by a trade at its price or higher, a sell stop by one at its price or lower. What happens to the
stops that are reached is in ``matching.core.stops``.
"""

from __future__ import annotations

from goldx.protocol import terms
from matching.core.instrument import Instrument
from matching.core.orders import Order
from matching.core.state import State


def add(order: Order) -> None:
    """Add a stop to the pending ones. O(log stops)."""
    special = order.special
    assert special is not None
    special.pending = True
    order.instrument.stops(order.side).add((special.stop_price, order.order_id))
    order.instrument.pending_stops += 1


def is_reached(instrument: Instrument, side: int, stop_price: int) -> bool:
    """Return whether the last trade has reached a stop price already."""
    if not instrument.last:
        return False
    return instrument.last >= stop_price if side == terms.BUY else instrument.last <= stop_price


def trigger_reached(state: State, instrument: Instrument, low: int, high: int) -> None:
    """Move the stops that trades from ``low`` to ``high`` fen have reached to ``state.triggered``, oldest first."""
    numbers = []
    buys = instrument.buy_stops
    while buys:
        stop_price, number = buys[0]
        if stop_price > high:
            break
        del buys[0]
        numbers.append(number)
    sells = instrument.sell_stops
    while sells:
        stop_price, number = sells[-1]
        if stop_price < low:
            break
        del sells[-1]
        numbers.append(number)
    instrument.pending_stops -= len(numbers)
    numbers.sort()
    for number in numbers:
        order = state.orders[number]
        assert order.special is not None
        order.special.pending = False
        state.triggered.append(order)
