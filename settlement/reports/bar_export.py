"""Bar lists written for people: as a depositor declares lots, as London lists them, or as a vault counts them.

Each of them can be read again, by ``goldx clerk import-bars`` or ``goldx clerk statement``.
"""

import asyncio
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.intake import bar_columns
from settlement.lots import lots, provenance
from settlement.lots.lots import Search
from settlement.reconciliation import warehouse_register
from settlement.workbooks import ounces, writing

DECLARED: Final = (
    "refiner",
    "serial",
    "year",
    "symbol",
    "form",
    "account",
    "warehouse",
    "gross_g",
    "fineness_permille",
    "origin",
    *bar_columns.PAPERS,
)
LBMA: Final = (
    "Serial number",
    "Brand code",
    "Gross weight (troy ounces)",
    "Assay",
    "Fine weight (troy ounces)",
    "Year of Manufacture",
)
COUNT: Final = ("refiner", "serial", "year", "gross_g", "fineness_permille", "status", "seal", "customs", "owner")
LAYOUTS: Final = ("declared", "lbma")


def _figures(row: Row[Any]) -> tuple[int, int]:
    """Return weight in 0.01 g and fineness in e5: as last weighed and certified, else as declared."""
    weight = row.melt_cg or row.gross_cg or row.declared_gross_cg
    return weight, row.fineness_e5 or row.declared_fineness_e5


def _year(row: Row[Any]) -> int | None:
    return row.year or None


def _declared(row: Row[Any], proof: Row[Any] | None) -> tuple[Any, ...]:
    """Return a row as a depositor declares it, with the first of several documents of its origin."""
    weight, fineness = _figures(row)
    where = (row.symbol, row.form, row.account, row.warehouse)
    figures = (writing.scaled(weight, 2), writing.scaled(fineness, 2))
    origin: tuple[Any, ...] = (None,) * (1 + len(bar_columns.PAPERS))
    if proof is not None:
        papers = {"origin_document": next(iter(proof.documents), None), **proof._mapping}
        origin = (proof.origin, *(papers[name] for name in bar_columns.PAPERS))
    return (row.refiner, row.serial, _year(row), *where, *figures, *origin)


def _lbma(row: Row[Any]) -> tuple[Any, ...]:
    """Return a row as London lists it.

    The assay has four figures, rounded down; fine ounces are rounded down, or a small bar's agreed constant, or empty.
    """
    weight, fineness = _figures(row)
    assay = fineness // 10 * 10
    gross = ounces.london_weight(weight)
    fine: int | None = ounces.fine_weights(gross, assay)[0]
    if gross < ounces.LARGE_FROM_MOZ:
        gross = ounces.from_cg(weight)
        fine = ounces.SMALL_BARS.get((weight, assay))
    figures = (writing.scaled(gross, 3), writing.scaled(assay // 10, 1), writing.scaled(fine, 3))
    return (row.serial, row.refiner, *figures, _year(row))


async def export(connection: AsyncConnection, search: Search, layout: str, kind: str) -> bytes:
    """Return the lots of a search as csv or xlsx, in the ``layout`` declared or lbma. Raises BadValue."""
    rows = await lots.listing(connection, search)
    if layout == "lbma":
        return await asyncio.to_thread(writing.write, kind, "Bars", LBMA, map(_lbma, rows))
    proofs = await provenance.of_lots(connection, [row.lot_id for row in rows])
    return await asyncio.to_thread(
        writing.write, kind, "Bars", DECLARED, (_declared(row, proofs.get(row.lot_id)) for row in rows)
    )


async def count_list(connection: AsyncConnection, place: str, kind: str) -> bytes:
    """Return the bars that a warehouse should count, as csv or xlsx. Raises BadValue for an unknown warehouse."""
    rows = [
        (
            line.key.refiner,
            line.key.serial,
            line.key.year or None,
            writing.scaled(line.gross_cg, 2),
            writing.scaled(line.fineness_e5, 2),
            line.status,
            line.seal,
            line.customs,
            line.owner,
        )
        for line in await warehouse_register.expected(connection, place)
    ]
    return await asyncio.to_thread(writing.write, kind, f"Count {place}", COUNT, rows)
