"""Figures as people read them: weights in grams, money in CNY, fineness per mille; the name of each says so."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from goldx.protocol.units import CASH, format_money, format_weight
from settlement.base.arithmetic import format_cg, format_fineness

_UNITS: Final[Mapping[str, tuple[str, Callable[[int], str]]]] = {
    "mg": ("g", format_weight),
    "cg": ("g", format_cg),
    "fen": ("cny", format_money),
    "e5": ("permille", format_fineness),
}


def unit_of(asset: str) -> str:
    """Return the unit in which an amount of an asset is written: CNY, or fine grams of gold."""
    return CASH if asset == CASH else "g"


def in_units(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by name, each quantity as a decimal string in the unit that its name then ends with.

    ``gross_cg: 25608`` becomes ``gross_g: "256.08"``. So do those of records within records.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        stem, _, unit = name.rpartition("_")
        if isinstance(value, int) and unit in _UNITS:
            word, write = _UNITS[unit]
            found[f"{stem}_{word}"] = write(value)
        else:
            found[name] = _nested(value)
    return found


def _nested(value: object) -> object:
    if isinstance(value, Mapping):
        return in_units(value)
    return [_nested(one) for one in value] if isinstance(value, list) else value
