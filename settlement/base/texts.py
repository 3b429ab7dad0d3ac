"""What people type into a form: names, reasons, numbers of documents."""

from goldx.protocol.units import BadValue


def printable(field: str, text: str, longest: int, least: int = 1) -> str:
    """The text, if it is printable and neither too short nor too long. Raises BadValue naming the field."""
    if not least <= len(text) <= longest or not text.isprintable():
        raise BadValue(field, text, f"printable text of {least} to {longest} characters")
    return text
