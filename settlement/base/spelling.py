"""The form in which numbers and codes that people type are compared, however they were typed.

One bar is ``A000417``, ``a000417``, full width, ``'A000417`` out of a spreadsheet or ``A 000417`` off a scan. What was
typed is kept; two spellings are one number where their folded forms are equal. The database has the same function,
``folded``, under its unique indexes, so that a second spelling is refused whoever adds it.

Folded is: NFKC, nothing that nobody sees, no apostrophe in front, small letters of Latin (also those of Vietnamese and
other languages with many accents), Greek, Cyrillic and Armenian, one kind of hyphen. The lists are closed, so that no
version of Python or Unicode and no locale of a server changes it.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

LETTERS: Final[Mapping[int, str]] = {
    code: small
    for code in (*range(0x80, 0x590), *range(0x1E00, 0x2000))
    if len(small := chr(code).lower()) == 1 and small != chr(code)
}
APOSTROPHES: Final = "\u2018\u2019\u02bc"
HYPHENS: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
INVISIBLE: Final = (
    "\u0085\u00ad\u1680\u200b\u200c\u200d\u2028\u2029\u2060\ufeff"
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Blanks that NFKC does not make an ordinary one, what has no width, and fillers and selectors that show nothing."""

_WIDE: Final[Mapping[int, str | None]] = {
    **LETTERS,
    **dict.fromkeys(map(ord, APOSTROPHES), "'"),
    **dict.fromkeys(map(ord, HYPHENS), "-"),
    **dict.fromkeys(map(ord, INVISIBLE)),
}
_ASCII: Final[Mapping[int, str | None]] = {
    **{code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)},
    **dict.fromkeys(map(ord, " \t\n\v\f\r")),
}


def fold(typed: str) -> str:
    """Return the form in which a typed number or code is compared."""
    text = typed if typed.isascii() else unicodedata.normalize("NFKC", typed).translate(_WIDE)
    return text.translate(_ASCII).lstrip("'")


def same(one: str, other: str) -> bool:
    """Return whether two texts are spellings of one number."""
    return fold(one) == fold(other)
