"""Texts that people enter: names, reasons, numbers of documents."""

from goldx.protocol.units import BadValue


def printable(field: str, text: str, longest: int, least: int = 1) -> str:
    """Return the text if it is printable and neither too short nor too long. Raises BadValue, which names the field."""
    if not least <= len(text) <= longest or not text.isprintable():
        raise BadValue(field, text, f"printable text of {least} to {longest} characters")
    return text


def masked(text: str, first: int, last: int = 0) -> str:
    """Return a text with asterisks for all but its ``first`` and ``last`` characters."""
    return text[:first] + "*" * (len(text) - first - last) + text[len(text) - last :]
