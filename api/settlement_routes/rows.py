"""Projections: how rows of settlement become the objects of an answer."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from goldx.protocol.units import format_money, format_price, format_weight
from settlement.base.arithmetic import format_cg, format_fineness

FORMATS: Final[Mapping[str, Callable[[int], str]]] = {
    "mg": format_weight,
    "cg": format_cg,
    "fen": format_money,
    "adjustment": format_money,
    "price": format_price,
    "bid": format_price,
    "ask": format_price,
    "e5": format_fineness,
    "fineness": format_fineness,
}
"""How a quantity is written, by the last word of its column's name: grams, CNY, CNY per fine gram, per mille."""


class Projection:
    """A function that makes of a row the object that an answer shows of it.

    ``plain`` columns, named in one string with blanks between, keep their names and values; bytes become hexadecimal
    digits. ``written`` gives a field's name and the column that it writes as a decimal string, in the unit that the
    column's name ends with.
    """

    def __init__(self, plain: str, **written: str) -> None:
        self._plain = plain.split()
        self._written = {field: (column, FORMATS[column.rpartition("_")[2]]) for field, column in written.items()}

    def __call__(self, row: Any) -> dict[str, Any]:
        """Return the object of a row or a named tuple; a column that is None gives a field that is null."""
        found = {}
        for name in self._plain:
            value = getattr(row, name)
            found[name] = value.hex() if isinstance(value, bytes) else value
        for field, (column, write) in self._written.items():
            value = getattr(row, column)
            found[field] = None if value is None else write(value)
        return found


DIFFERENCE: Final = Projection("kind subject asset expected found unit note lot_id account cash_id")
"""A difference that a comparison has just found (``settlement.reconciliation.breaks.Break``)."""
PROBLEM: Final = Projection("line column problem")
"""A problem in a line of a file (``settlement.workbooks.cells.RowError``)."""
