"""Pre-advice: the lots of a bar list that are to come, each checked against the register first."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Row, Text, and_, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.arithmetic import format_cg, format_fineness
from settlement.base.sub_accounts import CUSTODY_MEMBER
from settlement.documents.lots import GONE
from settlement.intake.bar_list import Declared
from settlement.intake.bar_rows import BarKey
from settlement.lots import acceptance, customs, lots, provenance, warehouses
from settlement.lots.acceptance import Terms, declared_problems
from settlement.tables.ledger import trading_account
from settlement.tables.lots import lot, lot_lock
from settlement.workbooks.cells import BadFile, RowError

_COLUMN = {"form": "form", "warehouse": "warehouse", "fineness": "fineness_permille", "weight": "gross_g"}


async def pre_advise(connection: AsyncConnection, by: str, rows: Sequence[Declared]) -> list[int]:
    """Register the lots of a bar list that are to come, and return their numbers.

    Raises BadFile, with every row that names an unknown account, class or warehouse, is not of a form, fineness,
    size or place that its class takes, has a provenance that is not well formed, or is in the register already.
    """
    await audit.lock(connection)
    if errors := await problems(connection, rows):
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
            "state": "PRE_ADVISED",
            "declared_gross_cg": row.gross_cg,
            "declared_fineness_e5": row.fineness_e5,
        }
        for row in rows
    ]
    added = await connection.execute(insert(lot).returning(lot.c.lot_id, sort_by_parameter_order=True), values)
    numbers = [int(row.lot_id) for row in added]
    places = dict(zip(numbers, (row.warehouse for row in rows), strict=True))
    details = {
        number: {"declared_gross_g": format_cg(row.gross_cg), "declared_permille": format_fineness(row.fineness_e5)}
        for number, row in zip(numbers, rows, strict=True)
    }
    await lots.record_creation(connection, by, "pre_advise", places, details)
    records = {number: row.provenance for number, row in zip(numbers, rows, strict=True)}
    await provenance.write(connection, by, records)
    return numbers


class _Register(NamedTuple):
    """The part of the register against which declared lots are checked; ``customs`` by warehouse and by class."""

    classes: Mapping[str, Terms]
    accounts: frozenset[str]
    customs_of_warehouses: Mapping[str, str]
    customs_of_classes: Mapping[str, str]
    present: Mapping[BarKey, Row[Any]]
    disputed: Mapping[BarKey, int]

    @classmethod
    async def read(cls, connection: AsyncConnection, keys: Sequence[BarKey]) -> "_Register":
        classes = await acceptance.terms(connection)
        members = select(trading_account.c.account).where(trading_account.c.member != CUSTODY_MEMBER)
        return cls(
            classes,
            frozenset((await connection.execute(members)).scalars()),
            await warehouses.all_customs(connection),
            await customs.of_classes(connection, classes),
            await find_by_key(connection, keys),
            await find_disputed(connection, keys),
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
            problems.append(("account", f"{row.account!r} is not an account that the exchange opened"))
        there = self.customs_of_warehouses.get(row.warehouse)
        if there is None:
            problems.append(("warehouse", f"{row.warehouse!r} is not a warehouse"))
        elif terms is not None and there != (takes := self.customs_of_classes[row.symbol]):
            problems.append(("warehouse", f"{row.warehouse} is {there}; {row.symbol} takes {takes} metal"))
        if row.key in self.disputed:
            problems.append(("serial", f"{row.key} is under a quality claim: lot {self.disputed[row.key]}"))
        if row.key in self.present:
            problems.append(("serial", f"{row.key} is lot {self.present[row.key].lot_id} of the register"))
        try:
            provenance.check(row.provenance)
        except BadValue as error:
            problems.append((error.field, str(error)))
        return [RowError(row.line, column, text) for column, text in problems]


async def problems(connection: AsyncConnection, rows: Sequence[Declared]) -> list[RowError]:
    """Return the register's objections to rows: unknown names, lots that no class takes or that are here already."""
    register = await _Register.read(connection, [row.key for row in rows])
    return [problem for row in rows for problem in register.problems(row)]


async def find_by_key(connection: AsyncConnection, keys: Sequence[BarKey]) -> dict[BarKey, Row[Any]]:
    """Return those of these bars that are here now, or to come, with their lots."""
    several = func.unnest(
        literal([key.refiner for key in keys], ARRAY(Text)),
        literal([key.serial for key in keys], ARRAY(Text)),
        literal([key.year for key in keys], ARRAY(BigInteger)),
    )
    wanted = several.table_valued("refiner", "serial", "year").render_derived(name="wanted")
    same = and_(*(getattr(lot.c, name) == getattr(wanted.c, name) for name in BarKey._fields))
    query = select(lot).join(wanted, same).where(lot.c.state.not_in(GONE))
    return {BarKey(row.refiner, row.serial, row.year): row for row in await connection.execute(query)}


async def find_disputed(connection: AsyncConnection, keys: Sequence[BarKey]) -> dict[BarKey, int]:
    """Return those of these bars that have left and are under a quality claim, with the number of the lot."""
    columns = (lot.c.lot_id, lot.c.refiner, lot.c.serial, lot.c.year)
    claimed = select(*columns).join(lot_lock, lot_lock.c.lot_id == lot.c.lot_id)
    claimed = claimed.where(lot_lock.c.kind == "CLAIM", lot_lock.c.lifted_at.is_(None))
    found = {BarKey(r.refiner, r.serial, r.year): int(r.lot_id) for r in await connection.execute(claimed)}
    return {key: found[key] for key in keys if key in found}
