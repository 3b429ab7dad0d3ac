"""The cells of a table from outside, what they hold, and what is wrong with them.

A cell knows whether a spreadsheet stored it as text, as a number or as a date. Numbers arrive as binary floating point
whatever the sheet shows, so a number is only taken where it is a decimal of the places that the column allows, up to
the noise that summing in a spreadsheet leaves (``decimal_text``). What must be text, such as the number on a bar, is
refused in a number cell: leading zeros and digits beyond the fifteenth are lost there already.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from goldx.protocol.units import BadValue

NOISE_ULPS: Final = 4
"""How many units in the last place of the binary number are noise and not a figure."""
HEADING_WITHIN: Final = 20
"""The heading is one of so many first rows that hold anything."""

TEXT, NUMBER, DATE = "text", "number", "date"


class Cell(NamedTuple):
    """One cell: its text, a number without exponent, a date as 2026-11-24; ``kind`` is TEXT, NUMBER or DATE."""

    text: str
    kind: str = TEXT


class Row(NamedTuple):
    """The cells of one row; ``line`` is its place in the file or sheet, from 1."""

    line: int
    cells: tuple[Cell, ...]


class Table(NamedTuple):
    """A file that was read. ``dialect`` tells people how: encoding and separator, or the sheet's name."""

    format: str
    dialect: str
    rows: list[Row]


class RowError(NamedTuple):
    """An error in one row: its line, the column, and the problem."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.problem}"


class BadFile(Exception):
    """Raised for a file with errors, of which nothing was taken in; ``errors`` has all of them."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = list(errors)


def normal_heading(text: str) -> str:
    """Return a heading as it is compared: full-width forms folded, lower case, without spaces and punctuation."""
    return re.sub(r"[\s_\-.:()\[\]/]+", "", unicodedata.normalize("NFKC", text)).casefold()


def find_heading(table: Table, known: Iterable[str]) -> Iterator[Row]:
    """Return the rows from the heading on: the first row more than half of whose cells are ``known`` headings.

    ``known`` are headings as ``normal_heading`` returns them. Titles above the heading are passed over; where no row is
    a heading, the first one is taken for it.
    """
    names = frozenset(known)
    for place, row in enumerate(table.rows[:HEADING_WITHIN]):
        filled = [normal_heading(cell.text) for cell in row.cells if cell.text]
        if 2 * sum(name in names for name in filled) > len(filled):
            return iter(table.rows[place:])
    return iter(table.rows)


def plain_text(field: str, cell: Cell) -> str:
    """Return the text of a cell that must be text, such as the number on a bar.

    Raises BadValue for a cell that a spreadsheet made a number or a date.
    """
    if cell.kind != TEXT:
        raise BadValue(field, cell.text, f"a text cell: the spreadsheet made a {cell.kind} of what stood there")
    return cell.text


def decimal_text(field: str, cell: Cell, places: int) -> str:
    """Return a number cell as a decimal string of at most ``places`` decimals, a text cell as it is.

    Raises BadValue for a date, and for a number with more decimals: a sheet may show it rounded and hold another one.
    """
    if cell.kind == DATE:
        raise BadValue(field, cell.text, "a number: the spreadsheet made a date of what stood there")
    if cell.kind != NUMBER:
        return cell.text
    held = float(cell.text)
    stated = Decimal(cell.text).quantize(Decimal(1).scaleb(-places))
    if abs(float(stated) - held) > NOISE_ULPS * math.ulp(held):
        raise BadValue(field, cell.text, f"a number of at most {places} decimals: the cell holds more than it may show")
    return without_trailing_zeros(stated)


def decimal_comma(texts: Iterable[str]) -> bool:
    """Return whether the numbers of a file are written with a decimal comma (``401,125``).

    They are where no number has a point and at least one comma cannot separate thousands. Raises BadValue where it
    cannot be known: ``1,250`` alone may be either.
    """
    commas = [text for text in texts if "," in text]
    if not commas or any("." in text for text in texts):
        return False
    if any(re.fullmatch(r"-?[0-9]+,[0-9]+", text) is None for text in commas):
        return False
    if all(re.fullmatch(r"-?[1-9][0-9]{0,2},[0-9]{3}", text) for text in commas):
        allowed = "written with a point, or with a decimal comma that is declared: it may be either"
        raise BadValue("number", commas[0], allowed)
    return True


def without_trailing_zeros(number: Decimal) -> str:
    """Return a decimal without exponent and without zeros at the end of its fraction."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
