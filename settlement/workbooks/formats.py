"""The formats of tables as people send them, read as rows of cells: CSV in its dialects, XLSX and XLS.

The cost of reading a workbook is known only afterwards: two cells at opposite corners make a sheet of 17 billion. So
this runs only in a process with limits, which ``settlement.workbooks.sheets`` starts.
"""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from settlement.workbooks import csv_files, xls, xlsx
from settlement.workbooks.cells import (
    DATE,
    MERGED,
    NUMBER,
    PERCENTAGE,
    UNREADABLE,
    Cell,
    Row,
    SheetTable,
    without_trailing_zeros,
)
from settlement.workbooks.csv_files import text_cell
from settlement.workbooks.headings import ALL
from settlement.workbooks.limits import check_size, refused
from settlement.workbooks.marks import Marks, Place

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_UNPACKED: Final = 512 * 1024 * 1024
"""Bytes to which a workbook may unpack: a small file of zeros could fill any memory."""

_BEGINNINGS: Final = {b"PK\x03\x04": "XLSX", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "XLS"}
_OTHERS: Final = {b"<": "HTML or XML", b"%PDF": "a PDF", b"{\\rtf": "an RTF"}
"""Beginnings of files that programs write in place of a table."""
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


class Stated(NamedTuple):
    """Statements about a file that come beside it: the sheet of a workbook, encoding and separator of a CSV.

    ``headings`` are known headings of such a file beside those of every table, as ``normal_heading`` returns them.
    """

    sheet: str | None = None
    encoding: str | None = None
    separator: str | None = None
    headings: Sequence[str] = ()


def parse(data: bytes, stated: Stated = Stated()) -> SheetTable:  # noqa: B008
    """Return the rows that hold anything. Raises BadFile."""
    workbook = next((name for begin, name in _BEGINNINGS.items() if data.startswith(begin)), None)
    if workbook is None:
        if stated.sheet is not None:
            raise refused(f"a CSV has no sheets, so there is no {stated.sheet!r}")
        other = next((name for begin, name in _OTHERS.items() if data.lstrip().startswith(begin)), None)
        if other is not None:
            raise refused(f"it is {other}, whatever its name says; CSV, XLSX and XLS are read")
        return csv_files.read(data, stated.encoding, stated.separator, ALL.union(stated.headings))
    if stated.encoding is not None or stated.separator is not None:
        raise refused(f"it is an {workbook}, which has neither an encoding nor a separator to be stated")
    if workbook == "XLSX":
        _check_archive(data)
    return _workbook(workbook, data, stated.sheet)


def _check_archive(data: bytes) -> None:
    """Raise BadFile unless it is an XLSX (other formats are ZIP archives too) within the size limit when unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(item.file_size for item in archive.infolist())
            names = set(archive.namelist())
    except DAMAGED as error:
        raise refused("it begins like an XLSX and is not one") from error
    if size > MAX_UNPACKED:
        raise refused(f"it unpacks to {size} bytes; at most {MAX_UNPACKED} are read")
    if "xl/workbook.xml" not in names or names & {"content.xml", "xl/workbook.bin"}:
        raise refused("it is a ZIP archive and no XLSX; CSV, XLSX and XLS are read")


def _workbook(kind: str, data: bytes, wanted: str | None) -> SheetTable:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = _sheet(book, wanted)
        height, width = sheet.total_height, sheet.total_width
        check_size(height, width, height * width, height)
        found = sheet.to_python(skip_empty_area=False)
        merged = sheet.merged_cell_ranges or []
        if kind == "XLSX":
            marks = xlsx.marks(data, sheet.name)
        else:
            marks = xls.marks(data, book.sheet_names.index(sheet.name), len(book.sheet_names))
    except DAMAGED as error:
        raise refused(f"it is not a readable {kind}: {error}") from error
    cells = [[_cell(value) for value in values] for values in found]
    _mark(cells, marks, merged)
    rows = [Row(line, tuple(values)) for line, values in enumerate(cells, 1)]
    rows = [row for row in rows if any(cell.text for cell in row.cells)]
    how = f"sheet {sheet.name!r}: " + ("as stated" if wanted is not None else "no other holds anything")
    hidden = [str(row.line) for row in rows if row.line - 1 in marks.hidden]
    notes = [f"hidden rows are read too: {', '.join(hidden)}"] if hidden else []
    return SheetTable(kind, f"sheet {sheet.name!r}", rows, (how, *notes))


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
    check_size(height, width, height * width, height)
    for values in cells:
        values.extend([Cell("")] * (width - len(values)))
    cells += [[Cell("")] * width for _ in range(height - len(cells))]
    for (row, column), text in marks.unreadable.items():
        cells[row][column] = Cell(text, UNREADABLE)


def _sheet(book: CalamineWorkbook, wanted: str | None) -> CalamineSheet:
    visible = [meta.name for meta in book.sheets_metadata if meta.visible == SheetVisibleEnum.Visible]
    if wanted is not None:
        if wanted not in visible:
            raise refused(f"there is no sheet {wanted!r}; there are {', '.join(map(repr, visible))}")
        return book.get_sheet_by_name(wanted)
    filled = [sheet for sheet in map(book.get_sheet_by_name, visible) if sheet.height]
    if len(filled) > 1:
        names = ", ".join(repr(sheet.name) for sheet in filled)
        raise refused(f"several sheets are not empty, {names}: one must be named")
    if not filled:
        raise refused("no rows" if len(visible) == len(book.sheet_names) else "no rows in the sheets that are shown")
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
    return text_cell(str(value).strip())
