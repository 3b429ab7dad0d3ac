"""The folded form, in which typed numbers and codes are compared.

``A000417``, ``a000417``, full width, ``'A000417`` from a spreadsheet and ``A 000417`` from a scan are one bar. Numbers
are stored as typed; two spellings are one number if their folded forms are equal. The database's unique indexes use the
same function, ``folded``, so that they refuse a second spelling from any source.

Folding means: NFKC, no invisible signs, no leading apostrophe, small letters of Latin (also those of Vietnamese and
other languages with many accents), Greek, Cyrillic and Armenian, one kind of hyphen. The lists are fixed, so that no
version of Python or Unicode and no locale of a server changes the result.
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
"""Blanks that NFKC does not turn into an ordinary one, signs without width, and invisible fillers and selectors."""

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
    """Return the folded form of a typed number or code."""
    text = typed if typed.isascii() else unicodedata.normalize("NFKC", typed).translate(_WIDE)
    return text.translate(_ASCII).lstrip("'")


def same(one: str, other: str) -> bool:
    """Return whether two texts are spellings of one number."""
    return fold(one) == fold(other)
