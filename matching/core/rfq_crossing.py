"""Which quotes of a request are accepted, how much of each, and at which price: all trade at one crossing price.

That is the best price for the requester at which the quotes at this price or a better one can fill the whole quantity.
Of these the better price comes first. A quote that is all-or-none fills the quantity alone: it comes before others of
its price, but not before quotes with a better price that fill the quantity together with them. Among quotes of one
price the larger comes first, and only between equal ones the earlier: so speed does not decide.
"""

from __future__ import annotations

from goldx.protocol.terms import BUY
from matching.core.rfq import OpenRfq, OpenRfqQuote


def cross(
    request: OpenRfq, quotes: list[OpenRfqQuote], limit: int, wanted: int
) -> tuple[int, list[tuple[OpenRfqQuote, int]]]:
    """Return (crossing price, [(quote, its part)]) for an acceptance of ``wanted`` mg at ``limit`` or better.

    The list is empty if they cannot be filled. O(n log n) for n quotes.
    """
    partial: list[OpenRfqQuote] = []
    total = 0
    ranked = sorted(quotes, key=lambda quote: _rank(request, quote))
    place = 0
    while place < len(ranked):
        price = ranked[place].price
        if request.is_worse(price, limit):
            break
        better = total
        whole: OpenRfqQuote | None = None
        while place < len(ranked) and ranked[place].price == price:
            quote = ranked[place]
            place += 1
            if not quote.all_or_none:
                partial.append(quote)
                total += quote.quantity
            elif whole is None and quote.quantity == wanted:
                whole = quote
        if whole is not None and (not better or total < wanted):
            return price, [(whole, wanted)]
        if total >= wanted:
            return price, _parts(partial, wanted)
    return 0, []


def covering_price(request: OpenRfq, quotes: list[OpenRfqQuote], filled: list[tuple[OpenRfqQuote, int]]) -> int | None:
    """Return the best price of a quote that was not filled, or None."""
    taken = [quote for quote, _ in filled]
    left = [quote.price for quote in quotes if quote not in taken]
    if not left:
        return None
    best = left[0]
    for price in left:
        if request.is_worse(best, price):
            best = price
    return best


def _rank(request: OpenRfq, quote: OpenRfqQuote) -> tuple[int, int, int]:
    return (quote.price if request.side == BUY else -quote.price), -quote.quantity, quote.quote_id


def _parts(quotes: list[OpenRfqQuote], wanted: int) -> list[tuple[OpenRfqQuote, int]]:
    """Return the part of each quote, in their order, until the quantity is filled."""
    found = []
    for quote in quotes:
        part = min(quote.quantity, wanted)
        found.append((quote, part))
        wanted -= part
        if not wanted:
            break
    return found
