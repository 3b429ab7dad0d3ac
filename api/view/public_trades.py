"""Trades, and their annulments, as everybody may see them."""

from typing import Any, TypeAlias

from api.view.channels import Content
from goldx.protocol import terms, units
from goldx.protocol.deal_events import TradePublished
from goldx.protocol.events import Trade, TradeBusted
from goldx.protocol.trade_kinds import kind_of

PublicTrade: TypeAlias = Trade | TradeBusted | TradePublished
"""A trade of orders, one without orders that is public, or an annulment."""


def write_public_trade(trade: PublicTrade, *, busted: bool = False) -> dict[str, Any]:
    """Return a trade, or the one that an annulment is about, as everybody may see it.

    That is without accounts, orders and fees. ``busted``: that the trade was annulled is shown. An annulment has no
    ``kind``: it is that of the trade.
    """
    written: dict[str, Any] = {
        "trade_id": trade.trade_id,
        "at": trade.at if isinstance(trade, Trade) else trade.traded_at,
        "price": units.format_price(trade.price),
        "quantity": units.format_weight(trade.quantity),
        "amount": units.format_money(trade.amount),
        "taker_side": None,
    }
    if not isinstance(trade, TradePublished) and trade.taker_side is not None:
        written["taker_side"] = terms.SIDES[trade.taker_side]
    if isinstance(trade, Trade):
        written["kind"] = terms.TRADE_KINDS[kind_of(trade)]
    elif isinstance(trade, TradePublished):
        written["kind"] = terms.TRADE_KINDS[trade.kind]
    return written | {"busted": True} if busted else written


def trade_content(trade: PublicTrade) -> Content:
    """Return the message of the trades channel for a trade, or for an annulment.

    A trade that was published later has the time of its publication in the message and its own time in ``at``.
    """
    if isinstance(trade, TradeBusted):
        about = {"busted_at": trade.at, "reason": trade.reason}
        return Content(trade.at, write_public_trade(trade, busted=True) | about)
    return Content(trade.at, write_public_trade(trade))
