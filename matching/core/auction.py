"""Auctions: one price for everything that crosses.

Among the prices of the orders the one with the largest volume; then the smallest imbalance; then nearest to the
reference price; then the lower. At that price orders trade by price, then time, and what remains stays where it stands.
"""

from __future__ import annotations

from goldx.protocol import terms
from matching.core import self_trade
from matching.core.instrument import Instrument
from matching.core.matcher import trade
from matching.core.state import State


def uncrossing(instrument: Instrument) -> tuple[int, int]:
    """(price, quantity) at which the book would uncross now; (0, 0) when nothing crosses. O(levels that cross)."""
    best_bid = instrument.bids.best
    best_ask = instrument.asks.best
    if best_bid is None or best_ask is None or best_bid.price < best_ask.price:
        return 0, 0
    bids, asks = instrument.bids, instrument.asks
    buying = bids.reaching(best_ask.price)
    prices = sorted({level.price for level in (*buying, *asks.reaching(best_bid.price))})
    wanted = sum(level.quantity for level in buying)
    offered = 0
    best = (0, 0, 0, 0)
    for price in prices:
        if price in asks.levels:
            offered += asks.levels[price].quantity
        distance = abs(price - instrument.reference) if instrument.reference else 0
        best = min(best, (-min(wanted, offered), abs(wanted - offered), distance, price))
        if price in bids.levels:
            wanted -= bids.levels[price].quantity
    return best[3], -best[0]


def uncross(state: State, instrument: Instrument) -> None:
    """Trades what crosses. The older order of a pair is the maker.

    Orders of one owner do not trade with each other, by the younger one's mode. That may leave the book crossed: then
    what is left has an uncrossing price of its own.
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
            else:
                trade(state, instrument, maker, taker, price, min(buy.visible(), sell.visible()), None)
        price, _ = uncrossing(instrument)


def indicate(state: State) -> None:
    """Publishes where the auctions that this command has touched would uncross, when that is news."""
    for instrument in state.auctioning.values():
        if instrument.phase != terms.AUCTION:
            continue
        price, quantity = uncrossing(instrument)
        found = (price or None, quantity or None)
        if found != instrument.indicated:
            instrument.indicated = found
            state.emit(18, instrument.symbol, *found)
    state.auctioning.clear()
