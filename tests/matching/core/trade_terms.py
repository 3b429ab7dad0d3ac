"""The terms of trades for the commands that annul them."""

from goldx.protocol import events
from goldx.protocol.commands import TradeTerms


def terms_of(trade: events.Trade, trading_day: str) -> TradeTerms:
    """Return the terms of a trade of the present trading day, as a gateway sends them with ``trade.bust``."""
    found = {name: getattr(trade, name) for name in TradeTerms.__struct_fields__ if name != "trading_day"}
    return TradeTerms(**found, trading_day=trading_day)
