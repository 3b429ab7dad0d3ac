"""A warehouse's statement of its bars, read from a file: the columns of a bar list, and some of its own."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from goldx.protocol.units import BadValue, parse_identifier
from settlement.base.texts import printable
from settlement.base.working_days import parse_day
from settlement.intake import bar_columns, bar_rows
from settlement.intake.bar_columns import KEY, WEIGHT, CellReader
from settlement.intake.bar_rows import BarKey, Layout, Reading
from settlement.tables.lots import CUSTOMS
from settlement.workbooks import cells

STATUSES: Final = ("UNREGISTERED", "REGISTERED", "RECEIPTED", "PLEDGED", "FROZEN", "LOAD_OUT", "REJECTED")
"""The status that a statement may give for a bar."""
_STATUS_WORDS: Final[Mapping[str, str]] = {
    "未登记": "UNREGISTERED",
    "已登记": "REGISTERED",
    "已注册仓单": "RECEIPTED",
    "质押": "PLEDGED",
    "冻结": "FROZEN",
    "待提货": "LOAD_OUT",
    "拒收": "REJECTED",
}


class StatementBar(NamedTuple):
    """One line of a statement; None where the statement has no such column. A bar that was counted has no ``line``."""

    line: int | None
    key: BarKey
    gross_cg: int
    fineness_e5: int
    status: str | None
    seal: str | None
    customs: str | None
    owner: str | None = None
    day: date | None = None


def _status(field: str, cell: cells.Cell) -> str | None:
    if not cell.text:
        return None
    word = _STATUS_WORDS.get(cell.text, cell.text.upper())
    if word not in STATUSES:
        raise BadValue(field, cell.text, "one of " + ", ".join((*STATUSES, *_STATUS_WORDS)))
    return word


def _seal(field: str, cell: cells.Cell) -> str | None:
    return printable(field, cells.plain_text(field, cell), 64) if cell.text else None


def _owner(field: str, cell: cells.Cell) -> str | None:
    return parse_identifier(cells.plain_text(field, cell), field) if cell.text else None


def _day(field: str, cell: cells.Cell) -> date | None:
    return parse_day(field, cell.text) if cell.text else None


def _customs(field: str, cell: cells.Cell) -> str | None:
    return str(bar_columns.one_of(CUSTOMS)(field, cell)) if cell.text else None


_COLUMNS: Final[Mapping[str, CellReader]] = {
    **WEIGHT,
    "status": _status,
    "seal": _seal,
    "customs": _customs,
    "owner": _owner,
    "day": _day,
}


_STATED: Final = ("status", "seal", "customs", "owner", "day")
"""Columns that a statement may lack, in the order of the fields of StatementBar."""


def laid_out(table: cells.SheetTable, reading: Reading) -> Layout:
    """Return a statement under its headings."""
    return bar_rows.lay_out(table, _COLUMNS, (*KEY, *_COLUMNS), reading)


def read(table: cells.SheetTable, reading: Reading) -> list[StatementBar]:
    """Return the lines of a statement. Raises BadFile with every error; a bar that is listed twice is a break."""

    def make(line: int, key: BarKey, values: Mapping[str, Any]) -> StatementBar:
        weight = bar_columns.weight_and_fineness(values)
        return StatementBar(line, key, *weight, *(values.get(name) for name in _STATED))

    return bar_rows.rows_of(laid_out(table, reading), _COLUMNS, make, reading, unique=False).whole()
