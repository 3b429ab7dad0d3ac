"""The cells of a table from outside, what they hold, and what is wrong with them.

A cell knows whether a spreadsheet stored it as text, as a number, a percentage or a date. It may hold nothing that can
be read at all: an error, a formula that was not computed, or a part of merged cells. Empty is none of these: each
reader asks ``unreadable`` of every cell of its rows. Numbers arrive as binary floating point whatever the sheet shows,
so a number is only taken where it is a decimal of the places that the column allows, up to the noise that summing in a
spreadsheet leaves (``decimal_text``). A value that must be text, such as the number on a bar, is refused in a number
cell: leading zeros and digits beyond the fifteenth are lost there already.
"""

import math
import re
import unicodedata
from collections.abc import Container, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from goldx.protocol.units import BadValue
from settlement.workbooks.marks import FORMULA

NOISE_ULPS: Final = 4
"""How many units in the last place of the binary number are noise and not a figure."""
HEADING_WITHIN: Final = 40
"""The number of first non-empty rows among which the heading is searched."""

MANY: Final = 4
"""So many known headings make a heading whatever stands beside them."""

TEXT, NUMBER, PERCENTAGE, DATE = "text", "number", "percentage", "date"
UNREADABLE = "unreadable"
"""Kind of a cell without a value; its text is what stands there: an error, or a formula after FORMULA."""
MERGED = "merged"
"""Kind of a cell that is merged with others, and is not the one of them that has the value; its text is empty."""


NO_VALUE: Final = (UNREADABLE, MERGED)


class Cell(NamedTuple):
    """One cell: its text, a number without exponent, a date as 2026-11-24.

    ``kind`` is TEXT, NUMBER, PERCENTAGE (its text is the number that the cell holds, a hundredth of what it shows),
    DATE, UNREADABLE or MERGED.
    """

    text: str
    kind: str = TEXT


class Row(NamedTuple):
    """The cells of one row; ``line`` is its place in the file or sheet, from 1."""

    line: int
    cells: tuple[Cell, ...]


class RowError(NamedTuple):
    """An error in one row: its line, the column, and the problem."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.problem}"


_SIMPLIFIED: Final = str.maketrans(
    "廠煉產編號條錠塊鑄種級態類別賬帳戶倉庫點純來證據單國賣覈驗採礦許資稅憑證簽鉛復複秤磅稱入譜檢熒瑩後樣檢機構狀況貨關總",
    "厂炼产编号条锭块铸种级态类别账账户仓库点纯来证据单国卖核验采矿许资税凭证签铅复复秤磅称入谱检荧荧后样检机构状况货关总",
)
"""Traditional characters of the known headings, and the simplified ones."""
_COMPUTE: Final = "open the file in a spreadsheet program and save it there, or type the value"
_CORRECT: Final = "correct it in the spreadsheet, or type the value, and save the file again"


def cell_name(line: int, place: int) -> str:
    """Return the name of a cell, such as ``AB12``, by its line from 1 and its place in the row from 0."""
    letters, rest = "", place + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{line}"


class SheetTable(NamedTuple):
    """A file that was read.

    ``dialect`` tells people how: encoding and separator, or the sheet's name. ``how`` says of each of these what it is,
    and what shows it.
    """

    format: str
    dialect: str
    rows: list[Row]
    how: tuple[str, ...] = ()

    def unreadable(self, row: Row, place: int, column: str) -> RowError | None:
        """Return what is wrong with a cell that holds no value; None for any other. ``place``: in its row, from 0.

        Every reader asks this of every cell of the rows that it reads, before it takes the cell's text for anything.
        """
        cell = row.cells[place]
        if cell.kind not in NO_VALUE:
            return None
        where = (
            f"cell {place + 1} of the row" if self.format == "CSV" else f"{cell_name(row.line, place)}, {self.dialect}"
        )
        if cell.kind == MERGED:
            problem = f"{where}, is merged with other cells: undo that, and give every row its own value"
        elif cell.text.startswith(FORMULA):
            formula = "" if cell.text == FORMULA else f", {cell.text[:60]}"
            problem = f"{where}, holds a formula without a value{formula}: {_COMPUTE}"
        else:
            problem = f"{where}, holds the error {cell.text[:60]}: {_CORRECT}"
        return RowError(row.line, column or "row", problem)


class BadFile(Exception):
    """Raised for a file with errors, of which nothing was taken in; ``errors`` has all of them."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = list(errors)


