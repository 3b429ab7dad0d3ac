"""Pre-advice: the expected lots of a bar list, each checked against the register first."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Row, Text, and_, exists, func, insert, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.arithmetic import format_cg, format_fineness
from settlement.base.sub_accounts import is_trading_account
from settlement.base.texts import mark
from settlement.documents.lots import GONE, LOT
from settlement.intake.bar_columns import YEARS
from settlement.intake.bar_list import Declared
from settlement.intake.bar_rows import BarKey
from settlement.lots import acceptance, customs, lots, provenance, warehouses
from settlement.lots.acceptance import AcceptanceTerms, declared_problems
from settlement.tables.ledger import trading_account
from settlement.tables.lots import lot, lot_lock
from settlement.workbooks.cells import BadFile, RowError

_SAY_SO: Final = "correct the year, or say that it is another bar (--other-years, `other_years`)"
HERE: Final = lot.c.state.not_in(GONE)
"""The lot is here or expected."""
DISPUTED: Final = exists().where(
    lot_lock.c.lot_id == lot.c.lot_id, lot_lock.c.kind == "CLAIM", lot_lock.c.lifted_at.is_(None)
)
"""The lot has left and is under a quality claim."""
_COLUMN = {"form": "form", "warehouse": "warehouse", "fineness": "fineness_permille", "weight": "gross_g"}


async def pre_advise(
    connection: AsyncConnection, by: str, rows: Sequence[Declared], *, other_years: bool = False
) -> list[int]:
    """Register the expected lots of a bar list, and return their numbers.

    ``other_years``: a bar whose mark and number are known with another year, or without one, is another bar. Raises
    BadFile with every row that names an unknown account, class or warehouse, does not have a form, fineness, size or
    place that its class takes, has a malformed provenance, or is in the register already.
    """
    if not rows:
        raise BadValue("rows", [], "at least one lot")
    await audit.lock(connection)
    if errors := await problems(connection, rows, other_years=other_years):
        raise BadFile(sorted(errors))
    values = [
        {
            "refiner": row.key.refiner,
            "serial": row.key.serial,
            "year": row.key.year,
            "symbol": row.symbol,
            "form": row.form,
            "account": row.account,
            "warehouse": row.warehouse,
            "state": LOT.steps["pre_advise"].after,
            "declared_gross_cg": row.gross_cg,
            "declared_fineness_e5": row.fineness_e5,
        }
        for row in rows
    ]
    added = await connection.execute(insert(lot).returning(lot.c.lot_id, sort_by_parameter_order=True), values)
    numbers = [int(row.lot_id) for row in added]
    places = dict(zip(numbers, (row.warehouse for row in rows), strict=True))
    details: dict[int, dict[str, Any]] = {
        number: {
            "declared_gross_g": format_cg(row.gross_cg),
            "declared_permille": format_fineness(row.fineness_e5),
            **row.key._asdict(),
            "symbol": row.symbol,
            "form": row.form,
            "account": row.account,
        }
        for number, row in zip(numbers, rows, strict=True)
    }
    if other_years:
        details = {number: {**detail, "other_years": True} for number, detail in details.items()}
    await lots.record_creation(connection, by, "pre_advise", places, details)
    records = {number: row.provenance for number, row in zip(numbers, rows, strict=True)}
    await provenance.write(connection, by, records)
    return numbers


class _Register(NamedTuple):
    """The part of the register against which declared lots are checked; ``customs`` by warehouse and by class."""

    classes: Mapping[str, AcceptanceTerms]
    accounts: frozenset[str]
    customs_of_warehouses: Mapping[str, str]
    customs_of_classes: Mapping[str, str]
    present: Mapping[BarKey, Row[Any]]
    disputed: Mapping[BarKey, int]
    other_years: Mapping[BarKey, BarKey]

    @classmethod
    async def read(cls, connection: AsyncConnection, keys: Sequence[BarKey], other_years: bool) -> "_Register":
        classes = await acceptance.terms(connection)
        members = select(trading_account.c.account).where(is_trading_account())
        return cls(
            classes,
            frozenset((await connection.execute(members)).scalars()),
            await warehouses.all_customs(connection),
            await customs.of_classes(connection, classes),
            await find_by_key(connection, keys),
            await find_disputed(connection, keys),
            {} if other_years else await find_other_years(connection, keys),
        )

    def problems(self, row: Declared) -> list[RowError]:
        terms = self.classes.get(row.symbol)
        problems: list[tuple[str, str]] = []
        if terms is None:
            problems.append(("symbol", f"{row.symbol!r} is not a class that the exchange has defined"))
        else:
            against = declared_problems(terms, row.form, row.warehouse, row.gross_cg, row.fineness_e5)
            problems += [(_COLUMN[about], text) for about, text in against.items()]
        if row.account not in self.accounts:
            problems.append(("account", f"{row.account!r} is not a trading account that the exchange opened"))
        there = self.customs_of_warehouses.get(row.warehouse)
        if there is None:
            problems.append(("warehouse", f"{row.warehouse!r} is not a warehouse"))
        elif terms is not None and there != (takes := self.customs_of_classes[row.symbol]):
            problems.append(("warehouse", f"{row.warehouse} is {there}; {row.symbol} takes {takes} metal"))
        problems += _problems_of_key(row.key)
        key = row.key.compared
        if key in self.disputed:
            problems.append(("serial", f"{row.key} is under a quality claim: lot {self.disputed[key]}"))
        if key in self.present:
            problems.append(("serial", f"{row.key} is lot {self.present[key].lot_id} of the register"))
        elif key in self.other_years:
            problems.append(("year", f"{row.key} may be {self.other_years[key]}: {_SAY_SO}"))
        try:
            provenance.check(row.provenance)
        except BadValue as error:
            problems.append((error.field, str(error)))
        return [RowError(row.line, column, text) for column, text in problems]


def _problems_of_key(key: BarKey) -> list[tuple[str, str]]:
    """Return what is wrong with a mark, a number or a year."""
    problems = []
    for field, text in (("refiner", key.refiner), ("serial", key.serial)):
        try:
            mark(field, text)
        except BadValue as error:
            problems.append((field, str(error)))
    if key.year and not YEARS[0] <= key.year <= YEARS[1]:
        problems.append(("year", str(BadValue("year", key.year, f"a year from {YEARS[0]} to {YEARS[1]}, or none"))))
    return problems


async def problems(
    connection: AsyncConnection, rows: Sequence[Declared], *, other_years: bool = False
) -> list[RowError]:
    """Return the register's objections to rows: unknown names, lots that no class takes or that are here already."""
    register = await _Register.read(connection, [row.key for row in rows], other_years)
    return [problem for row in rows for problem in register.problems(row)]


