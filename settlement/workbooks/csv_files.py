"""CSV in its dialects: the encoding and the separator are those under which the headings can be read.

A file does not say its encoding, and nearly all bytes are text in several. The first bytes may declare it (a byte order
mark); text of three bytes a character is UTF-8 and nothing else by chance. Otherwise an encoding is known where a
heading that is not ASCII is a known one in it, and in no other encoding. What nothing shows is asked, not guessed. So
it is with the separator: it is the only one under which a row of known headings stands, or the only one in the file.
"""

import csv
import io
import re
from collections.abc import Container, Iterator
from itertools import islice
from typing import Final, NamedTuple

from settlement.workbooks.cells import (
    HEADING_WITHIN,
    TEXT,
    UNREADABLE,
    BadFile,
    Cell,
    Row,
    RowError,
    SheetTable,
    is_heading,
)
from settlement.workbooks.limits import check_size, refused
from settlement.workbooks.marks import is_error
from settlement.workbooks.writing import plain

SEPARATORS: Final = {"comma": ",", "semicolon": ";", "tab": "\t"}
_CODECS: Final = {
    "utf-8": "utf-8-sig",
    "utf-16": "utf-16",
    "gb18030": "gb18030",
    "big5": "cp950",
    "windows-1252": "cp1252",
}
ENCODINGS: Final = tuple(_CODECS)
"""The names by which an encoding may be stated: Unicode, simplified and traditional Chinese, western Europe."""
_UNMARKED: Final = (
    *((name, codec) for name, codec in _CODECS.items() if name != "utf-16"),
    ("utf-16", "utf-16-le"),
    ("utf-16", "utf-16-be"),
)
"""Encodings in which a file may be that declares none, with Python's names of them."""
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DOUBLE: Final = ("gb18030", "big5")
"""Encodings in which two bytes that are one character of UTF-8 may be another character."""
_BEGINNING: Final = 1_000_000
"""Headings are looked for in so many first characters."""
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_NOT_ASCII: Final = re.compile(r"[^\s,;\"]*[^\x00-\x7f][^\s,;\"]*")
_DECLARED: Final = re.compile(r"\"?sep=([,;\t])\"?\r?\n?", re.IGNORECASE)
"""The first line with which Excel declares the separator of a CSV."""


class _Headings(NamedTuple):
    """A row of known headings, by the separator under which it stands."""

    separator: str
    line: int
    cells: tuple[str, ...]


class _Text(NamedTuple):
    """The text of a file in one encoding."""

    encoding: str
    text: str


def read(data: bytes, encoding: str | None, separator: str | None, known: Container[str]) -> SheetTable:
    """Return the non-empty rows.

    ``encoding`` and ``separator`` are stated beside the file, or found out by ``known`` headings, which are as
    ``normal_heading`` returns them. Raises BadFile.
    """
    found, shown_by = _declared(data, encoding) or _found_out(data, known)
    if "\0" in found.text:
        raise refused(f"it holds characters NUL as {found.encoding}, so it is no text in this encoding")
    mark, separated_by = _separator(found.text, separator, known)
    rows = list(_rows(found.text, mark))
    name = next(name for name, sign in SEPARATORS.items() if sign == mark)
    how = (f"encoding {found.encoding}: {shown_by}", f"separator {name}: {separated_by}")
    return SheetTable("CSV", f"{found.encoding.upper()}, separated by {name}", rows, how)


