"""The columns of lists of bars, and how a cell of each is read.

A reader takes the column's name and a cell and returns the value inside: weights in 0.01 g, troy ounces in thousandths,
fineness in parts per 100,000, replicates in parts per million. It raises BadValue, which names the column.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from goldx.protocol.terms import FORMS
from goldx.protocol.units import FINENESS_ONE, BadValue, format_decimal, parse_identifier
from settlement.base import texts
from settlement.base.arithmetic import fine_weight, parse_padded_decimal, parse_scale_weight
from settlement.lots.scales import Weight, parse_shown_weight
from settlement.tables.lots import ORIGINS
from settlement.workbooks import ounces
from settlement.workbooks.cells import NUMBER, Cell, decimal_text, plain_text

CellReader: TypeAlias = Callable[[str, Cell], Any]

REPLICATES: Final = ("replicate_1", "replicate_2", "replicate_3", "replicate_4")
MAX_PPM: Final = 1_000_000
YEARS: Final = (1800, 2999)
"""The first and the last year that can be stamped on a bar."""


def _code(field: str, cell: Cell) -> str:
    return parse_identifier(plain_text(field, cell), field)


def _text(field: str, cell: Cell, longest: int = 64) -> str:
    text = plain_text(field, cell)
    if not 1 <= len(text) <= longest or not text.isprintable() or text[0] in "=+-@":
        raise BadValue(field, text, f"printable text of 1 to {longest} characters that does not begin with = + - or @")
    return text


def _optional_text(field: str, cell: Cell) -> str | None:
    return _text(field, cell) if cell.text else None


def mark(field: str, cell: Cell) -> str:
    """Read the mark of a maker, a number on a bar or a seal."""
    return texts.mark(field, plain_text(field, cell))


def one_of(words: tuple[str, ...]) -> CellReader:
    """Return a reader of one of these words."""

    def read(field: str, cell: Cell) -> str:
        if cell.text not in words:
            raise BadValue(field, cell.text, "one of " + ", ".join(words))
        return cell.text

    return read


def _year(field: str, cell: Cell) -> int:
    text = decimal_text(field, cell, 0)
    return parse_padded_decimal(field, text, 0, *YEARS, "a year") if text else 0


def _grams(field: str, cell: Cell) -> int:
    return parse_scale_weight(field, decimal_text(field, cell, 2))


def _kilograms(field: str, cell: Cell) -> int:
    return parse_padded_decimal(field, decimal_text(field, cell, 5), 5, 1, ounces.MAX_CG, "kilograms")


def _troy_ounces(field: str, cell: Cell) -> int:
    """Read troy ounces in thousandths; from 100 oz on they are a multiple of 0.025 oz (domain sheet 4.1)."""
    text = decimal_text(field, cell, 3)
    moz = parse_padded_decimal(field, text, 3, 1, ounces.MAX_MOZ, "troy ounces")
    if moz >= ounces.LARGE_FROM_MOZ and moz % ounces.STEP_MOZ:
        raise BadValue(field, text, "a multiple of 0.025 oz, as large bars are weighed")
    return moz


def _fine_ounces(field: str, cell: Cell) -> int | None:
    """Read fine troy ounces in thousandths; None for an empty cell."""
    text = decimal_text(field, cell, 3)
    return parse_padded_decimal(field, text, 3, 1, ounces.MAX_MOZ, "fine troy ounces") if text else None


def _fine_grams(field: str, cell: Cell) -> int | None:
    """Read fine grams in mg; None for an empty cell."""
    text = decimal_text(field, cell, 3)
    return parse_padded_decimal(field, text, 3, 1, 10 * ounces.MAX_CG, "fine grams") if text else None


def _permille(field: str, cell: Cell) -> int:
    return parse_padded_decimal(field, decimal_text(field, cell, 2), 2, 1, FINENESS_ONE, "per mille")


def _percent(field: str, cell: Cell) -> int:
    return parse_padded_decimal(field, decimal_text(field, cell, 3), 3, 1, FINENESS_ONE, "per cent")


def _screening(field: str, cell: Cell) -> tuple[int, ...]:
    points = decimal_text(field, cell, 0) if cell.kind == NUMBER else plain_text(field, cell)
    return tuple(
        100 * parse_padded_decimal(field, point, 0, 1, 1_000, "whole per mille") for point in points.split("/")
    )


def _weight(field: str, cell: Cell) -> Weight:
    """Read a balance's weight; a number cell of a workbook keeps no trailing zeros, so its places are unknown."""
    weight = parse_shown_weight(field, decimal_text(field, cell, 2))
    return weight._replace(places=None) if cell.kind == NUMBER else weight


