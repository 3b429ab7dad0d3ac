"""The uncrossing price of an auction, by trying every price."""

from collections.abc import Sequence
from typing import Protocol

from goldx.protocol import terms


class Bid(Protocol):
    side: int
    price: int | None
    remaining: int


def uncrossing(orders: Sequence[Bid], reference: int | None) -> tuple[int, int] | None:
    """(price, volume) at which the most trades; None when nothing would.

    Among the orders' prices the one with the largest volume, then the smallest imbalance, then nearest to the
    reference, then the lower one.
    """
    found = []
    for price in {order.price for order in orders if order.price is not None}:
        bought = sum(o.remaining for o in orders if o.side == terms.BUY and o.price is not None and o.price >= price)
        sold = sum(o.remaining for o in orders if o.side == terms.SELL and o.price is not None and o.price <= price)
        volume = min(bought, sold)
        if volume:
            distance = abs(price - reference) if reference is not None else 0
            found.append((-volume, abs(bought - sold), distance, price))
    if not found:
        return None
    volume, _, _, price = min(found)
    return price, -volume
