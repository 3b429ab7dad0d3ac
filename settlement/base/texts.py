"""Texts that people enter: names, reasons, numbers of documents."""

from typing import Final

from goldx.protocol.units import BadValue
from settlement.base.spelling import fold

COMPUTED: Final = tuple("=+-@")
"""First characters of texts that a spreadsheet would evaluate."""


def printable(field: str, text: str, longest: int, least: int = 1) -> str:
    """Return the text if it is printable and neither too short nor too long. Raises BadValue, which names the field."""
    if not least <= len(text) <= longest or not text.isprintable():
        raise BadValue(field, text, f"printable text of {least} to {longest} characters")
    return text


def mark(field: str, text: str) -> str:
    """Return the mark of a maker, a number on a bar or a seal: printable text that no spreadsheet would evaluate.

    So every mark can be written to a file and read again. Raises BadValue.
    """
    if not 1 <= len(text) <= 32 or not text.isprintable() or not fold(text) or fold(text).startswith(COMPUTED):
        raise BadValue(field, text, "printable text of 1 to 32 characters that does not begin with = + - or @")
    return text


def masked(text: str, first: int, last: int = 0) -> str:
    """Return a text with asterisks for all but its ``first`` and ``last`` characters."""
    return text[:first] + "*" * (len(text) - first - last) + text[len(text) - last :]