def _declared(data: bytes, encoding: str | None) -> tuple[_Text, str] | None:
    """Return the text in the encoding that the file or the caller states; None where neither does. Raises BadFile."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    stated = encoding or marked
    if stated is None:
        return None
    if marked is not None and stated != marked:
        raise refused(f"its first bytes declare {marked}, and {stated} is stated beside it")
    try:
        # A program that joins files leaves the mark of each of them.
        text = data.decode(_CODECS[stated]).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refused(f"byte {error.start} is not {stated} text", line) from error
    return _Text(stated, text), "as stated" if encoding else "as its first bytes declare"


def _found_out(data: bytes, known: Container[str]) -> tuple[_Text, str]:
    """Return the text in the only encoding that shows. Raises BadFile, which asks for it, where none or several do."""
    if data.isascii() and b"\0" not in data:
        return _Text("utf-8", data.decode()), "all of it is ASCII"
    proofs = [(text, _proof(text, known)) for text in _possible(data)]
    proven = [(text, why) for text, why in proofs if why]
    if len(proven) == 1:
        return proven[0]
    # UTF-16 makes words of nearly any bytes; without known headings it is none of the encodings that may be meant.
    possible = [text for text, why in proofs if why or text.encoding != "utf-16"]
    if not possible:
        raise refused(f"it is no text in any of {', '.join(ENCODINGS)}")
    names = [text.encoding for text in possible]
    if not proven and "utf-8" in names and not any(name in names for name in _DOUBLE):
        return possible[names.index("utf-8")], "its bytes are UTF-8 and no Chinese encoding"
    raise _ask(data, [text for text, _ in proven] or possible)


def _possible(data: bytes) -> list[_Text]:
    """Return the text in every encoding in which the bytes are one."""
    found = []
    for encoding, codec in _UNMARKED:
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if not _NO_TEXT.search(text):
            found.append(_Text(encoding, text))
    return found


def _proof(found: _Text, known: Container[str]) -> str:
    """Return what shows that a file is in an encoding; empty where nothing does."""
    for headings in _headings(found.text, known):
        names = [cell for cell in headings.cells if not cell.isascii()]
        if found.encoding == "utf-16":
            return f"the headings in line {headings.line} are known ones in it"
        if names and is_heading(names, known, at_least=1):
            return f"the headings in line {headings.line} are known ones in it, such as {names[0]}"
    if found.encoding == "utf-8" and any(char >= "\u0800" for char in found.text):
        return "its bytes follow the rules of UTF-8"
    return ""


def _ask(data: bytes, possible: list[_Text]) -> BadFile:
    """Return the refusal of a file whose encoding must be stated, with what the same bytes are in each."""
    at = next((place for place, byte in enumerate(data) if byte >= 0x80), 0)
    line = data.count(b"\n", 0, at) + 1
    words = []
    for found in possible:
        word = _NOT_ASCII.search(found.text)
        if word is not None:
            words.append(f"{word[0][:24]!r} in {found.encoding}")
    what = "; the same bytes are " + ", ".join(words) if words else ""
    problem = f"byte {at} is not ASCII, and nothing shows the encoding{what}"
    return refused(f"{problem}: state it (--encoding, `encoding`), one of {', '.join(ENCODINGS)}", line)


def _headings(text: str, known: Container[str]) -> list[_Headings]:
    """Return the first row of known headings under each separator that has one."""
    found = []
    for sign in SEPARATORS.values():
        try:
            for row in islice(_rows(text[:_BEGINNING], sign), HEADING_WITHIN):
                cells = tuple(cell.text for cell in row.cells if cell.text)
                if is_heading(cells, known):
                    found.append(_Headings(sign, row.line, cells))
                    break
        except BadFile:
            # Under this separator the quotes of the file do not fit.
            continue
    return found


def _separator(text: str, stated: str | None, known: Container[str]) -> tuple[str, str]:
    """Return the separator's sign and what shows it. Raises BadFile, which asks for it, where nothing does."""
    declared = _DECLARED.match(text)
    if stated is not None:
        sign = SEPARATORS[stated]
        if declared is not None and declared[1] != sign:
            raise refused(f"its first line declares the separator {declared[1]!r}, and {stated} is stated beside it")
        return sign, "as stated"
    if declared is not None:
        return declared[1], "as its first line declares"
    found = _headings(text, known)
    if len(found) == 1:
        return found[0].separator, f"the headings in line {found[0].line} are known ones with it"
    there = [sign for sign in SEPARATORS.values() if sign in text]
    if not found and len(there) <= 1:
        return (there or [","])[0], "no other stands in the file"
    names = [name for name, sign in SEPARATORS.items() if sign in there]
    why = "no row" if not found else "more than one row"
    problem = f"{why} of the first {HEADING_WITHIN} has known headings when it is separated by {', '.join(names)}"
    raise refused(f"{problem}: correct the headings, or state the separator (--separator, `separator`)")


def _rows(text: str, separator: str) -> Iterator[Row]:
    """Return the rows that hold anything, each with the line in which it begins. Raises BadFile."""
    declared = _DECLARED.match(text)
    skipped = 0 if declared is None else 1
    reader = csv.reader(
        io.StringIO(text[declared.end() if declared else 0 :], newline=""), delimiter=separator, strict=True
    )
    number = total = 0
    line = 1 + skipped
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                number, total = number + 1, total + len(cells)
                check_size(number, len(cells), total, line)
                yield Row(line, tuple(text_cell(plain(cell.strip())) for cell in cells))
            line = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise BadFile([RowError(line, "row", f"its quotes do not fit: {error}")]) from error


def text_cell(text: str) -> Cell:
    """Return a cell of text, which is UNREADABLE where it is what spreadsheet programs show for an error."""
    return Cell(text, UNREADABLE if is_error(text) else TEXT)
