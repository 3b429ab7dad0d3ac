"""Reading the named parameters of a request. Everything raises BadValue, naming the parameter and what is allowed."""

from collections.abc import Mapping
from typing import Any, Final

from goldx.protocol.units import BadValue
from settlement.base.paging import LONGEST

MAX_ROWS: Final = LONGEST
"""The largest number of rows in one answer."""
LISTS_OF_MEMBERS: Final = ("members", "buyers")
"""Fields of commands with the codes of members."""


def check_names(params: Mapping[str, Any], *names: str) -> None:
    """Raise BadValue if a parameter is not one of ``names``."""
    for name in params:
        if name not in names:
            raise BadValue(str(name)[:40], params[name], "one of the parameters " + (", ".join(names) or "(none)"))


def read_rows(params: Mapping[str, Any], name: str, default: int) -> int:
    """Return a number of rows from 1 to MAX_ROWS, or ``default`` if the parameter is missing or null."""
    value = params.get(name)
    return default if value is None else check_whole(name, value, 1, MAX_ROWS)


def check_whole(name: str, value: object, lowest: int, largest: int) -> int:
    """Return a value that is a whole number from ``lowest`` to ``largest``."""
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= largest:
        raise BadValue(name, value, f"a whole number from {lowest} to {largest}")
    return value


def read_flag(params: Mapping[str, Any], name: str) -> bool:
    """Return a parameter that must be given as true or false."""
    value = params.get(name)
    if not isinstance(value, bool):
        raise BadValue(name, value, "true or false")
    return value


def check_members(command: Any) -> None:
    """Raise BadValue for a command that names a member twice in a list. Journals from before may have that."""
    for name in LISTS_OF_MEMBERS:
        members = getattr(command, name, ())
        if len(set(members)) < len(members):
            raise BadValue(name, list(members), "each member once")
