"""Tables as people send them, CSV in its dialects, XLSX and XLS, as rows of cells; and tables written for people.

A cell knows whether a spreadsheet stored it as text, as a number or as a date. Numbers arrive as binary floating point
whatever the sheet shows, so a number is only taken where it is a decimal of the places that the column allows, up to
the noise that summing in a spreadsheet leaves (``decimal_text``). What must be text, such as the number on a bar, is
refused in a number cell: leading zeros and digits beyond the fifteenth are lost there already.
"""

import csv
import io
import math
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from goldx.protocol.units import BadValue

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_UNPACKED: Final = 512 * 1024 * 1024
"""What a workbook may unpack to: a small file of zeros can be made to fill any memory."""
MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 200
NOISE_ULPS: Final = 4
"""How many units in the last place of the binary number are noise and not a figure."""

TEXT, NUMBER, DATE = "text", "number", "date"
SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}


class Cell(NamedTuple):
    """``text`` is what it says, a number without exponent, a date as 2026-11-24; ``kind`` TEXT, NUMBER or DATE."""

    text: str
    kind: str = TEXT


class Row(NamedTuple):
    """Cells of one row; ``line`` is where it stands in the file or sheet, from 1."""

    line: int
    cells: tuple[Cell, ...]


class Table(NamedTuple):
    """``dialect`` says how it was read, for people: encoding and separator, or the sheet's name."""

    format: str
    dialect: str
    rows: list[Row]


class RowError(NamedTuple):
    """What is wrong in one row: its line, the column, and why."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.problem}"


class BadFile(Exception):
    """The file has errors; nothing of it was taken in."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = list(errors)


def read(data: bytes, sheet: str | None = None) -> Table:
    """The rows that hold anything. ``sheet`` names one where a workbook has several. Raises BadFile."""
    if len(data) > MAX_BYTES:
        raise _whole(f"{len(data)} bytes; at most {MAX_BYTES} are read")
    if data.startswith(b"PK\x03\x04"):
        _check_unpacked(data)
        return _workbook("XLSX", data, sheet)
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _workbook("XLS", data, sheet)
    if sheet is not None:
        raise _whole(f"a CSV has no sheets, so there is no {sheet!r}")
    return _csv(data)


def _whole(problem: str, line: int = 1) -> BadFile:
    return BadFile([RowError(line, "file", problem)])


