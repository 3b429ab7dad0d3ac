"""Tables written for people, as CSV or XLSX."""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from goldx.output import width_of
from goldx.protocol.units import BadValue

Out: TypeAlias = str | int | Decimal | None
"""Content of a written cell; a Decimal keeps its places."""
_NARROWEST: Final = 10
_WIDEST: Final = 70
_DATES: Final = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")
"""The times in the properties of a workbook."""
_NOT_IN_TITLES: Final = re.compile(r"[\\/*?:\[\]]")
_COMPUTED: Final = tuple("=+-@")
"""First characters of texts that a spreadsheet would evaluate."""


class Sheet(NamedTuple):
    """A sheet of a workbook: its title, which is cut to what a workbook allows, its heading and its rows."""

    title: str
    heading: Sequence[str]
    rows: Sequence[Sequence[Out]]


def write(kind: str, title: str, heading: Sequence[str], rows: Iterable[Sequence[Out]]) -> bytes:
    """Return a table as a file of a ``kind``, csv or xlsx. Raises BadValue for any other."""
    if kind == "csv":
        return write_csv(heading, rows)
    if kind == "xlsx":
        return write_xlsx(title, heading, rows)
    raise BadValue("format", kind, "csv or xlsx")


def write_csv(heading: Sequence[str], rows: Iterable[Sequence[Out]]) -> bytes:
    """Return a table as CSV: UTF-8 with a byte order mark, so that spreadsheets show Chinese; comma separated.

    Text that a spreadsheet would evaluate (it begins with = + - or @, of any width, also after blanks and invisible
    signs) gets a leading apostrophe, and so does text that begins with an apostrophe. ``plain`` removes one apostrophe
    and changes nothing else.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(heading)
    writer.writerows(["" if value is None else _csv_text(value) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def is_computed(text: str) -> bool:
    """Return whether a spreadsheet might take a text for a formula."""
    shown = "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign)[0] not in "CZ")
    return shown.startswith(_COMPUTED)


def plain(text: str) -> str:
    """Return the text of a cell without the apostrophe that ``write_csv`` may have added."""
    return text[1:] if text.startswith("'") and (text.startswith("''") or is_computed(text[1:])) else text


def _csv_text(value: str | int | Decimal) -> str:
    if isinstance(value, str):
        return "'" + value if value.startswith("'") or is_computed(value) else value
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def write_xlsx(title: str, heading: Sequence[str], rows: Iterable[Sequence[Out]]) -> bytes:
    """Return a table as a workbook of one sheet: text in text cells, never a formula; numbers show their places."""
    return _book([(title, heading, rows)])


def write_book(sheets: Sequence[Sheet], day: date) -> bytes:
    """Return a workbook of several sheets; the same sheets and day give the same bytes."""
    return _dated(_book(sheets, [_widths(sheet) for sheet in sheets]), day)


def _widths(sheet: Sheet) -> list[int]:
    """Return a width for each column that shows its longest text; a Chinese sign is as wide as two others."""
    found = [_NARROWEST] * len(sheet.heading)
    for row in (sheet.heading, *sheet.rows):
        for number, cell in enumerate(row):
            text = "" if cell is None else str(cell)
            found[number] = max(found[number], min(width_of(text) + 2, _WIDEST))
    return found


def _book(
    sheets: Iterable[tuple[str, Sequence[str], Iterable[Sequence[Out]]]], widths: Sequence[Sequence[int]] = ()
) -> bytes:
    # Slow to load, and only who writes such a file needs it.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    for number, (title, heading, rows) in enumerate(sheets):
        sheet = book.create_sheet(_NOT_IN_TITLES.sub(" ", title)[:31])
        sheet.freeze_panes = "A2"
        for place, width in enumerate(widths[number] if widths else (), 1):
            sheet.column_dimensions[get_column_letter(place)].width = width
        sheet.append(heading)
        for row in rows:
            sheet.append([_formatted(WriteOnlyCell(sheet, value), value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _dated(book: bytes, day: date) -> bytes:
    """Return a workbook with a day in place of the times at which it was written."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "docProps/core.xml":
                data = _DATES.sub(rb"\g<1>" + f"{day.isoformat()}T00:00:00Z".encode(), data)
            dated = zipfile.ZipInfo(entry.filename, (day.year, day.month, day.day, 0, 0, 0))
            dated.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(dated, data)
    return out.getvalue()


def _formatted(cell: Any, value: Out) -> Any:
    if isinstance(value, str):
        cell.data_type = "s"
        cell.number_format = "@"
    elif isinstance(value, Decimal):
        places = -int(value.as_tuple().exponent)
        cell.number_format = "0." + "0" * places if places > 0 else "0"
    return cell


def scaled(number: int | None, places: int) -> Decimal | None:
    """Return a whole number of the last place as a decimal with that many places; None for None."""
    return None if number is None else Decimal(number).scaleb(-places)
