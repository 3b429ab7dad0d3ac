"""Errors, formulas without values and percentages in a sheet of an XLS: records of BIFF5 and BIFF8 ([MS-XLS] 2.4).

An error is a BOOLERR record or the result of a FORMULA record. A formula whose result is the empty text may never have
been computed (Excel and the libraries write the same for both), nor may one that asks to be computed on opening; so
neither is a value.
"""

import struct
from collections.abc import Iterator
from typing import Final

from settlement.workbooks.compound import stream
from settlement.workbooks.marks import FORMULA, Marks, Place, is_percentage
from settlement.workbooks.xlsx import BadWorkbook

_STREAMS: Final = ("Workbook", "Book")
_BOF, _EOF, _BOUNDSHEET, _FILEPASS, _XF, _FORMAT = 0x0809, 0x000A, 0x0085, 0x002F, 0x00E0, 0x041E
_BOOLERR, _FORMULA, _STRING, _NUMBER, _RK, _MULRK = 0x0205, 0x0006, 0x0207, 0x0203, 0x027E, 0x00BD
_ROW: Final = 0x0208
_HIDDEN: Final = 0x0020
"""Flag of a row that is not shown."""
_BEFORE_STRING: Final = (0x04BC, 0x0221, 0x0236, 0x003C)
"""Records that may stand between a formula and its text: shared formula, array, table, continued."""
_BIFF8: Final = 0x0600
_ON_OPENING: Final = 0x0002
"""Flag of a formula: to be computed when the workbook is opened."""
_ERRORS: Final = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}


def marks(data: bytes, number: int, sheets: int) -> Marks:
    """Return what sheet ``number``, from 0, of that many says of its cells. Raises BadWorkbook and struct.error."""
    content = next((found for name in _STREAMS if (found := stream(data, name)) is not None), None)
    if content is None:
        raise BadWorkbook("it holds no workbook")
    offsets, percentages = _globals(content)
    if len(offsets) != sheets:
        raise BadWorkbook(f"it lists {len(offsets)} sheets where {sheets} are found")
    sheet = _XlsSheet(percentages)
    depth = 0
    for kind, body in _records(content, offsets[number]):
        depth += (kind == _BOF) - (kind == _EOF)
        if depth == 0:
            break
        if depth == 1:
            # Deeper ones are the data of charts.
            sheet.record(kind, body)
    sheet.end_text()
    return Marks(sheet.unreadable, sheet.percentages, sheet.hidden)


def _records(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(content):
        kind, size = struct.unpack_from("<HH", content, at)
        at += 4
        yield kind, content[at : at + size]
        at += size


def _globals(content: bytes) -> tuple[list[int], set[int]]:
    """Return the offset of each sheet, and the styles that show percentages."""
    offsets: list[int] = []
    formats: list[int] = []
    codes: dict[int, str] = {}
    version = 0
    for kind, body in _records(content, 0):
        if kind == _BOF:
            (version,) = struct.unpack_from("<H", body)
        elif kind == _FILEPASS:
            raise BadWorkbook("it is encrypted")
        elif kind == _BOUNDSHEET:
            offsets.append(struct.unpack_from("<I", body)[0])
        elif kind == _XF:
            formats.append(struct.unpack_from("<H", body, 2)[0])
        elif kind == _FORMAT:
            (number,) = struct.unpack_from("<H", body)
            codes[number] = _code(body[2:], version)
        elif kind == _EOF:
            break
    styles = (place for place, number in enumerate(formats) if is_percentage(number, codes.get(number)))
    return offsets, set(styles)


def _code(body: bytes, version: int) -> str:
    """Return the code of a number format; signs beyond ASCII do not matter in it."""
    if version < _BIFF8:
        return body[1:].decode("latin-1")
    return body[3:].decode("utf-16-le" if body[2] & 1 else "latin-1", errors="replace")


class _XlsSheet:
    """Takes the records of a sheet, one after the other, and keeps what is not a plain value."""

    def __init__(self, percentages: set[int]) -> None:
        self.unreadable: dict[Place, str] = {}
        self.percentages: set[Place] = set()
        self.hidden: set[int] = set()
        self._styles = percentages
        self._awaited: Place | None = None

    def record(self, kind: int, body: bytes) -> None:
        if kind == _STRING:
            self._awaited = None
        elif kind not in _BEFORE_STRING:
            self.end_text()
        if kind == _ROW and struct.unpack_from("<H", body, 12)[0] & _HIDDEN:
            self.hidden.add(struct.unpack_from("<H", body)[0])
        elif kind == _BOOLERR:
            row, column, _, value, is_error = struct.unpack_from("<HHHBB", body)
            if is_error:
                self.unreadable[row, column] = _ERRORS.get(value, "#ERROR!")
        elif kind == _FORMULA:
            self._formula(body)
        elif kind in (_NUMBER, _RK):
            self._style(*struct.unpack_from("<HHH", body))
        elif kind == _MULRK:
            row, first = struct.unpack_from("<HH", body)
            for place in range((len(body) - 6) // 6):
                self._style(row, first + place, *struct.unpack_from("<H", body, 4 + 6 * place))

    def end_text(self) -> None:
        """Keep the formula whose result is a text that has not come."""
        if self._awaited is not None:
            self.unreadable[self._awaited] = FORMULA
            self._awaited = None

    def _style(self, row: int, column: int, style: int) -> None:
        if style in self._styles:
            self.percentages.add((row, column))

    def _formula(self, body: bytes) -> None:
        row, column, style, kind, value, is_special, flags = struct.unpack_from("<HHHBxBxxxHH", body)
        self._style(row, column, style)
        if is_special == 0xFFFF and kind == 2:
            self.unreadable[row, column] = _ERRORS.get(value, "#ERROR!")
        elif flags & _ON_OPENING or (is_special == 0xFFFF and kind == 3):
            self.unreadable[row, column] = FORMULA
        elif is_special == 0xFFFF and kind == 0:
            self._awaited = (row, column)
