"""The terms of a trade that go to the journal with the command that annuls it."""

from typing import Final

from api.sessions.refused import refuse
from api.view.view import View
from goldx.protocol.commands import TradeTerms

_OF_TRADE: Final = [name for name in TradeTerms.__struct_fields__ if name != "trading_day"]


def terms_of_trade(view: View, trade_id: int) -> TradeTerms:
    """Return the terms of a trade of this trading day. Raises Refusal (UNKNOWN_TRADE)."""
    fill = view.fills.get(trade_id)
    if fill is None or trade_id <= view.last_of_past:
        raise refuse("UNKNOWN_TRADE", "trade_id", trade_id)
    terms = {name: getattr(fill.trade, name) for name in _OF_TRADE}
    return TradeTerms(**terms, trading_day=view.trading_day or "")
