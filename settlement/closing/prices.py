"""Closing and settlement price of every instrument for a day, with the method and all that they were found from.

The closing price is that of the closing auction; else the average, weighted by quantity, of the last minutes of
continuous trading, if enough was traded in them; else the last price; else the closing price of the day before. The
settlement price is the average of all trades of the day (domain sheet 1.2), else that of the day before. Before the
first trade both are the reference price. Averages are rounded once, half up, to the fen per gram. Trades of orders
alone count: the price of a negotiated deal is an agreement of two, which the market did not make.

The minutes and the least quantity are figures of the tariff, CLOSING_WINDOW and CLOSING_MINIMUM.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.charges import tariff
from settlement.closing import day as days
from settlement.closing.canonical import canonical
from settlement.closing.day import Day, Prices, ended_at, prices_at
from settlement.documents.closing import AUCTION, AVERAGE, LAST, NO_PRICE, PREVIOUS, REFERENCE, WINDOW
from settlement.ledger.busts import of_orders, standing
from settlement.tables.closing import day_price, phase_change
from settlement.tables.ledger import trade

NAME = "prices"
MG_PER_GRAM: Final = 1_000
MS_PER_MINUTE: Final = 60_000


class TradeSums(NamedTuple):
    """A number of trades: their quantity in mg, their amount in fen, and the price of the last one."""

    trades: int = 0
    quantity_mg: int = 0
    amount_fen: int = 0
    last_price: int = 0

    @property
    def average(self) -> int:
        """Return the average price, weighted by quantity, in fen per gram, rounded half up."""
        return (2 * self.amount_fen * MG_PER_GRAM + self.quantity_mg) // (2 * self.quantity_mg)


NOTHING: Final = TradeSums()


class DayPrice(NamedTuple):
    """The prices of an instrument for a day; ``inputs`` is what they were found from."""

    symbol: str
    closing_price: int | None
    closing_method: str
    settlement_price: int | None
    settlement_method: str
    inputs: Mapping[str, Any]


class _Ended(NamedTuple):
    """The end of an instrument's trading on a day.

    ``left``: sequence and time of the change of phase that ended continuous trading; the last event of the day where
    there was none. ``auction``: the sequence of the change of phase that ended the closing auction, None if the day did
    not end with one.
    """

    left: int
    left_at: int
    auction: int | None


_UNITS: Final = {
    **dict.fromkeys(("last_price", "reference_price", "closing_price", "settlement_price"), "fen_per_g"),
    **dict.fromkeys(("from", "until"), "ms"),
}
"""By the name of a kept input: its unit, where the name has none."""


def shown_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs as people read them: each name ends with its unit, prices in fen per gram and times in ms."""
    return {
        f"{name}_{_UNITS[name]}" if name in _UNITS else name: shown_inputs(value)
        if isinstance(value, Mapping)
        else value
        for name, value in inputs.items()
    }


async def work(connection: AsyncConnection, day: Day) -> bytes:
    """Find and keep the prices of a day and return them."""
    found = await compute(connection, day)
    rows = [{"day": day.day, **price._asdict()} for price in found]
    if rows:
        await connection.execute(insert(day_price).on_conflict_do_nothing(), rows)
    return canonical([price._asdict() for price in found])


async def compute(connection: AsyncConnection, day: Day) -> list[DayPrice]:
    """Return the prices of every instrument for a day, by its code."""
    figures = await tariff.on(connection, day.day)
    window_ms, minimum_mg = figures["CLOSING_WINDOW"] * MS_PER_MINUTE, figures["CLOSING_MINIMUM"]
    ended = await _ended(connection, day)
    whole = await _traded(connection, day)
    previous = await before(connection, day)
    close_at = await ended_at(connection, day.last)
    found = []
    for known in await prices_at(connection, day):
        end = ended.get(known.symbol, _Ended(day.last, close_at, None))
        of_symbol = trade.c.symbol == known.symbol
        auction = window = NOTHING
        if known.symbol in whole:
            if end.auction is not None:
                uncrossed = (of_symbol, trade.c.sequence > end.auction, trade.c.taker_side.is_(None))
                auction = (await _traded(connection, day, *uncrossed)).get(known.symbol, NOTHING)
            last_minutes = (of_symbol, trade.c.sequence < end.left, trade.c.at > end.left_at - window_ms)
            window = (await _traded(connection, day, *last_minutes)).get(known.symbol, NOTHING)
        inputs = {
            "day": whole.get(known.symbol, NOTHING)._asdict(),
            "auction": auction._asdict(),
            "window": {**window._asdict(), "from": end.left_at - window_ms, "until": end.left_at},
            "minimum_mg": minimum_mg,
            "reference_price": known.reference_price,
        }
        found.append(_price(known, whole.get(known.symbol, NOTHING), auction, window, minimum_mg, previous, inputs))
    return found


