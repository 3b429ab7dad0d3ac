"""Cells of a workbook whose values cannot be read, and percentages.

A library that reads values gives an empty one for an error, and for a formula that no spreadsheet program has computed.
Empty is not unreadable: an empty year is a bar without a year. So the sheet itself is read for what stands in such
cells (``settlement.workbooks.xlsx``, ``settlement.workbooks.xls``).
"""

import re
from typing import Final, NamedTuple, TypeAlias

Place: TypeAlias = tuple[int, int]
"""Row and column of a cell, both from 0."""

FORMULA: Final = "="
"""First character of what stands in a cell that holds a formula without a value."""
_PERCENT_FORMATS: Final = frozenset((9, 10))
"""Numbers of the formats of a percentage that every workbook has."""
_NOT_A_SIGN: Final = re.compile(r'"[^"]*"|\\.')
_ERROR: Final = re.compile(r"#[^\s#]{1,20}[!?]|#N/A|#N/D|#NV|#GETTING_DATA|##+|Err:[0-9]{3}")


class Marks(NamedTuple):
    """The cells of one sheet that hold no value that can be read, with what stands there, and the percentages.

    ``hidden`` are the rows, from 0, that the sheet does not show.
    """

    unreadable: dict[Place, str]
    percentages: set[Place]
    hidden: set[int]


def is_percentage(number: int, code: str | None) -> bool:
    """Return whether a number format, by its number and code, shows a hundred times the number that a cell holds."""
    return number in _PERCENT_FORMATS if code is None else "%" in _NOT_A_SIGN.sub("", code)


def is_error(text: str) -> bool:
    """Return whether a text is what spreadsheet programs show for an error, or for a column that is too narrow."""
    return _ERROR.fullmatch(text) is not None
