"""The venue's own benchmark price (基准价) of each form of gold for a day, with all that it was found from.

It is the average price of all trades of the day in the classes of a form, weighted by quantity: of orders, auctions,
negotiated deals and requests for quotes alike, without annulled trades. Prices are per gram of fine gold, so classes of
one form can be averaged. No member makes a benchmark alone: neither side of a trade is the other one
(``matching.core.self_trade``, and deals and requests are between two members). Where less was traded than the tariff's
BENCHMARK_MINIMUM, the benchmark of the day before stays; before the first one there is none. Averages are rounded once,
half up, to the fen per gram.

The form of each class is that which it had at the end of the day; of an end that was kept without it, the form is a
fact of the step, as a class may be given another one later.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, Self

import msgspec
from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import FORMS, TRADE_KINDS
from goldx.protocol.units import BadValue
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.charges import tariff
from settlement.closing import day as days
from settlement.closing.canonical import canonical
from settlement.closing.day import Day, instruments_at
from settlement.closing.differs import PaperDiffers
from settlement.closing.prices import TradeSums
from settlement.documents.closing import AVERAGE, NO_PRICE, PREVIOUS
from settlement.ledger.busts import standing
from settlement.tables.closing import day_benchmark
from settlement.tables.ledger import instrument, trade

NAME: Final = "benchmarks"
MINIMUM: Final = "BENCHMARK_MINIMUM"
_BOOK, _AUCTION = TRADE_KINDS[:2]


class TradedPart(NamedTuple):
    """The trades of one kind in a class: their number, quantity in mg of fine gold, and amount in fen."""

    symbol: str
    kind: str
    trades: int
    quantity_mg: int
    amount_fen: int


class Benchmark(NamedTuple):
    """The benchmark of a form for a day in fen per gram, None if there is none yet, and what it was found from."""

    form: str
    price: int | None
    method: str
    trades: int
    quantity_mg: int
    amount_fen: int
    inputs: Mapping[str, Any]

    @classmethod
    def of(cls, form: str, parts: list[TradedPart], minimum_mg: int, previous: int | None) -> Self:
        """Return the benchmark that follows from what was traded in the classes of a form."""
        traded = TradeSums(
            sum(part.trades for part in parts),
            sum(part.quantity_mg for part in parts),
            sum(part.amount_fen for part in parts),
        )
        price, method = (
            (traded.average, AVERAGE)
            if traded.trades and traded.quantity_mg >= minimum_mg
            else (previous, PREVIOUS)
            if previous is not None
            else (None, NO_PRICE)
        )
        inputs = {
            "minimum_mg": minimum_mg,
            "previous_fen_per_g": previous,
            "traded": [part._asdict() for part in parts],
        }
        return cls(form, price, method, traded.trades, traded.quantity_mg, traded.amount_fen, inputs)


async def facts(connection: AsyncConnection, day: Day) -> bytes:
    """Return as JSON the form of each class as it is now, nothing if it was kept at the end of the day."""
    if await instruments_at(connection, day) is not None:
        return canonical({})
    rows = await connection.execute(select(instrument.c.symbol, instrument.c.form).order_by(instrument.c.symbol))
    return canonical({row.symbol: row.form for row in rows})


async def work(connection: AsyncConnection, day: Day, kept: bytes) -> bytes:
    """Find and keep the benchmarks of a day and return them.

    Raises PaperDiffers if the forms of the classes were kept at the day's end and are not there any more.
    """
    forms = msgspec.json.decode(kept)
    if not forms:
        at_end = await instruments_at(connection, day)
        if at_end is None:
            raise PaperDiffers(f"{day.day}: the forms of the classes were kept at its end, and are not there")
        forms = {symbol: one.form for symbol, one in at_end.items()}
    found = await compute(connection, day, forms)
    rows = [{"day": day.day, **benchmark._asdict()} for benchmark in found]
    if rows:
        await connection.execute(insert(day_benchmark).on_conflict_do_nothing(), rows)
    return canonical([benchmark._asdict() for benchmark in found])


def kept_facts(kept: bytes) -> Sequence[str]:
    """Return which facts the step does not compute anew."""
    return ("forms",) if msgspec.json.decode(kept) else ()


async def compute(connection: AsyncConnection, day: Day, forms: Mapping[str, str]) -> list[Benchmark]:
    """Return the benchmarks of a day by form, of all forms that were ever traded or have a class."""
    minimum_mg = (await tariff.on(connection, day.day))[MINIMUM]
    previous = await _before(connection, day)
    by_form: defaultdict[str, list[TradedPart]] = defaultdict(list)
    for part in await _traded(connection, day):
        by_form[forms[part.symbol]].append(part)
    return [
        Benchmark.of(form, by_form[form], minimum_mg, previous.get(form))
        for form in sorted({*forms.values(), *previous})
    ]


async def _traded(connection: AsyncConnection, day: Day) -> list[TradedPart]:
    """Return what was traded on a day by class and kind of trade, in their order."""
    columns = trade.c
    uncrossed = columns.taker_side.is_(None).label("uncrossed")
    way = (columns.symbol, columns.kind, uncrossed)
    sums = select(*way, func.count().label("trades"), func.sum(columns.quantity).label("quantity"))
    sums = sums.add_columns(func.sum(columns.amount).label("amount"))
    query = sums.where(columns.sequence.between(day.first, day.last), standing()).group_by(*way)
    return sorted(
        TradedPart(row.symbol, _kind(row), int(row.trades), int(row.quantity), int(row.amount))
        for row in await connection.execute(query)
    )


def _kind(row: Row[Any]) -> str:
    """Return the kind of a trade as it is published."""
    return TRADE_KINDS[row.kind] if row.kind is not None else _AUCTION if row.uncrossed else _BOOK


async def _before(connection: AsyncConnection, day: Day) -> dict[str, int]:
    """Return the benchmarks of the trading day before by form."""
    previous = await days.before(connection, day)
    if previous is None:
        return {}
    columns = day_benchmark.c
    query = select(columns.form, columns.price).where(columns.day == previous.day, columns.price.is_not(None))
    return {row.form: row.price for row in await connection.execute(query)}


async def listing(
    connection: AsyncConnection,
    page: PageRequest = ALL,
    *,
    form: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Page[Row[Any]]:
    """Return the benchmarks of closed days, oldest first: of one form, of a range of days. Raises BadValue."""
    columns = day_benchmark.c
    query = select(day_benchmark)
    if form is not None:
        if form not in FORMS:
            raise BadValue("form", form, "one of " + ", ".join(FORMS))
        query = query.where(columns.form == form)
    if since is not None:
        query = query.where(columns.day >= since)
    if until is not None:
        query = query.where(columns.day <= until)
    return await fetch(connection, query, (columns.day, columns.form), page)
