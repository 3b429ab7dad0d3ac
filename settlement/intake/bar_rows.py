"""Lists of bars, read row by row under their headings, with every bad row named (columns: docs/settlement.md).

Headings may be those of this project, of an LBMA weight list, or Chinese (``settlement.workbooks.headings``). Numbers
may have a decimal comma throughout.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from goldx.protocol.units import BadValue
from settlement.base.spelling import fold
from settlement.intake.bar_columns import ALTERNATIVES, KEY, NUMBERS, OPTIONAL, CellReader
from settlement.workbooks.as_read import AsRead, as_read
from settlement.workbooks.cells import (
    COMMA,
    NO_VALUE,
    POINT,
    TEXT,
    BadFile,
    Cell,
    Row,
    RowError,
    SheetTable,
    decimal_mark,
    find_heading,
    normal_heading,
    number_text,
)
from settlement.workbooks.formats import Stated
from settlement.workbooks.headings import HEADINGS


class BarKey(NamedTuple):
    """The key of a bar outside the exchange: maker or mark, number, year stamped on it (0: none).

    The values are as typed; bars are compared by ``compared``.
    """

    refiner: str
    serial: str
    year: int

    @property
    def compared(self) -> "BarKey":
        """Return the key in the form in which bars are compared (``settlement.base.spelling``)."""
        return BarKey(fold(self.refiner), fold(self.serial), self.year)

    def __str__(self) -> str:
        return " ".join((self.refiner, self.serial, *([str(self.year)] if self.year else [])))


class Reading(NamedTuple):
    """Options of reading a file.

    ``given`` are columns beside it for all its rows, ``stated`` is what is known of it (sheet, encoding, separator),
    ``comma`` whether its numbers have a decimal comma (None: as the numbers themselves show). ``other_years``: bars
    whose mark and number are known with another year, or without one, are other bars.
    """

    given: Mapping[str, str] = {}
    stated: Stated = Stated()
    comma: bool | None = None
    other_years: bool = False


Found = TypeVar("Found", bound=NamedTuple)
"""Type of the record that one row becomes."""
Make: TypeAlias = Callable[[int, BarKey, Mapping[str, Any]], Found]
"""Makes the record from line, key and values by column; raises BadValue."""


class _BarRow(NamedTuple):
    """A row by its columns; ``is_whole``: its cells are those of the heading, and each can be read."""

    line: int
    cells: Mapping[str, Cell]
    is_whole: bool


class Layout(NamedTuple):
    """A list laid out under its headings.

    ``rows`` are those of the table from the heading on, ``columns`` the column of each cell, ``mark`` is the decimal
    mark of all numbers that are text (None: it cannot be known), ``errors`` are what is wrong up to here.
    """

    table: SheetTable
    rows: Sequence[Row]
    columns: Sequence[str | None]
    body: Sequence[_BarRow]
    mark: str | None
    marked_by: str
    errors: Sequence[RowError]

    def as_read(self) -> AsRead:
        """Return the list as it was read."""

        def shown(column: str, cell: Cell) -> str:
            try:
                return self.number(column, cell).text
            except BadValue:
                return cell.text

        how = [] if not self.marked_by else [f"decimal {'comma' if self.mark == COMMA else 'point'}: {self.marked_by}"]
        return as_read(self.table, self.rows, self.columns, how, shown)

    def number(self, column: str, cell: Cell) -> Cell:
        """Return a cell, where it is a number that people typed, as it is with a point. Raises BadValue."""
        if column in NUMBERS and cell.kind == TEXT and self.mark is not None:
            return cell._replace(text=number_text(column, cell.text, self.mark))
        return cell


def lay_out(table: SheetTable, columns: Mapping[str, CellReader], known: Sequence[str], reading: Reading) -> Layout:
    """Return a list laid out under its headings, with every error of heading and cells.

    ``columns`` are read, beside the key; ``known`` are all that the list may have.
    """
    rows = find_heading(table, frozenset(name for name, column in HEADINGS.items() if column in known))
    if not rows:
        return Layout(table, rows, (), (), POINT, "", [RowError(1, "file", "no rows")])
    names, errors = _heading(table, rows[0], {**KEY, **columns}, known, reading.given)
    if len(rows) < 2:
        errors.append(RowError(1, "file", "no rows"))
    body = []
    for row in rows[1:]:
        wrong = _wrong_cells(table, row, names)
        errors += wrong
        # The cells of a row that is too long are likely to have moved; those of a short one stand where they should.
        cells = {} if len(row.cells) > len(names) else dict(zip(names, row.cells, strict=False))
        body.append(_BarRow(row.line, {name: cell for name, cell in cells.items() if name is not None}, not wrong))
    mark, marked_by, error = _decimal_mark(body, reading)
    return Layout(table, rows, names, body, mark, marked_by, [*errors, *error])


class BarRows(NamedTuple, Generic[Found]):
    """The records of the rows that could be read, and every error of the others."""

    found: list[Found]
    errors: list[RowError]

    def whole(self) -> list[Found]:
        """Return the records of all rows. Raises BadFile with every error, where there is one."""
        if self.errors:
            raise BadFile(self.errors)
        return self.found


def rows_of(
    layout: Layout, columns: Mapping[str, CellReader], make: Make[Found], reading: Reading, *, unique: bool = True
) -> BarRows[Found]:
    """Return a record of each bar of a list. ``unique``: a bar that stands there twice is an error."""
    wanted = {**KEY, **columns}
    given = {name: Cell(text) for name, text in reading.given.items()}
    errors = list(layout.errors)
    has_all_columns = not any(error.line == layout.rows[0].line for error in errors) if layout.rows else False
    found: list[Found] = []
    lines: dict[BarKey, int] = {}
    for line, cells, is_whole in layout.body:
        values, bad = _values(layout, line, {**cells, **given}, wanted)
        errors += bad
        if any(name in KEY for name in {error.column for error in bad}) or not values.keys() >= {"refiner", "serial"}:
            continue
        key = BarKey(values["refiner"], values["serial"], values.get("year", 0))
        if unique and key.compared in lines:
            errors.append(RowError(line, "serial", f"{key} stands in line {lines[key.compared]} already"))
            continue
        lines[key.compared] = line
        if bad or not is_whole or not has_all_columns or layout.mark is None:
            continue
        try:
            found.append(make(line, key, values))
        except BadValue as error:
            errors.append(RowError(line, error.field, str(error)))
    return BarRows(found, sorted(errors))


def _values(
    layout: Layout, line: int, cells: Mapping[str, Cell], wanted: Mapping[str, CellReader]
) -> tuple[dict[str, Any], list[RowError]]:
    values: dict[str, Any] = {}
    errors: list[RowError] = []
    for column, read in wanted.items():
        cell = cells.get(column)
        if cell is None or cell.kind in NO_VALUE or (layout.mark is None and column in NUMBERS):
            continue
        try:
            values[column] = read(column, layout.number(column, cell))
        except BadValue as error:
            errors.append(RowError(line, column, str(error)))
    return values, errors


def _heading(
    table: SheetTable, row: Row, wanted: Mapping[str, CellReader], known: Sequence[str], given: Mapping[str, str]
) -> tuple[list[str | None], list[RowError]]:
    """Return the column of each cell, None under no heading, and what is wrong with the headings."""
    columns: list[str | None] = []
    errors: list[RowError] = []
    for place, cell in enumerate(row.cells):
        column = HEADINGS.get(normal_heading(cell.text)) if cell.text else None
        if cell.text and (error := table.unreadable(row, place, "heading")):
            errors.append(error)
        elif cell.text and column not in known:
            errors.append(RowError(row.line, cell.text, "is not a column of such a list"))
            column = cell.text
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
    return columns, errors


def _wrong_cells(table: SheetTable, row: Row, columns: Sequence[str | None]) -> list[RowError]:
    """Return what is wrong with the cells of a row: their number, one without a value, one under no heading."""
    errors = []
    if len(row.cells) != len(columns):
        absent = [name for name in columns[len(row.cells) :] if name is not None]
        problem = f"{len(row.cells)} cells where the heading has {len(columns)}"
        what = f"; there is none for {', '.join(absent)}: an empty one keeps its separator" if absent else ""
        errors.append(RowError(row.line, absent[0] if absent else "row", problem + what))
    for place, cell in enumerate(row.cells):
        name = columns[place] if place < len(columns) else None
        if not cell.text and name is None:
            continue
        if error := table.unreadable(row, place, name or "row"):
            errors.append(error)
        elif name is None and len(row.cells) <= len(columns):
            errors.append(RowError(row.line, "row", f"{cell.text!r} stands under no heading"))
    return errors


def _decimal_mark(body: Sequence[_BarRow], reading: Reading) -> tuple[str | None, str, list[RowError]]:
    """Return the decimal mark and what shows it, or None and what is wrong."""
    if reading.comma is not None:
        return COMMA if reading.comma else POINT, "as stated", []
    typed = [
        (line.line, name, cell.text)
        for line in body
        for name, cell in line.cells.items()
        if name in NUMBERS and cell.kind == TEXT
    ]
    try:
        mark = decimal_mark("number", [text for _, _, text in typed])
        return mark, "as the numbers show" if typed else "", []
    except BadValue as error:
        line, column, text = next(one for one in typed if one[2] == error.value)
        return None, "", [RowError(line, column, str(BadValue(column, text, error.allowed)))]
