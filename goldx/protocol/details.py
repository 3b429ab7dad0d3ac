"""The detail of a refusal: the field, term or act that it concerns and what holds for it, in one text.

The engine writes details into the events ``order.rejected`` and ``command.rejected``, where they are part of what a
replay of the journal has to repeat; gateways read the field and what is allowed there from some of them. Both use this
module, so that the text is a defined encoding there: a name, a colon and a blank, and then words for people, which no
program reads.
"""

import re
from typing import Final, NamedTuple

ABOUT_FIELDS: Final = frozenset({"BAD_QUANTITY", "BAD_VALUE", "TOO_LATE", "UNKNOWN_MEMBER"})
"""The reasons under which a detail about a member's command is one that ``write_detail`` gives.

The details of other reasons may begin with what a member has chosen, such as the id of an order.
"""
_FORM: Final = re.compile(r"([a-z][a-z0-9_.]*): (.+)", re.DOTALL)


class FieldDetail(NamedTuple):
    """A field of the command, and the words that say what is allowed there, or what is wrong with it."""

    field: str
    allowed: str


def write_detail(field: str, allowed: str) -> str:
    """Return the text of a detail, such as ``side: buy or sell``."""
    return f"{field}: {allowed}"


def read_detail(reason: str, text: str | None) -> FieldDetail | None:
    """Return the field and the words of a detail, or None where the reason or its detail concerns no field."""
    found = _FORM.fullmatch(text) if text and reason in ABOUT_FIELDS else None
    return None if found is None else FieldDetail(found[1], found[2])