def normal_heading(text: str) -> str:
    """Return a heading as it is compared.

    Full-width forms are folded, letters small, traditional characters simplified; without spaces and punctuation.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s_\-.:()\[\]/]+", "", folded).translate(_SIMPLIFIED)


def is_heading(texts: Sequence[str], known: Container[str], at_least: int = 2) -> bool:
    """Return whether a row is the heading: more than half of its texts are ``known`` headings, or MANY of them.

    At least ``at_least`` are; known ones are as ``normal_heading`` returns them.
    """
    number = sum(normal_heading(text) in known for text in texts)
    return number >= at_least and (2 * number > len(texts) or number >= MANY)


def find_heading(table: SheetTable, known: Container[str]) -> Sequence[Row]:
    """Return the rows from the heading on: the first row that ``is_heading``.

    Titles above the heading are passed over; where no row is a heading, the first one is taken for it.
    """
    for place, row in enumerate(table.rows[:HEADING_WITHIN]):
        if is_heading([cell.text for cell in row.cells if cell.text], known):
            return table.rows[place:]
    return table.rows


def plain_text(field: str, cell: Cell) -> str:
    """Return the text of a cell that must be text, such as the number on a bar.

    Raises BadValue for a cell that a spreadsheet made a number or a date.
    """
    if cell.kind != TEXT:
        raise BadValue(field, cell.text, f"a text cell: the spreadsheet made a {cell.kind} of the text")
    return cell.text


def decimal_text(field: str, cell: Cell, places: int) -> str:
    """Return a number cell as a decimal string of at most ``places`` decimals, a text cell as it is.

    Raises BadValue for a date, and for a number with more decimals: a sheet may show it rounded and hold another one.
    """
    if cell.kind == DATE:
        raise BadValue(field, cell.text, "a number: the spreadsheet turned it into a date")
    if cell.kind == PERCENTAGE:
        allowed = "a number that is not shown as a percentage: the cell shows a hundred times what it holds"
        raise BadValue(field, cell.text, allowed)
    if cell.kind != NUMBER:
        return cell.text
    held = float(cell.text)
    try:
        stated = Decimal(cell.text).quantize(Decimal(1).scaleb(-places))
    except InvalidOperation as error:
        raise BadValue(field, cell.text[:40], "a number of at most 22 digits before the point") from error
    if abs(float(stated) - held) > NOISE_ULPS * math.ulp(held):
        raise BadValue(field, cell.text, f"a number of at most {places} decimals: the cell holds more than it may show")
    return without_trailing_zeros(stated)


POINT, COMMA = ".", ","
_PLAIN: Final = {POINT: re.compile(r"-?[0-9]+(\.[0-9]+)?"), COMMA: re.compile(r"-?[0-9]+(,[0-9]+)?")}
_GROUPED: Final = {
    POINT: re.compile(r"-?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?"),
    COMMA: re.compile(r"-?[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]+)?"),
}
_ONE_GROUP: Final = re.compile(r"-?[1-9][0-9]{0,2}[.,][0-9]{3}")
"""Digits that may be thousands or decimals: ``1,250``."""


def decimal_mark(field: str, texts: Iterable[str]) -> str:
    """Return the decimal mark of all typed numbers in a file: POINT or COMMA.

    It is the point if every text is a number with it, else the only mark with which every text is one. Raises BadValue,
    which calls the number ``field``, if this is not certain: ``1,250`` alone may be either.
    """
    marked = [text for text in texts if "," in text or "." in text]
    if all(_PLAIN[POINT].fullmatch(text) for text in marked):
        return POINT
    possible = [mark for mark in (POINT, COMMA) if all(_is_number(text, mark) for text in marked)]
    if len(possible) == 2:
        allowed = "written with a point, or with a decimal comma that is declared: it may be either"
        raise BadValue(field, next(text for text in marked if "," in text), allowed)
    return possible[0] if possible else POINT


def _is_number(text: str, mark: str) -> bool:
    if _PLAIN[mark].fullmatch(text):
        return True
    return _GROUPED[mark].fullmatch(text) is not None and (mark == POINT or not _ONE_GROUP.fullmatch(text))


def number_text(field: str, text: str, mark: str) -> str:
    """Return a number typed with the decimal ``mark``, with a point instead and without marks of thousands.

    The other mark may stand before groups of three digits, but not before the only group, which may be decimals. A text
    without marks is returned as it is. Raises BadValue.
    """
    if _PLAIN[mark].fullmatch(text):
        return text.replace(COMMA, POINT)
    other = COMMA if mark == POINT else POINT
    if _GROUPED[mark].fullmatch(text) and not _ONE_GROUP.fullmatch(text):
        return text.replace(other, "").replace(COMMA, POINT)
    if POINT in text or COMMA in text:
        name = "point" if mark == POINT else "comma"
        allowed = f"a number with a decimal {name} and no marks of thousands, or with all of them: 1{other}250{mark}00"
        raise BadValue(field, text, allowed)
    return text


def without_trailing_zeros(number: Decimal) -> str:
    """Return a decimal without exponent and without zeros at the end of its fraction."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
