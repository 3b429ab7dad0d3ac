"""The formats of tables as people send them, read as rows of cells: CSV in its dialects, XLSX and XLS.

The cost of reading a workbook is known only afterwards: two cells at opposite corners make a sheet of 17 billion. So
this runs only in a process with limits, which ``settlement.workbooks.sheets`` starts.
"""

import csv
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from settlement.workbooks import xls, xlsx
from settlement.workbooks.cells import (
    DATE,
    MERGED,
    NUMBER,
    PERCENTAGE,
    TEXT,
    UNREADABLE,
    BadFile,
    Cell,
    Row,
    RowError,
    Table,
    without_trailing_zeros,
)
from settlement.workbooks.marks import Marks, Place, is_error
from settlement.workbooks.writing import plain

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_UNPACKED: Final = 512 * 1024 * 1024
"""Bytes to which a workbook may unpack: a small file of zeros could fill any memory."""
MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 200
MAX_CELLS: Final = 2_000_000
"""Non-empty rows, times the columns of each."""

SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}
DAMAGED: Final = (
    CalamineError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
    struct.error,
    RuntimeError,
)
"""Errors of the libraries for packed files at a file that is cut, altered or encrypted."""


def parse(data: bytes, sheet: str | None = None) -> Table:
    """Return the non-empty rows; ``sheet`` names the sheet of a workbook with several. Raises BadFile."""
    if data.startswith(b"PK\x03\x04"):
        _check_archive(data)
        return _workbook("XLSX", data, sheet)
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _workbook("XLS", data, sheet)
    if sheet is not None:
        raise _bad_file(f"a CSV has no sheets, so there is no {sheet!r}")
    return _csv(data)


def _bad_file(problem: str, line: int = 1) -> BadFile:
    return BadFile([RowError(line, "file", problem)])


def _csv(data: bytes) -> Table:
    text, encoding = _decode(data)
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    separator = _separator(first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    total = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                total += len(cells)
                _check_size(len(rows) + 1, len(cells), total, reader.line_num)
                rows.append(Row(reader.line_num, tuple(_text_cell(plain(cell.strip())) for cell in cells)))
    except csv.Error as error:
        raise BadFile([RowError(reader.line_num, "row", str(error))]) from error
    return Table("CSV", f"{encoding}, separated by {SEPARATORS[separator]}", rows)


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError as error:
            raise _bad_file(f"byte {error.start} is not UTF-16 text, as the file's first bytes promise") from error
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as bad:
        try:
            return data.decode("gb18030"), "GB18030"
        except UnicodeDecodeError:
            line = data.count(b"\n", 0, bad.start) + 1
            raise _bad_file(f"byte {bad.start} is neither UTF-8 nor GB18030 text", line) from bad


def _separator(line: str) -> str:
    """Return the most frequent separator outside quotes; a comma if there is none."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max(SEPARATORS, key=bare.count)


def _check_size(rows: int, columns: int, cells: int, line: int) -> None:
    if rows > MAX_ROWS:
        raise _bad_file(f"more than {MAX_ROWS} rows", line)
    if columns > MAX_COLUMNS:
        raise _bad_file(f"more than {MAX_COLUMNS} columns", line)
    if cells > MAX_CELLS:
        raise _bad_file(f"more than {MAX_CELLS} cells", line)


def _check_archive(data: bytes) -> None:
    """Raise BadFile unless it is an XLSX (other formats are ZIP archives too) within the size limit when unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(item.file_size for item in archive.infolist())
            names = set(archive.namelist())
    except DAMAGED as error:
        raise _bad_file("it begins like an XLSX and is not one") from error
    if size > MAX_UNPACKED:
        raise _bad_file(f"it unpacks to {size} bytes; at most {MAX_UNPACKED} are read")
    if "xl/workbook.xml" not in names or names & {"content.xml", "xl/workbook.bin"}:
        raise _bad_file("it is a ZIP archive and no XLSX; CSV, XLSX and XLS are read")


def _workbook(kind: str, data: bytes, wanted: str | None) -> Table:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = _sheet(book, wanted)
        height, width = sheet.total_height, sheet.total_width
        _check_size(height, width, height * width, height)
        found = sheet.to_python(skip_empty_area=False)
        merged = sheet.merged_cell_ranges or []
        if kind == "XLSX":
            marks = xlsx.marks(data, sheet.name)
        else:
            marks = xls.marks(data, book.sheet_names.index(sheet.name), len(book.sheet_names))
    except DAMAGED as error:
        raise _bad_file(f"it is not a readable {kind}: {error}") from error
    cells = [[_cell(value) for value in values] for values in found]
    _mark(cells, marks, merged)
    rows = [Row(line, tuple(values)) for line, values in enumerate(cells, 1)]
    return Table(kind, f"sheet {sheet.name!r}", [row for row in rows if any(cell.text for cell in row.cells)])


def _mark(cells: list[list[Cell]], marks: Marks, merged: Sequence[tuple[Place, Place]]) -> None:
    """Put into the cells what the sheet says of them besides their values."""
    for (row, column), (last_row, last_column) in merged:
        for line in cells[row : last_row + 1]:
            line[column : last_column + 1] = [
                cell if cell.text else Cell("", MERGED) for cell in line[column : last_column + 1]
            ]
    for row, column in marks.percentages:
        if row < len(cells) and column < len(cells[row]) and cells[row][column].kind == NUMBER:
            cells[row][column] = cells[row][column]._replace(kind=PERCENTAGE)
    height = max((row + 1 for row, _ in marks.unreadable), default=0)
    width = max((column + 1 for _, column in marks.unreadable), default=0)
    height, width = max(height, len(cells)), max(width, len(cells[0]) if cells else 0)
    _check_size(height, width, height * width, height)
    for values in cells:
        values.extend([Cell("")] * (width - len(values)))
    cells += [[Cell("")] * width for _ in range(height - len(cells))]
    for (row, column), text in marks.unreadable.items():
        cells[row][column] = Cell(text, UNREADABLE)


def _sheet(book: CalamineWorkbook, wanted: str | None) -> CalamineSheet:
    visible = [meta.name for meta in book.sheets_metadata if meta.visible == SheetVisibleEnum.Visible]
    if wanted is not None:
        if wanted not in visible:
            raise _bad_file(f"there is no sheet {wanted!r}; there are {', '.join(map(repr, visible))}")
        return book.get_sheet_by_name(wanted)
    filled = [sheet for sheet in map(book.get_sheet_by_name, visible) if sheet.height]
    if len(filled) > 1:
        names = ", ".join(repr(sheet.name) for sheet in filled)
        raise _bad_file(f"several sheets are not empty, {names}: one must be named")
    if not filled:
        raise _bad_file("no rows")
    return filled[0]


def _cell(value: Any) -> Cell:
    if isinstance(value, bool):
        return Cell(str(value).upper())
    if isinstance(value, int | float):
        return Cell(without_trailing_zeros(Decimal(repr(value))), NUMBER)
    if isinstance(value, datetime | date):
        return Cell(value.isoformat()[:10], DATE)
    if isinstance(value, time | timedelta):
        return Cell(str(value), DATE)
    return _text_cell(str(value).strip())


def _text_cell(text: str) -> Cell:
    return Cell(text, UNREADABLE if is_error(text) else TEXT)
