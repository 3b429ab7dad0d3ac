"""Self-trade prevention: two orders of one owner never trade. The taker's mode says which of them gives way.

===============  ========================================================================================
cancel_taker     what is left of the taker is cancelled (the default)
cancel_maker     the maker is cancelled, the taker goes on
cancel_both      both are cancelled
decrement        both lose the smaller of the taker's remainder and the maker's slice, without a trade;
                 a maker that has something left keeps its place
===============  ========================================================================================
"""

from __future__ import annotations

from goldx.protocol import terms
from matching.core import fees
from matching.core.orders import Order
from matching.core.resting import refresh
from matching.core.state import State
from matching.core.tags import SELF_TRADE_PREVENTED


def prevent(state: State, maker: Order, taker: Order) -> None:
    """Resolve the meeting of a resting maker with a taker of the same owner; at least one has less afterwards."""
    mode = taker.self_trade_mode()
    quantity = 0
    if mode == terms.DECREMENT:
        # In an uncross the taker rests too, and then only its slice has met the maker.
        quantity = min(maker.visible(), taker.remaining if taker.level is None else taker.visible())
    if quantity:
        _reduce(state, maker, quantity)
        _reduce(state, taker, quantity)
    symbol = maker.instrument.symbol
    state.emit(
        SELF_TRADE_PREVENTED,
        symbol,
        maker.order_id,
        taker.order_id,
        quantity,
        maker.remaining,
        taker.remaining,
    )
    _complete(state, maker, quantity, mode in (terms.CANCEL_MAKER, terms.CANCEL_BOTH))
    _complete(state, taker, quantity, mode in (terms.CANCEL_TAKER, terms.CANCEL_BOTH))


def _complete(state: State, order: Order, quantity: int, gives_way: bool) -> None:
    """Bring an order's level and slice up to date after it has lost a quantity; cancel it if it ends here."""
    if order.level is not None:
        order.level.quantity -= quantity
        special = order.special
        if quantity and order.remaining and special is not None and special.display:
            special.shown -= quantity
            if not special.shown:
                refresh(state, order)
    if gives_way or not order.remaining:
        state.cancel(order, "SELF_TRADE")


def _reduce(state: State, order: Order, quantity: int) -> None:
    """Take a quantity out of an order, and out of what it has reserved, as if it had been ordered for less."""
    order.quantity -= quantity
    order.remaining -= quantity
    still = order.remaining
    if order.side == terms.BUY and still:  # a market buy has reserved nothing
        highest_fee = order.instrument.highest_fee
        still = fees.cost(order.price, still, order.residue, highest_fee) if order.reserved else 0
    order.balance.reserve(still - order.reserved)
    order.reserved = still
    state.touched.append(order.balance)
