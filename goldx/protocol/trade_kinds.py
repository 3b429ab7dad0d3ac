"""How a trade came about."""

from goldx.protocol.events import Trade
from goldx.protocol.terms import AUCTION_TRADE, BOOK_TRADE


def kind_of(trade: Trade) -> int:
    """Return how a trade came about, one of ``goldx.protocol.terms.TRADE_KINDS``.

    Trades of orders carry no kind, so that an old journal gives the bytes that it always gave: an auction's trade is
    one without a taker's side.
    """
    if trade.kind is not None:
        return trade.kind
    return AUCTION_TRADE if trade.taker_side is None else BOOK_TRADE
