"""Trades, and their annulments, as everybody may see them."""

from typing import Any

from api.view.channels import Content
from goldx.protocol import terms, units
from goldx.protocol.events import Trade, TradeBusted


def write_public_trade(trade: Trade | TradeBusted, *, busted: bool = False) -> dict[str, Any]:
    """Return a trade, or the one that an annulment is about, as everybody may see it.

    That is without accounts, orders and fees. ``busted``: that the trade was annulled is shown.
    """
    written = {
        "trade_id": trade.trade_id,
        "at": trade.traded_at if isinstance(trade, TradeBusted) else trade.at,
        "price": units.format_price(trade.price),
        "quantity": units.format_weight(trade.quantity),
        "amount": units.format_money(trade.amount),
        "taker_side": None if trade.taker_side is None else terms.SIDES[trade.taker_side],
    }
    return written | {"busted": True} if busted else written


def trade_content(trade: Trade | TradeBusted) -> Content:
    """Return the message of the trades channel for a trade, or for an annulment."""
    if isinstance(trade, TradeBusted):
        about = {"busted_at": trade.at, "reason": trade.reason}
        return Content(trade.at, write_public_trade(trade, busted=True) | about)
    return Content(trade.at, write_public_trade(trade))