def _csv(data: bytes) -> Table:
    text, encoding = _decode(data)
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    separator = _separator(first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _check_size(len(rows) + 1, len(cells), reader.line_num)
                rows.append(Row(reader.line_num, tuple(Cell(cell.strip()) for cell in cells)))
    except csv.Error as error:
        raise BadFile([RowError(reader.line_num, "row", str(error))]) from error
    return Table("CSV", f"{encoding}, separated by {SEPARATORS[separator]}", rows)


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError as error:
            raise _whole(f"byte {error.start} is not UTF-16 text, as the file's first bytes promise") from error
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as bad:
        try:
            return data.decode("gb18030"), "GB18030"
        except UnicodeDecodeError:
            line = data.count(b"\n", 0, bad.start) + 1
            raise _whole(f"byte {bad.start} is neither UTF-8 nor GB18030 text", line) from bad


def _separator(line: str) -> str:
    """The separator that stands most often outside quotes; a comma if none does."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max(SEPARATORS, key=bare.count)


def _check_size(rows: int, columns: int, line: int) -> None:
    if rows > MAX_ROWS:
        raise _whole(f"more than {MAX_ROWS} rows", line)
    if columns > MAX_COLUMNS:
        raise _whole(f"more than {MAX_COLUMNS} columns", line)


def _check_unpacked(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(item.file_size for item in archive.infolist())
    except zipfile.BadZipFile as error:
        raise _whole("it begins like an XLSX and is not one") from error
    if size > MAX_UNPACKED:
        raise _whole(f"it unpacks to {size} bytes; at most {MAX_UNPACKED} are read")


def _workbook(kind: str, data: bytes, wanted: str | None) -> Table:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = _sheet(book, wanted)
        _check_size(sheet.total_height, sheet.total_width, sheet.total_height)
        found = sheet.to_python(skip_empty_area=False)
    except (CalamineError, zipfile.BadZipFile) as error:
        raise _whole(f"it is not a readable {kind}: {error}") from error
    rows = [Row(line, tuple(_cell(value) for value in values)) for line, values in enumerate(found, 1)]
    rows = [row for row in rows if any(cell.text for cell in row.cells)]
    return Table(kind, f"sheet {sheet.name!r}", rows)


def _sheet(book: CalamineWorkbook, wanted: str | None) -> CalamineSheet:
    visible = [meta.name for meta in book.sheets_metadata if meta.visible == SheetVisibleEnum.Visible]
    if wanted is not None:
        if wanted not in visible:
            raise _whole(f"there is no sheet {wanted!r}; there are {', '.join(map(repr, visible))}")
        return book.get_sheet_by_name(wanted)
    filled = [sheet for sheet in map(book.get_sheet_by_name, visible) if sheet.height]
    if len(filled) > 1:
        names = ", ".join(repr(sheet.name) for sheet in filled)
        raise _whole(f"several sheets hold something, {names}: one must be named")
    if not filled:
        raise _whole("no rows")
    return filled[0]


def _cell(value: Any) -> Cell:
    if isinstance(value, bool):
        return Cell(str(value).upper())
    if isinstance(value, int | float):
        return Cell(_plain(value), NUMBER)
    if isinstance(value, datetime | date):
        return Cell(value.isoformat()[:10], DATE)
    return Cell(str(value).strip())


def _plain(value: float) -> str:
    return _stripped(Decimal(repr(value)))


def _stripped(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def normal_heading(text: str) -> str:
    """A heading as it is compared: full-width forms folded, lower case, without spaces and punctuation."""
    return re.sub(r"[\s_\-.:()\[\]/]+", "", unicodedata.normalize("NFKC", text)).casefold()


def plain_text(field: str, cell: Cell) -> str:
    """What must be text, such as the number on a bar. Raises BadValue for a cell that a spreadsheet made a number."""
    if cell.kind != TEXT:
        raise BadValue(field, cell.text, f"a text cell: the spreadsheet made a {cell.kind} of what stood there")
    return cell.text


def decimal_text(field: str, cell: Cell, places: int) -> str:
    """A number as a decimal string of at most ``places`` decimals. Raises BadValue for a date, or a number cell
    that holds more than that: what a sheet shows rounded is not what it holds."""
    if cell.kind == DATE:
        raise BadValue(field, cell.text, "a number: the spreadsheet made a date of what stood there")
    if cell.kind != NUMBER:
        return cell.text
    held = float(cell.text)
    stated = Decimal(cell.text).quantize(Decimal(1).scaleb(-places))
    if abs(float(stated) - held) > NOISE_ULPS * math.ulp(held):
        raise BadValue(field, cell.text, f"a number of at most {places} decimals: the cell holds more than it may show")
    return _stripped(stated)


def decimal_comma(texts: Iterable[str]) -> bool:
    """Whether the numbers of a file are written with a decimal comma (``401,125``).

    Only where no number has a point and at least one comma cannot part thousands. Raises BadValue where it cannot be
    known: ``1,250`` alone may be either.
    """
    commas = [text for text in texts if "," in text]
    if not commas or any("." in text for text in texts):
        return False
    if any(re.fullmatch(r"-?[0-9]+,[0-9]+", text) is None for text in commas):
        return False
    if all(re.fullmatch(r"-?[1-9][0-9]{0,2},[0-9]{3}", text) for text in commas):
        raise BadValue("number", commas[0], "written with a point, or said to have a decimal comma: it may be either")
    return True


Out: TypeAlias = str | int | Decimal | None
"""What a written cell may hold; a Decimal keeps its places."""


def write_csv(heading: Sequence[str], rows: Iterable[Sequence[Out]]) -> bytes:
    """UTF-8 with a byte order mark, so that spreadsheets show Chinese; comma separated.

    Text that a spreadsheet would compute (it begins with = + - or @) gets an apostrophe before it.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(heading)
    writer.writerows(["" if value is None else _written(value) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _written(value: str | int | Decimal) -> str:
    if isinstance(value, str):
        return "'" + value if value[:1] in tuple("=+-@") else value
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def write_xlsx(title: str, heading: Sequence[str], rows: Iterable[Sequence[Out]]) -> bytes:
    """One sheet: text in text cells, never a formula, numbers in number cells that show their places."""
    # Slow to load, and only who writes such a file needs it.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    sheet.freeze_panes = "A2"
    sheet.append(heading)
    for row in rows:
        sheet.append([_formatted(WriteOnlyCell(sheet, value), value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _formatted(cell: Any, value: Out) -> Any:
    if isinstance(value, str):
        cell.data_type = "s"
        cell.number_format = "@"
    elif isinstance(value, Decimal):
        places = -int(value.as_tuple().exponent)
        cell.number_format = "0." + "0" * places if places > 0 else "0"
    return cell


def write(kind: str, title: str, heading: Sequence[str], rows: Iterable[Sequence[Out]]) -> bytes:
    """``kind`` is csv or xlsx. Raises BadValue for any other."""
    if kind == "csv":
        return write_csv(heading, rows)
    if kind == "xlsx":
        return write_xlsx(title, heading, rows)
    raise BadValue("format", kind, "csv or xlsx")


def scaled(number: int | None, places: int) -> Decimal | None:
    """A whole number of the last place -> the decimal it stands for."""
    return None if number is None else Decimal(number).scaleb(-places)


def find_heading(table: Table, known: Iterable[str]) -> Iterator[Row]:
    """The rows from the heading on: the first row of which more cells than not are ``known`` (normal) headings.

    Titles above it are passed over; where no row is a heading, the first one is taken for it.
    """
    names = frozenset(known)
    for place, row in enumerate(table.rows[:20]):
        filled = [normal_heading(cell.text) for cell in row.cells if cell.text]
        if 2 * sum(name in names for name in filled) > len(filled):
            return iter(table.rows[place:])
    return iter(table.rows)
