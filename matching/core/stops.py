"""Stop orders that have been reached: they trigger and enter the market, all within the command that reached them.

The stops that one sweep of trades has reached queue up in order of acceptance (``matching.core.pending_stops``). Each
then triggers and enters as an order of its own, and the stops that *its* trades reach join the end of the queue.
"""

from __future__ import annotations

from goldx.protocol.terms import CONTINUOUS, FOK
from matching.core import entry, limit_checks, matcher, pending_stops
from matching.core.state import State
from matching.core.tags import ORDER_TRIGGERED


def run_triggered(state: State) -> None:
    """Let the stops that were reached enter, one by one. Where trading has stopped meanwhile they are pending again."""
    while state.triggered:
        order = state.triggered.popleft()
        instrument = order.instrument
        if instrument.phase != CONTINUOUS:
            pending_stops.add(order)
            continue
        state.emit(ORDER_TRIGGERED, order.order_id, order.account.name, order.client_order_id, instrument.symbol)
        if order.special is not None and order.special.market:
            order.price = entry.implied_limit(instrument, order.side)
        if detail := limit_checks.refuses_triggered(order):
            state.cancel(order, limit_checks.REASON, detail)
        elif order.time_in_force == FOK and not matcher.could_fill(state, order):
            state.cancel(order, "FOK")
        else:
            entry.enter(state, order)
