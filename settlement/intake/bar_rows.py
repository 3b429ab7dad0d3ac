"""Lists of bars, read row by row under their headings, with every bad row named (columns: docs/settlement.md).

Headings may be those of this project, of an LBMA weight list, or Chinese (``settlement.workbooks.headings``). Numbers
may have a decimal comma throughout.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from goldx.protocol.units import BadValue
from settlement.base.spelling import fold
from settlement.intake.bar_columns import ALTERNATIVES, KEY, NUMBERS, OPTIONAL, CellReader
from settlement.workbooks.cells import (
    COMMA,
    POINT,
    TEXT,
    BadFile,
    Cell,
    Row,
    RowError,
    Table,
    decimal_mark,
    find_heading,
    normal_heading,
    number_text,
)
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
    """Options for reading a file: columns ``given`` beside it for all its rows, the sheet of a workbook, and whether
    its numbers have a decimal ``comma`` (None: as the numbers show). ``other_years``: bars whose mark and number are
    known with another year, or without one, are other bars.
    """

    given: Mapping[str, str] = {}
    sheet: str | None = None
    comma: bool | None = None
    other_years: bool = False


Found = TypeVar("Found", bound=NamedTuple)
"""Type of the record that one row becomes."""
Make: TypeAlias = Callable[[int, BarKey, Mapping[str, Any]], Found]
"""Makes the record from line, key and values by column; raises BadValue."""


def rows_of(
    table: Table,
    columns: Mapping[str, CellReader],
    known: Sequence[str],
    make: Make[Found],
    reading: Reading,
    *,
    unique: bool = True,
) -> list[Found]:
    """Return a record of each bar of a list.

    ``columns`` are read, beside the key; ``known`` are all that the list may have. ``unique``: a bar that stands there
    twice is an error. Raises BadFile: for the whole file where its shape is wrong, else with every bad row.
    """
    wanted = {**KEY, **columns}
    numbered = list(find_heading(table, (name for name, column in HEADINGS.items() if column in known)))
    heading = _heading(table, numbered[0] if numbered else Row(1, ()), wanted, known, reading.given)
    if len(numbered) < 2:
        raise BadFile([RowError(1, "file", "no rows")])
    errors = _unreadable(table, numbered[1:], heading)
    if errors:
        raise BadFile(errors)
    body = [(row.line, _cells(row, heading)) for row in numbered[1:]]
    mark = _decimal_mark(body, reading)
    given = {name: Cell(text) for name, text in reading.given.items()}
    found: list[Found] = []
    lines: dict[BarKey, int] = {}
    for line, row in body:
        values, bad = _values(line, {**row, **given}, wanted, mark)
        errors += bad
        if bad:
            continue
        key = BarKey(values["refiner"], values["serial"], values.get("year", 0))
        if unique and key.compared in lines:
            errors.append(RowError(line, "serial", f"{key} stands in line {lines[key.compared]} already"))
            continue
        lines[key.compared] = line
        try:
            found.append(make(line, key, values))
        except BadValue as error:
            errors.append(RowError(line, error.field, str(error)))
    if errors:
        raise BadFile(sorted(errors))
    return found


def _values(
    line: int, cells: Mapping[str, Cell], wanted: Mapping[str, CellReader], mark: str
) -> tuple[dict[str, Any], list[RowError]]:
    values: dict[str, Any] = {}
    errors: list[RowError] = []
    for column, read in wanted.items():
        if column not in cells:
            continue
        cell = cells[column]
        try:
            if column in NUMBERS and cell.kind == TEXT:
                cell = cell._replace(text=number_text(column, cell.text, mark))
            values[column] = read(column, cell)
        except BadValue as error:
            errors.append(RowError(line, column, str(error)))
    return values, errors


def _heading(
    table: Table, row: Row, wanted: Mapping[str, CellReader], known: Sequence[str], given: Mapping[str, str]
) -> list[str | None]:
    """Return the column of each cell, None beyond the last heading. Raises BadFile."""
    columns: list[str | None] = []
    errors: list[RowError] = []
    for place, cell in enumerate(row.cells):
        column = HEADINGS.get(normal_heading(cell.text)) if cell.text else None
        if cell.text and (error := table.unreadable(row, place, "heading")):
            errors.append(error)
        elif cell.text and column not in known:
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


def _unreadable(table: Table, rows: Sequence[Row], heading: list[str | None]) -> list[RowError]:
    """Return the cells of these rows that hold no value."""
    found = []
    for row in rows:
        for place, cell in enumerate(row.cells):
            name = heading[place] if place < len(heading) else None
            if (cell.text or name is not None) and (error := table.unreadable(row, place, name or "")):
                found.append(error)
    return found


def _cells(row: Row, heading: list[str | None]) -> dict[str, Cell]:
    if len(row.cells) != len(heading):
        problem = f"{len(row.cells)} cells where the heading has {len(heading)}"
        raise BadFile([RowError(row.line, "row", problem)])
    for name, cell in zip(heading, row.cells, strict=True):
        if name is None and cell.text:
            raise BadFile([RowError(row.line, "row", f"{cell.text!r} stands under no heading")])
    return {name: cell for name, cell in zip(heading, row.cells, strict=True) if name is not None}


def _decimal_mark(body: list[tuple[int, dict[str, Cell]]], reading: Reading) -> str:
    if reading.comma is not None:
        return COMMA if reading.comma else POINT
    texts = [cell.text for _, row in body for name, cell in row.items() if name in NUMBERS and cell.kind == TEXT]
    try:
        return decimal_mark("number", texts)
    except BadValue as error:
        raise BadFile([RowError(body[0][0], "numbers", str(error))]) from error
