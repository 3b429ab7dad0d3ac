"""Profiles: how the tables of each bank, CSV or XLSX, are read as statements.

A profile is a file in TOML, in the folder ``banks`` beside this module or wherever a clerk keeps one. It gives the
headings of the columns, the rule for an amount's sign, the form of dates, the values above the heading, and the rows at
the end of a page or the file that are no entries. ``settlement.banking.tables`` reads by it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from goldx.protocol.units import BadValue
from settlement.workbooks.cells import normal_heading

FOLDER: Final = Path(__file__).with_name("banks")
FIELDS: Final = (
    "day",
    "value_day",
    "credit",
    "debit",
    "amount",
    "direction",
    "balance",
    "bank_reference",
    "reference",
    "name",
    "account",
    "name_out",
    "account_out",
    "virtual_account",
    "own_account",
    "currency",
    "code",
    "text",
)
"""The columns that a profile may name. Several headings of ``text`` are put together, of others the first is taken.

``name_out`` and ``account_out`` are the other side of money out, where that has columns of its own."""
SIGNS: Final[Mapping[str, tuple[str, ...]]] = {
    "columns": ("credit", "debit"),
    "direction": ("amount", "direction"),
    "signed": ("amount",),
}
"""Rules for the sign, with the columns that each needs: one column for each direction, a word beside the amount, or the
amount's own sign."""
ABOVE: Final = ("account", "opening", "closing", "currency")
KEYS: Final = frozenset(("title", "sign", "dates", "footers", "columns", "directions", "above", "currencies"))


class Profile(NamedTuple):
    """How the tables of one bank are read; headings as ``normal_heading`` gives them."""

    name: str
    title: str
    sign: str
    dates: tuple[str, ...]
    footers: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    directions: Mapping[str, int]
    above: Mapping[str, tuple[str, ...]]
    currencies: Mapping[str, str]

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings of all columns."""
        return tuple(name for names in self.columns.values() for name in names)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns without which a row is no heading."""
        return ("day", *SIGNS[self.sign])


@cache
def shipped() -> tuple[str, ...]:
    """Return the names of the profiles that come with the program."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def find(name: str) -> Profile:
    """Return a profile that comes with the program. Raises BadValue for an unknown name."""
    if name not in shipped():
        raise BadValue("profile", name, "one of " + ", ".join(shipped()))
    return parse(name, (FOLDER / f"{name}.toml").read_text())


def parse(name: str, text: str) -> Profile:
    """Return a profile from its text. Raises BadValue, naming its fault."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadValue("profile", name, f"a file in TOML: {error}") from error
    for key in given:
        if key not in KEYS:
            raise BadValue(f"profile {name}", key, "one of " + ", ".join(sorted(KEYS)))
    sign = str(given.get("sign"))
    if sign not in SIGNS:
        raise BadValue(f"profile {name}: sign", sign, "one of " + ", ".join(SIGNS))
    columns = _headings(name, "columns", given.get("columns"), FIELDS)
    above = _headings(name, "above", given.get("above", {}), ABOVE)
    for needed in ("day", *SIGNS[sign]):
        if needed not in columns:
            raise BadValue(f"profile {name}: columns", ", ".join(columns), f"with {needed}, which {sign!r} needs")
    if "balance" not in columns and not {"opening", "closing"} <= above.keys():
        raise BadValue(f"profile {name}: columns", ", ".join(columns), "with balance, or opening and closing above")
    directions = {**dict.fromkeys(_texts(name, "in", given.get("directions", {}).get("in", [])), 1)}
    directions |= dict.fromkeys(_texts(name, "out", given.get("directions", {}).get("out", [])), -1)
    return Profile(
        name,
        str(given.get("title", name)),
        sign,
        tuple(_texts(name, "dates", given.get("dates", ["%Y-%m-%d"]))),
        tuple(_texts(name, "footers", given.get("footers", []))),
        columns,
        directions,
        above,
        {normal_heading(word): str(code) for word, code in dict(given.get("currencies", {})).items()},
    )


def _texts(name: str, field: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise BadValue(f"profile {name}: {field}", str(value), "a list of texts")
    return value


def _headings(name: str, field: str, given: Any, known: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for column, headings in (given or {}).items():
        if column not in known:
            raise BadValue(f"profile {name}: {field}", column, "one of " + ", ".join(known))
        found[column] = tuple(map(normal_heading, _texts(name, column, headings)))
    return found
