"""The tariff: the rates of custody, and how long things take, each figure from a day on.

A figure of the table below holds from the beginning; a change is proposed by one person, agreed by another, and begins
on a day that has not come yet and is later than every trading day that is closed or being closed, so that what was
computed with the old figure stays.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Final, NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money, format_weight, parse_money, parse_weight
from settlement.base import proposals, working_days
from settlement.base.arithmetic import parse_padded_decimal
from settlement.base.paging import ALL, Page, PageRequest, cut
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.documents.charges import TARIFF
from settlement.tables.charges import tariff
from settlement.tables.closing import business_day


class Measure(Enum):
    """The measure of a figure, which decides how it is read and shown; with its unit as kept and as shown."""

    MONEY = ("fen per ", "CNY per ")
    GOLD = ("mg of ", "g of ")
    NUMBER = ("", "")

    def __init__(self, kept: str, shown: str) -> None:
        self.kept = kept
        self.shown = shown


class TariffFigure(NamedTuple):
    """A figure as it holds from the beginning, with its source.

    ``of`` says for people what it is counted in or for: of a rate of money the weight and time that it is for, such as
    ``kg and day``, of a number its unit, of gold which gold.
    """

    value: int
    measure: Measure
    of: str
    source: str

    @property
    def unit(self) -> str:
        """The unit of ``value``, such as ``fen per kg and day``."""
        return self.measure.kept + self.of

    @property
    def unit_shown(self) -> str:
        """The unit in which people read and write it, such as ``CNY per kg and day``."""
        return self.measure.shown + self.of


BY_KILOGRAM: Final = ("LOAD_IN", "LOAD_OUT")
"""Fees by whole kilograms; the others are by milligrams, but for UMPIRE, which has no weight."""
FIGURES: Final[Mapping[str, TariffFigure]] = {
    "STORAGE_OWN": TariffFigure(180, Measure.MONEY, "kg and day", "domain sheet 2.6: storage, remaining stock"),
    "STORAGE_BOUGHT": TariffFigure(60, Measure.MONEY, "kg and day", "domain sheet 2.6: storage, bought title"),
    "STORAGE_LOAD_OUT": TariffFigure(180, Measure.MONEY, "kg and day", "domain sheet 2.6: storage on the load-out day"),
    "LOAD_IN": TariffFigure(200, Measure.MONEY, "kg, part of a kg as one", "domain sheet 2.6"),
    "LOAD_OUT": TariffFigure(200, Measure.MONEY, "kg, part of a kg as one", "domain sheet 2.6"),
    "FREIGHT_INSURANCE": TariffFigure(6, Measure.MONEY, "g", "domain sheet 2.6: ingots"),
    "OVERDUE": TariffFigure(
        360, Measure.MONEY, "kg and day", "house rule: twice the storage; domain sheet 12.4 has no rate"
    ),
    "LOAD_OUT_MINIMUM": TariffFigure(10_000, Measure.GOLD, "fine gold", "house rule; domain sheet 2.3 has the bar"),
    "LOAD_OUT_WINDOW": TariffFigure(5, Measure.NUMBER, "days", "domain sheet 2.3: clients' default"),
    "OVERDUE_DAYS": TariffFigure(
        5, Measure.NUMBER, "days", "house rule: from the window's end to the expiry; domain sheet 12.4"
    ),
    "CODE_TRIES": TariffFigure(5, Measure.NUMBER, "wrong pick-up codes", "house rule"),
    "CLAIM_DAYS": TariffFigure(5, Measure.NUMBER, "working days", "domain sheet 2.8"),
    "VAT_SERVICES": TariffFigure(
        600, Measure.NUMBER, "basis points", "house rule: storage, handling and trading are services at 6%"
    ),
    "VAT_TRANSPORT": TariffFigure(
        900, Measure.NUMBER, "basis points", "house rule: freight and insurance are transport at 9%"
    ),
    "CLOSING_WINDOW": TariffFigure(
        5, Measure.NUMBER, "minutes", "house rule: the last minutes that make the closing price"
    ),
    "CLOSING_MINIMUM": TariffFigure(
        1_000_000, Measure.GOLD, "fine gold", "house rule: the least traded in the closing window"
    ),
    "BENCHMARK_MINIMUM": TariffFigure(
        1_000_000, Measure.GOLD, "fine gold", "house rule: the least that makes a benchmark"
    ),
    "STATEMENT_DAYS": TariffFigure(
        3, Measure.NUMBER, "working days", "house rule: until a statement of account counts as accepted"
    ),
}
LARGEST: Final = 10**9


def shown(name: str, value: int) -> tuple[str, str]:
    """Return a figure and its unit as people read them: money in CNY, gold in grams."""
    figure = FIGURES[name]
    write = {Measure.MONEY: format_money, Measure.GOLD: format_weight}.get(figure.measure, str)
    return write(value), figure.unit_shown


def parse(name: str, text: str) -> int:
    """Return a figure that is written in the unit in which it is shown. Raises BadValue."""
    figure = FIGURES[name]
    if figure.measure is Measure.MONEY:
        return parse_money(text, "value")
    if figure.measure is Measure.GOLD:
        return parse_weight(text, "value")
    return parse_padded_decimal("value", text, 0, 0, LARGEST, figure.unit_shown)


async def on(connection: AsyncConnection, day: date) -> dict[str, int]:
    """Return every figure as it holds on a day."""
    query = select(tariff.c.name, tariff.c.value).where(tariff.c.status == "AGREED", tariff.c.from_day <= day)
    agreed = {row.name: row.value for row in await connection.execute(query.order_by(tariff.c.from_day))}
    return {name: agreed.get(name, figure.value) for name, figure in FIGURES.items()}


class CurrentFigure(NamedTuple):
    """A figure as it holds on a day, with unit and source, and whether it was changed."""

    name: str
    value: int
    unit: str
    source: str
    changed: bool


async def listing(connection: AsyncConnection, day: date, page: PageRequest = ALL) -> Page[CurrentFigure]:
    """Return every figure as it holds on a day, in the order of the table of this module."""
    found = []
    for name, value in (await on(connection, day)).items():
        figure = FIGURES[name]
        found.append(CurrentFigure(name, value, figure.unit, figure.source, value != figure.value))
    return cut(found, lambda one: one.name, page)


async def _last_begun(connection: AsyncConnection) -> date:
    """Return today, or the latest trading day the close of which has begun, if its date is later."""
    newest: date | None = await connection.scalar(select(func.max(business_day.c.day)))
    return max(working_days.today(), newest or date.min)


async def propose(connection: AsyncConnection, by: str, name: str, value: int, from_day: date) -> int:
    """Propose a figure from a day on and return the proposal's number. Raises BadValue."""
    if name not in FIGURES:
        raise BadValue("name", name, "one of " + ", ".join(FIGURES))
    if not 0 <= value <= LARGEST:
        raise BadValue("value", shown(name, value)[0], "0 to " + " ".join(shown(name, LARGEST)))
    if from_day <= (last := await _last_begun(connection)):
        raise BadValue("from_day", from_day.isoformat(), f"a day that has not begun: later than {last}")
    row = {"name": name, "value": value, "from_day": from_day, "status": TARIFF.steps["propose"].after}
    try:
        added = await connection.execute(insert(tariff).values(row).returning(tariff.c.tariff_no))
    except IntegrityError as error:
        raise BadValue("from_day", from_day.isoformat(), f"a day for which {name} has no other figure") from error
    figure, unit = shown(name, value)
    summary = {"name": name, "value": figure, "unit": unit, "from_day": from_day.isoformat()}
    return await proposals.propose(connection, by, "tariff", [int(added.scalar_one())], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Let the figures hold from their day on.

    Raises Refused (TOO_LATE) if that day has begun: its fees may be accrued already.
    """
    rows = await advance(connection, tariff, TARIFF, by, "approve", subjects)
    last = await _last_begun(connection)
    for number, row in rows.items():
        if row.from_day <= last:
            text = f"tariff {number} was to hold from {row.from_day.isoformat()} on; it can only be declined"
            raise Refused("TOO_LATE", text)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Drop the figures, which never hold."""
    await advance(connection, tariff, TARIFF, by, "decline", subjects)