async def find_by_key(connection: AsyncConnection, keys: Sequence[BarKey]) -> dict[BarKey, Row[Any]]:
    """Return the lots of these bars that are here or expected, by ``BarKey.compared``."""
    compared = [key.compared for key in keys]
    return {key: row for key, row in await _find_by_number(connection, compared) if key in set(compared)}


async def find_other_years(connection: AsyncConnection, keys: Sequence[BarKey]) -> dict[BarKey, BarKey]:
    """Return, by ``BarKey.compared``, the bars whose mark and number another bar has, with that other bar.

    The other differs only by its year, or has none. It is here, expected or disputed, or among ``keys`` too.
    """
    by_number: defaultdict[tuple[str, str], dict[BarKey, BarKey]] = defaultdict(dict)
    for key in keys:
        by_number[key.compared[:2]][key.compared] = key
    for found, row in await _find_by_number(connection, [key.compared for key in keys], or_(HERE, DISPUTED)):
        by_number[found[:2]][found] = BarKey(row.refiner, row.serial, row.year)
    others = {}
    for several in by_number.values():
        for key in several:
            if other := next((typed for found, typed in several.items() if found != key), None):
                others[key] = other
    return others


async def _find_by_number(
    connection: AsyncConnection, compared: Sequence[BarKey], state: ColumnElement[bool] = HERE
) -> list[tuple[BarKey, Row[Any]]]:
    """Return the lots with mark and number of a bar in any year; by default only lots here or expected."""
    several = func.unnest(
        literal([key.refiner for key in compared], ARRAY(Text)), literal([key.serial for key in compared], ARRAY(Text))
    )
    wanted = several.table_valued("refiner", "serial").render_derived(name="wanted")
    same = and_(func.folded(lot.c.refiner) == wanted.c.refiner, func.folded(lot.c.serial) == wanted.c.serial)
    query = select(lot).join(wanted, same).where(state).distinct()
    rows = await connection.execute(query)
    return [(BarKey(row.refiner, row.serial, row.year).compared, row) for row in rows]


async def find_disputed(connection: AsyncConnection, keys: Sequence[BarKey]) -> dict[BarKey, int]:
    """Return the lots of these bars that have left and are under a claim, by ``BarKey.compared``."""
    compared = [key.compared for key in keys]
    rows = await _find_by_number(connection, compared, DISPUTED)
    return {key: int(row.lot_id) for key, row in rows if key in set(compared)}