def _optional_weight(field: str, cell: Cell) -> Weight | None:
    return _weight(field, cell) if cell.text else None


def _replicate(field: str, cell: Cell) -> int | None:
    text = decimal_text(field, cell, 3)
    return parse_padded_decimal(field, text, 3, 1, MAX_PPM, "per mille") if text else None


KEY: Final[Mapping[str, CellReader]] = {"refiner": mark, "serial": mark, "year": _year}
GROSS: Final[Mapping[str, CellReader]] = {"gross_g": _grams, "gross_kg": _kilograms, "gross_oz": _troy_ounces}
FINENESS: Final[Mapping[str, CellReader]] = {"fineness_permille": _permille, "fineness_percent": _percent}
WEIGHT: Final[Mapping[str, CellReader]] = {**GROSS, **FINENESS, "fine_g": _fine_grams, "fine_oz": _fine_ounces}
PAPERS: Final = ("origin_document", "country", "seller_check", "licence", "tax_proof")
"""Proofs of the origin; a missing one may come later, but before the lot is registered."""
DECLARED: Final[Mapping[str, CellReader]] = {
    "symbol": _code,
    "form": one_of(FORMS),
    "account": _code,
    "warehouse": _code,
    **WEIGHT,
    "origin": one_of(ORIGINS),
    **dict.fromkeys(PAPERS, _optional_text),
}
"""Columns that a depositor fills in, beside KEY."""
MEASURED: Final[Mapping[str, CellReader]] = {
    "seal": mark,
    "weighed_g": _weight,
    "scale": mark,
    "xrf_permille": _screening,
    "melt_g": _optional_weight,
    "sample_seal": mark,
    "sample_g": _grams,
    "laboratory": mark,
    **dict.fromkeys(REPLICATES, _replicate),
}
"""Columns that warehouse and laboratory fill in, beside KEY."""
ALL: Final = (*KEY, *DECLARED, *MEASURED)
GIVEN: Final = ("symbol", "form", "account", "warehouse", "origin", *PAPERS)
"""Columns whose value may be given for the whole file, where the file has no such column."""
ALTERNATIVES: Final = (tuple(GROSS), tuple(FINENESS))
"""Columns of which a list has exactly one."""
OPTIONAL: Final = frozenset(
    ("year", "fine_g", "fine_oz", "melt_g", *PAPERS, *REPLICATES[2:], "status", "seal", "customs", "owner", "day")
)
NUMBERS: Final = frozenset((*WEIGHT, "weighed_g", "xrf_permille", "melt_g", "sample_g", *REPLICATES))
"""Columns of decimal numbers, which may be written with a decimal comma."""


def weight_and_fineness(values: Mapping[str, Any]) -> tuple[int, int]:
    """Return gross weight in 0.01 g and fineness in e5 of a row, whichever of the columns it has.

    Raises BadValue where a fine weight is stated that does not follow from them (domain sheet 4.1, 4.3).
    """
    moz: int | None = values.get("gross_oz")
    gross_cg: int = values.get("gross_g") or values.get("gross_kg") or ounces.to_cg(moz or 0)
    fineness_e5: int = values.get("fineness_permille") or values["fineness_percent"]
    if (stated := values.get("fine_oz")) is not None:
        ounces.check_fine("fine_oz", stated, moz, gross_cg, fineness_e5)
    if (stated := values.get("fine_g")) is not None:
        fine = fine_weight(gross_cg, fineness_e5)
        if stated not in (fine.mg, fine.mg + (fine.residue_1e7 >= 5_000)):
            right = f"{format_decimal(fine.mg, 3)}, gross weight x fineness"
            raise BadValue("fine_g", format_decimal(stated, 3), right)
    return gross_cg, fineness_e5
