"""Stops: orders that wait, outside the book, until a trade reaches their price.

A buy stop waits for a trade at its price or higher, a sell stop for one at its price or lower. The stops that one sweep
has reached join a queue in order of acceptance; each then triggers and enters as an order of its own, and what *its*
trades reach joins the end of the queue, until the queue is empty: all within the same command.
"""

from __future__ import annotations

from goldx.protocol import terms
from matching.core.instrument import Instrument
from matching.core.orders import Order
from matching.core.state import State


def wait(order: Order) -> None:
    """Puts a stop among the waiting ones. O(log stops)."""
    special = order.special
    assert special is not None
    special.waiting = True
    order.instrument.stops(order.side).add((special.stop_price, order.order_id))
    order.instrument.waiting += 1


def is_reached(instrument: Instrument, side: int, stop_price: int) -> bool:
    """Whether the last trade has reached a stop price already."""
    if not instrument.last:
        return False
    return instrument.last >= stop_price if side == terms.BUY else instrument.last <= stop_price


def reach(state: State, instrument: Instrument, low: int, high: int) -> None:
    """Queues the stops reached by trades from ``low`` to ``high`` fen."""
    numbers = []
    buys = instrument.buy_stops
    while buys and buys[0][0] <= high:
        numbers.append(buys.pop(0)[1])
    sells = instrument.sell_stops
    while sells and sells[-1][0] >= low:
        numbers.append(sells.pop()[1])
    instrument.waiting -= len(numbers)
    numbers.sort()
    for number in numbers:
        order = state.orders[number]
        assert order.special is not None
        order.special.waiting = False
        state.triggered.append(order)
