"""Annulled trades, and trades without orders: which trades stand, and the record of those that the engine has annulled.

The engine takes the terms of an annulled trade from the gateways. Here they are compared with the trade that was
posted, so terms that were wrong everywhere else end here.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.events import TradeBusted
from settlement.tables.ledger import instrument, trade, trade_bust

SAME: Final = ("symbol", "price", "quantity", "amount", "buy_account", "sell_account", "buy_fee", "sell_fee")
"""The fields of a trade that its annulment repeats."""


class WrongBust(Exception):
    """The engine has annulled a trade with terms that are not the trade's: settlement must stop."""


def standing() -> ColumnElement[bool]:
    """Return the condition that a trade was not annulled."""
    return ~exists().where(trade_bust.c.trade_id == trade.c.trade_id)


def of_orders() -> ColumnElement[bool]:
    """Return the condition that a trade was made by two orders: such trades alone make prices."""
    return trade.c.kind.is_(None)


async def record(connection: AsyncConnection, busts: Sequence[TradeBusted]) -> None:
    """Record annulments, and give their instruments the price of the newest trade that stands, or none.

    Raises WrongBust if a trade was annulled with other terms than it was posted with.
    """
    for bust in busts:
        posted = (await connection.execute(select(trade).where(trade.c.trade_id == bust.trade_id))).first()
        if posted is None or any(getattr(posted, name) != getattr(bust, name) for name in SAME):
            raise WrongBust(f"event {bust.sequence} annuls trade {bust.trade_id} with terms that it does not have")
    rows = [{column.name: getattr(bust, column.name) for column in trade_bust.c} for bust in busts]
    if rows:
        await connection.execute(insert(trade_bust), rows)
    for symbol in {bust.symbol for bust in busts}:
        newest = select(trade.c.price).where(trade.c.symbol == symbol, standing(), of_orders())
        newest = newest.order_by(trade.c.trade_id.desc())
        price = {"last_price": newest.limit(1).scalar_subquery()}
        await connection.execute(update(instrument).where(instrument.c.symbol == symbol).values(price))