def _price(
    known: Prices,
    whole: TradeSums,
    auction: TradeSums,
    window: TradeSums,
    minimum_mg: int,
    prices_before: Mapping[str, Row[Any]],
    inputs: dict[str, Any],
) -> DayPrice:
    """Return the prices that follow from what was traded."""
    previous = prices_before.get(known.symbol)
    closing_before = None if previous is None else previous.closing_price
    settlement_before = None if previous is None else previous.settlement_price
    inputs["previous"] = {"closing_price": closing_before, "settlement_price": settlement_before}
    closing: tuple[int | None, str]
    if auction.trades:
        closing = auction.last_price, AUCTION
    elif window.trades and window.quantity_mg >= minimum_mg:
        closing = window.average, WINDOW
    elif whole.trades:
        closing = whole.last_price, LAST
    else:
        closing = _inherited(closing_before, known)
    settlement = (whole.average, AVERAGE) if whole.trades else _inherited(settlement_before, known)
    return DayPrice(known.symbol, *closing, *settlement, inputs)


def _inherited(previous: int | None, known: Prices) -> tuple[int | None, str]:
    """Return the price of an instrument that was not traded, and where it comes from."""
    if previous:
        return previous, PREVIOUS
    if known.last_price:
        return known.last_price, PREVIOUS
    if known.reference_price:
        return known.reference_price, REFERENCE
    return None, NO_PRICE


async def _ended(connection: AsyncConnection, day: Day) -> dict[str, _Ended]:
    """Return by instrument when its trading ended, for those that were in continuous trading or had an auction."""
    columns = phase_change.c
    query = select(phase_change).where(columns.sequence >= day.first, columns.sequence <= day.last)
    found: dict[str, _Ended] = {}
    for row in await connection.execute(query.order_by(columns.sequence)):
        if row.previous == terms.CONTINUOUS:
            found[row.symbol] = _Ended(row.sequence, row.at, None)
        elif row.phase == terms.CLOSED and row.previous == terms.AUCTION:
            known = found.get(row.symbol, _Ended(row.sequence, row.at, None))
            found[row.symbol] = known._replace(auction=row.sequence)
    return found


async def _traded(connection: AsyncConnection, day: Day, *conditions: ColumnElement[bool]) -> dict[str, TradeSums]:
    """Return by instrument what orders traded on a day under some conditions, without annulled trades."""
    columns = trade.c
    last = func.max(columns.sequence).label("last")
    sums = select(columns.symbol, func.count().label("trades"), func.sum(columns.quantity).label("quantity"))
    sums = sums.add_columns(func.sum(columns.amount).label("amount"), last)
    sums = sums.where(columns.sequence >= day.first, columns.sequence <= day.last, standing(), of_orders())
    by_symbol = sums.where(*conditions).group_by(columns.symbol).subquery()
    query = select(by_symbol, columns.price).join(trade, columns.sequence == by_symbol.c.last)
    return {
        row.symbol: TradeSums(int(row.trades), int(row.quantity), int(row.amount), int(row.price))
        for row in await connection.execute(query)
    }


async def before(connection: AsyncConnection, day: Day) -> dict[str, Row[Any]]:
    """Return the prices of the trading day before, by instrument."""
    previous = await days.before(connection, day)
    if previous is None:
        return {}
    rows = await connection.execute(select(day_price).where(day_price.c.day == previous.day))
    return {row.symbol: row for row in rows}


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, day: date) -> Page[Row[Any]]:
    """Return the prices of a day by instrument."""
    return await fetch(connection, select(day_price).where(day_price.c.day == day), (day_price.c.symbol,), page)
