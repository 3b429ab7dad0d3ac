"""The value of breaks in money, at the settlement price of their class.

A break about money is worth its difference. One about gold is worth the difference in fine weight; a gross weight
counts by the fineness of its lot, or as pure gold if the lot is unknown; a fineness by the weight of its lot. Where the
two sides are no numbers (an owner, a seal, a state) the whole lot is in question. Without a class or a price the value
is unknown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, FINENESS_ONE, MG_PER_GRAM, half_up
from settlement.base.database import among
from settlement.tables.closing import day_price
from settlement.tables.ledger import instrument
from settlement.tables.lots import lot

_CG_TO_MG = 10


async def prices(connection: AsyncConnection) -> dict[str, int]:
    """Return the price of each class in fen per fine gram.

    That is the settlement price of its newest closed day; before there is one, the last trade's, else the reference.
    """
    columns = (instrument.c.symbol, instrument.c.last_price, instrument.c.reference_price)
    found = {}
    for symbol, last, reference in await connection.execute(select(*columns)):
        price = reference if last is None else last
        if price is not None:
            found[symbol] = int(price)
    newest = select(day_price.c.symbol, day_price.c.settlement_price).ext(distinct_on(day_price.c.symbol))
    newest = newest.where(day_price.c.settlement_price.is_not(None))
    newest = newest.order_by(day_price.c.symbol, day_price.c.day.desc())
    return found | {symbol: int(price) for symbol, price in await connection.execute(newest)}


async def of(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[int, int | None]:
    """Return the value in fen of each of these rows of ``recon_break`` by its number; None where it is unknown."""
    numbers = {row.lot_id for row in rows if row.lot_id is not None}
    query = select(lot).where(among(lot.c.lot_id, sorted(numbers)))
    lots = {row.lot_id: row for row in await connection.execute(query)} if numbers else {}
    known = await prices(connection)
    return {row.break_id: _value(row, lots.get(row.lot_id), known) for row in rows}


def _value(row: Row[Any], about: Row[Any] | None, known: Mapping[str, int]) -> int | None:
    difference = abs(int(row.found) - int(row.expected))
    if row.asset == CASH:
        return difference if row.unit == "amount" else None
    price = known.get(row.asset or (about.symbol if about is not None else ""))
    if price is None:
        return None
    fine = _fine(row.unit, difference, about)
    return None if fine is None else half_up(fine * price, MG_PER_GRAM * FINENESS_ONE)


def _fine(unit: str, difference: int, about: Row[Any] | None) -> int | None:
    """Return the fine gold in question, exact: in mg times FINENESS_ONE."""
    if unit == "amount":
        return difference * FINENESS_ONE
    if unit == "gross_mg":
        return difference * (FINENESS_ONE if about is None else _fineness(about))
    if about is None:
        return None
    gross_mg = int(about.melt_cg or about.gross_cg or about.declared_gross_cg) * _CG_TO_MG
    if unit == "fineness_e5":
        return gross_mg * difference
    return gross_mg * _fineness(about) if about.fine_mg is None else int(about.fine_mg) * FINENESS_ONE


def _fineness(about: Row[Any]) -> int:
    return int(about.fineness_e5 or about.declared_fineness_e5)
