"""Auctions: everything that crosses trades at one price.

That price is one of the orders' prices: the one with the largest quantity; of several the one with the smallest
imbalance; then the nearest to the reference price; then the lowest. Orders trade at it by price, then time, and what
remains of them stays where it is.
"""

from __future__ import annotations

from goldx.protocol import terms
from goldx.protocol.units import MG_PER_GRAM
from matching.core import self_trade
from matching.core.instrument import Instrument
from matching.core.matcher import trade
from matching.core.state import State
from matching.core.tags import AUCTION_INDICATED


def uncrossing(instrument: Instrument) -> tuple[int, int]:
    """Return (price, quantity) at which the book would uncross now, or (0, 0). O(levels that cross)."""
    best_bid = instrument.bids.best
    best_ask = instrument.asks.best
    if best_bid is None or best_ask is None or best_bid.price < best_ask.price:
        return 0, 0
    bids, asks = instrument.bids, instrument.asks
    buying = bids.levels_up_to(best_ask.price)
    prices = sorted({level.price for level in (*buying, *asks.levels_up_to(best_bid.price))})
    demand = sum(level.quantity for level in buying)
    supply = 0
    best = (0, 0, 0, 0)
    for price in prices:
        if price in asks.levels:
            supply += asks.levels[price].quantity
        distance = abs(price - instrument.reference) if instrument.reference else 0
        best = min(best, (-min(demand, supply), abs(demand - supply), distance, price))
        if price in bids.levels:
            demand -= bids.levels[price].quantity
    negative_quantity, _, _, price = best
    return price, -negative_quantity


def uncross(state: State, instrument: Instrument) -> None:
    """Trade everything that crosses. The older order of a pair is the maker.

    Orders of one owner do not trade with each other; the younger one's self-trade mode applies. That may leave the book
    crossed, and then the rest uncrosses at a price of its own. A trade beyond the caps of a sandbox is not made: the
    younger order is cancelled.
    """
    bids, asks = instrument.bids, instrument.asks
    price, _ = uncrossing(instrument)
    while price:
        while bids.best is not None and asks.best is not None and bids.best.price >= price and asks.best.price <= price:
            buy, sell = bids.best.head, asks.best.head
            assert buy is not None
            assert sell is not None
            maker, taker = (buy, sell) if buy.order_id < sell.order_id else (sell, buy)
            if maker.account.owner == taker.account.owner:
                self_trade.prevent(state, maker, taker)
                continue
            quantity = min(buy.visible(), sell.visible())
            if instrument.guarded and price * quantity > state.room() * MG_PER_GRAM:
                state.cancel(taker, "REGIME")
            else:
                trade(state, instrument, maker, taker, price, quantity, None)
        price, _ = uncrossing(instrument)


def indicate(state: State) -> None:
    """Publish the indicative price and quantity of the auctions that this command has changed, where they differ."""
    for instrument in state.changed_auctions.values():
        if instrument.phase != terms.AUCTION:
            continue
        price, quantity = uncrossing(instrument)
        found = (price or None, quantity or None)
        if found != instrument.indicated:
            instrument.indicated = found
            state.emit(AUCTION_INDICATED, instrument.symbol, *found)
    state.changed_auctions.clear()
