"""The grade classes that the exchange has defined."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.tables.ledger import instrument


async def check(connection: AsyncConnection, symbol: str, field: str = "symbol") -> None:
    """Raise BadValue for the symbol of a class that the exchange has not defined."""
    if await connection.scalar(select(instrument.c.symbol).where(instrument.c.symbol == symbol)) is None:
        raise BadValue(field, symbol, "a class that the exchange has defined")
