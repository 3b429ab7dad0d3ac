"""Bar lists: read whole, every bad row named, nothing taken in if there is one (columns: docs/settlement.md).

The *declared* columns say what a depositor sends, the *measured* ones what warehouse and laboratory found. Headings may
be those of this page, of an LBMA weight list, or Chinese; weights grams, kilograms or troy ounces.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from goldx.protocol.terms import FORMS
from goldx.protocol.units import FINENESS_ONE, BadValue, parse_identifier
from settlement.base.arithmetic import fine_weight, format_cg, parse_decimal, parse_scale_weight
from settlement.lots.provenance import Record
from settlement.lots.scales import Weight, parse_weight
from settlement.tables.lots import ORIGINS
from settlement.workbooks import ounces, sheets
from settlement.workbooks.headings import HEADINGS
from settlement.workbooks.sheets import BadFile, Cell, Row, RowError

REPLICATES = ("replicate_1", "replicate_2", "replicate_3", "replicate_4")
MAX_PPM = 1_000_000


class BarKey(NamedTuple):
    """What a lot is known by: maker or mark, number, year stamped (0: none)."""

    refiner: str
    serial: str
    year: int

    def __str__(self) -> str:
        return " ".join((self.refiner, self.serial, *([str(self.year)] if self.year else [])))


class Declared(NamedTuple):
    """One lot as its depositor declares it; ``line`` is where it stands in the file."""

    line: int
    key: BarKey
    symbol: str
    form: str
    account: str
    warehouse: str
    gross_cg: int
    fineness_e5: int
    provenance: Record


class Measured(NamedTuple):
    """What was found of one lot."""

    line: int
    key: BarKey
    seal: str
    weighed: Weight
    scale: str
    xrf_e5: tuple[int, ...]
    melted: Weight | None
    sample_seal: str
    sample_cg: int
    laboratory: str
    replicates_ppm: tuple[int, ...]


class Reading(NamedTuple):
    """How a file is to be read: columns ``given`` beside it for all its rows, the sheet of a workbook, and whether its
    numbers have a decimal ``comma`` (None: as the numbers themselves show)."""

    given: Mapping[str, str] = {}
    sheet: str | None = None
    comma: bool | None = None


Found = TypeVar("Found", bound=NamedTuple)
"""What one row of a list becomes."""
Read = Callable[[str, Cell], Any]
Make = Callable[[int, BarKey, Mapping[str, Any]], Found]


def _code(field: str, cell: Cell) -> str:
    return parse_identifier(sheets.plain_text(field, cell), field)


def word(field: str, cell: Cell, longest: int = 64) -> str:
    """Printable text that no spreadsheet would compute. Raises BadValue."""
    text = sheets.plain_text(field, cell)
    if not 1 <= len(text) <= longest or not text.isprintable() or text[0] in "=+-@":
        raise BadValue(field, text, f"printable text of 1 to {longest} characters that does not begin with = + - or @")
    return text


def mark(field: str, cell: Cell) -> str:
    """A maker's or number's mark. Raises BadValue."""
    return word(field, cell, 32)


def _year(field: str, cell: Cell) -> int:
    text = sheets.decimal_text(field, cell, 0)
    return parse_decimal(field, text, 0, 1800, 2999, "a year") if text else 0


def one_of(words: tuple[str, ...]) -> Read:
    """A reader of one of these words."""

    def read(field: str, cell: Cell) -> str:
        if cell.text not in words:
            raise BadValue(field, cell.text, "one of " + ", ".join(words))
        return cell.text

    return read


def grams(field: str, cell: Cell) -> int:
    """Grams as read from a balance -> 0.01 g. Raises BadValue."""
    return parse_scale_weight(field, sheets.decimal_text(field, cell, 2))


def _kilograms(field: str, cell: Cell) -> int:
    text = sheets.decimal_text(field, cell, 5)
    return parse_decimal(field, text, 5, 1, ounces.MAX_CG, "kilograms")


def troy_ounces(field: str, cell: Cell) -> int:
    """Troy ounces -> thousandths; from 100 oz on multiples of 0.025 (domain sheet 4.1). Raises BadValue."""
    text = sheets.decimal_text(field, cell, 3)
    moz = parse_decimal(field, text, 3, 1, ounces.MAX_MOZ, "troy ounces")
    if moz >= ounces.LARGE_FROM_MOZ and moz % ounces.STEP_MOZ:
        raise BadValue(field, text, "a multiple of 0.025 oz, as large bars are weighed")
    return moz


def fine_ounces(field: str, cell: Cell) -> int | None:
    """Fine troy ounces -> thousandths, None for an empty cell. Raises BadValue."""
    text = sheets.decimal_text(field, cell, 3)
    return parse_decimal(field, text, 3, 1, ounces.MAX_MOZ, "fine troy ounces") if text else None


def fine_grams(field: str, cell: Cell) -> int | None:
    """Fine grams -> mg, None for an empty cell. Raises BadValue."""
    text = sheets.decimal_text(field, cell, 3)
    return parse_decimal(field, text, 3, 1, 10 * ounces.MAX_CG, "fine grams") if text else None


def fineness(field: str, cell: Cell) -> int:
    """Per mille -> e5. Raises BadValue."""
    return parse_decimal(field, sheets.decimal_text(field, cell, 2), 2, 1, FINENESS_ONE, "per mille")


def _percent(field: str, cell: Cell) -> int:
    return parse_decimal(field, sheets.decimal_text(field, cell, 3), 3, 1, FINENESS_ONE, "per cent")


def _screening(field: str, cell: Cell) -> tuple[int, ...]:
    points = sheets.decimal_text(field, cell, 0) if cell.kind == sheets.NUMBER else sheets.plain_text(field, cell)
    return tuple(100 * parse_decimal(field, point, 0, 1, 1_000, "whole per mille") for point in points.split("/"))


def _weight(field: str, cell: Cell) -> Weight:
    """As read from a balance; a number cell of a workbook does not keep trailing zeros."""
    weight = parse_weight(field, sheets.decimal_text(field, cell, 2))
    return weight._replace(places=None) if cell.kind == sheets.NUMBER else weight


def _melt(field: str, cell: Cell) -> Weight | None:
    return _weight(field, cell) if cell.text else None


def _paper(field: str, cell: Cell) -> str | None:
    return word(field, cell) if cell.text else None


def _replicate(field: str, cell: Cell) -> int | None:
    text = sheets.decimal_text(field, cell, 3)
    return parse_decimal(field, text, 3, 1, MAX_PPM, "per mille") if text else None


PAPERS: Final = ("origin_document", "country", "seller_check", "licence", "tax_proof")
"""What proves the origin; what is missing may come later, but before the lot is registered."""
KEY: Final[Mapping[str, Read]] = {"refiner": mark, "serial": mark, "year": _year}
GROSS: Final[Mapping[str, Read]] = {"gross_g": grams, "gross_kg": _kilograms, "gross_oz": troy_ounces}
FINENESS: Final[Mapping[str, Read]] = {"fineness_permille": fineness, "fineness_percent": _percent}
_DECLARED: Final[Mapping[str, Read]] = {
    **{"symbol": _code, "form": one_of(FORMS), "account": _code, "warehouse": _code},
    **{**GROSS, **FINENESS, "fine_g": fine_grams, "fine_oz": fine_ounces},
    **{"origin": one_of(ORIGINS), **dict.fromkeys(PAPERS, _paper)},
}
_MEASURED: Final[Mapping[str, Read]] = {
    **{"seal": mark, "weighed_g": _weight, "scale": mark, "xrf_permille": _screening, "melt_g": _melt},
    **{"sample_seal": mark, "sample_g": grams},
    **{"laboratory": mark, **dict.fromkeys(REPLICATES, _replicate)},
}
ALTERNATIVES: Final = (tuple(GROSS), tuple(FINENESS))
"""Columns of which a list has exactly one."""
OPTIONAL: Final = frozenset(
    ("year", "fine_g", "fine_oz", "melt_g", *PAPERS, *REPLICATES[2:], "status", "seal", "customs")
)
COLUMNS: Final = (*KEY, *_DECLARED, *_MEASURED)
GIVEN: Final = ("symbol", "form", "account", "warehouse", "origin", *PAPERS)
"""What may be given beside a file that has no such column."""
_NUMBERS: Final = frozenset(
    (*GROSS, *FINENESS, "fine_g", "fine_oz", "weighed_g", "xrf_permille", "melt_g", "sample_g", *REPLICATES)
)


def read_declared(data: bytes, reading: Reading = Reading()) -> list[Declared]:  # noqa: B008
    """The declared columns of a bar list. Raises BadFile with every bad row."""
    return declared_rows(sheets.read(data, reading.sheet), reading)


def declared_rows(table: sheets.Table, reading: Reading) -> list[Declared]:
    """The same, of a file that is read already."""

    def make(line: int, key: BarKey, values: Mapping[str, Any]) -> Declared:
        gross_cg, fineness_e5 = weight_and_fineness(values)
        place = (values["symbol"], values["form"], values["account"], values["warehouse"])
        document = values.get("origin_document")
        origin = Record(
            values["origin"],
            values.get("country"),
            values.get("licence"),
            values.get("tax_proof"),
            values.get("seller_check"),
            (document,) if document else (),
        )
        return Declared(line, key, *place, gross_cg, fineness_e5, origin)

    return rows_of(table, _DECLARED, COLUMNS, make, reading)


def read_measured(data: bytes, reading: Reading = Reading()) -> list[Measured]:  # noqa: B008
    """The measured columns of a bar list. Raises BadFile with every bad row."""
    return measured_rows(sheets.read(data, reading.sheet), reading)


def measured_rows(table: sheets.Table, reading: Reading) -> list[Measured]:
    """The same, of a file that is read already."""

    def make(line: int, key: BarKey, values: Mapping[str, Any]) -> Measured:
        results = tuple(values[column] for column in REPLICATES if values.get(column) is not None)
        if len(results) < 2:
            raise BadValue("replicate_2", "", "given: a fire assay has at least two replicates")
        melt = values.get("melt_g")
        if melt is not None and melt.cg > values["weighed_g"].cg:
            raise BadValue("melt_g", format_cg(melt.cg), "at most the weight before melting")
        weighed = (values["seal"], values["weighed_g"], values["scale"])
        sample = (values["sample_seal"], values["sample_g"])
        return Measured(line, key, *weighed, values["xrf_permille"], melt, *sample, values["laboratory"], results)

    return rows_of(table, _MEASURED, COLUMNS, make, reading)


def weight_and_fineness(values: Mapping[str, Any]) -> tuple[int, int]:
    """Gross weight in 0.01 g and fineness in e5 of a row, whichever columns it has; its fine weight must follow from
    them (domain sheet 4.1, 4.3). Raises BadValue."""
    moz: int | None = values.get("gross_oz")
    gross_cg: int = values.get("gross_g") or values.get("gross_kg") or ounces.to_cg(moz or 0)
    fineness_e5: int = values.get("fineness_permille") or values["fineness_percent"]
    if (stated := values.get("fine_oz")) is not None:
        ounces.check_fine("fine_oz", stated, moz, gross_cg, fineness_e5)
    if (stated := values.get("fine_g")) is not None:
        fine = fine_weight(gross_cg, fineness_e5)
        if stated not in (fine.mg, fine.mg + (fine.residue_1e7 >= 5_000)):
            raise BadValue("fine_g", f"{stated / 1_000:.3f}", f"{fine.mg / 1_000:.3f}, gross weight x fineness")
    return gross_cg, fineness_e5


def rows_of(
    table: sheets.Table,
    columns: Mapping[str, Read],
    known: tuple[str, ...],
    make: Make[Found],
    reading: Reading,
    *,
    unique: bool = True,
) -> list[Found]:
    """Reads a list of bars: ``known`` are the headings it may have, ``columns`` those that matter now beside the key.
    ``unique``: a bar that stands there twice is an error.

    Raises BadFile: for the whole file where its shape is wrong, else with every bad row.
    """
    wanted = {**KEY, **columns}
    numbered = list(sheets.find_heading(table, (name for name, column in HEADINGS.items() if column in known)))
    heading = _heading(numbered[0] if numbered else Row(1, ()), wanted, known, reading.given)
    if len(numbered) < 2:
        raise BadFile([RowError(1, "file", "no rows")])
    body = [(row.line, _cells(row, heading)) for row in numbered[1:]]
    comma = _comma(body, reading)
    errors: list[RowError] = []
    found: list[Found] = []
    lines: dict[BarKey, int] = {}
    for line, row in body:
        values: dict[str, Any] = {}
        cells = {**row, **{name: Cell(text) for name, text in reading.given.items()}}
        present = [(column, read) for column, read in wanted.items() if column in cells]
        for column, read in present:
            cell = cells[column]
            if comma and column in _NUMBERS:
                cell = cell._replace(text=cell.text.replace(",", "."))
            try:
                values[column] = read(column, cell)
            except BadValue as error:
                errors.append(RowError(line, column, str(error)))
        if len(values) < len(present):
            continue
        key = BarKey(values["refiner"], values["serial"], values.get("year", 0))
        if unique and key in lines:
            errors.append(RowError(line, "serial", f"{key} stands in line {lines[key]} already"))
            continue
        lines[key] = line
        try:
            found.append(make(line, key, values))
        except BadValue as error:
            errors.append(RowError(line, error.field, str(error)))
    if errors:
        raise BadFile(sorted(errors))
    return found


def _heading(
    row: Row, wanted: Mapping[str, Read], known: tuple[str, ...], given: Mapping[str, str]
) -> list[str | None]:
    """The column of each cell, None beyond the last heading. Raises BadFile."""
    columns: list[str | None] = []
    errors: list[RowError] = []
    for cell in row.cells:
        column = HEADINGS.get(sheets.normal_heading(cell.text)) if cell.text else None
        if cell.text and column not in known:
            errors.append(RowError(row.line, cell.text, "is not a column of such a list"))
        elif column is not None and column in columns:
            errors.append(RowError(row.line, column, "stands there twice"))
        elif column is not None and column in given:
            errors.append(RowError(row.line, column, "is a column of the file and is given beside it"))
        columns.append(column)
    present = {*columns, *given}
    single = [name for name in wanted if not any(name in several for several in ALTERNATIVES)]
    missing = [name for name in single if name not in present and name not in OPTIONAL]
    errors += [RowError(row.line, name, "is missing") for name in missing]
    errors += [
        RowError(row.line, several[0], "or another of its units must stand there, once")
        for several in ALTERNATIVES
        if several[0] in wanted and sum(name in present for name in several) != 1
    ]
    if errors:
        raise BadFile(errors)
    return columns


def _cells(row: Row, heading: list[str | None]) -> dict[str, Cell]:
    if len(row.cells) != len(heading):
        problem = f"{len(row.cells)} cells where the heading has {len(heading)}"
        raise BadFile([RowError(row.line, "row", problem)])
    for name, cell in zip(heading, row.cells, strict=True):
        if name is None and cell.text:
            raise BadFile([RowError(row.line, "row", f"{cell.text!r} stands under no heading")])
    return {name: cell for name, cell in zip(heading, row.cells, strict=True) if name is not None}


def _comma(body: list[tuple[int, dict[str, Cell]]], reading: Reading) -> bool:
    if reading.comma is not None:
        return reading.comma
    texts = [
        cell.text for _, row in body for name, cell in row.items() if name in _NUMBERS and cell.kind == sheets.TEXT
    ]
    try:
        return sheets.decimal_comma(texts)
    except BadValue as error:
        raise BadFile([RowError(body[0][0], "numbers", str(error))]) from error
