"""Files of an inventory count: the list that a counter fills in, and numbers that a scanner has read.

The list is blind: it has the marks of the bars and neither weights nor seals. It is written as a workbook and read
again when it is filled in; ``found`` is yes or no, and a line with a weight or a seal counts as found. A scan has one
bar a row: its number, and where it has them maker, year and weight. A number alone is that of the one bar of the list
with this number.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.spelling import fold
from settlement.base.texts import mark
from settlement.intake import files
from settlement.intake.bar_columns import YEARS
from settlement.intake.bar_rows import BarKey
from settlement.lots import scales
from settlement.reconciliation import count_results, count_sessions
from settlement.reconciliation.count_results import LIST, SCAN, CountResult
from settlement.workbooks import writing
from settlement.workbooks.cells import BadFile, Cell, RowError, SheetTable, decimal_text, normal_heading, plain_text
from settlement.workbooks.headings import HEADINGS

COLUMNS: Final = ("line", "refiner", "serial", "year", "found", "gross_g", "seal", "condition")
KIND: Final = "count"
SPARE_LINES: Final = 20
"""Empty lines for bars that are not on the list of a full count."""
_OWN: Final[Mapping[str, str]] = {
    normal_heading(name): column
    for column, names in {
        "found": ("found", "there", "在库", "实盘", "是否在库"),
        "condition": ("condition", "remarks", "状况", "外观", "备注"),
        "line": ("line", "no", "行号", "序号"),
        "serial": ("scan", "barcode", "条码", "扫描"),
    }.items()
    for name in names
}
_KNOWN: Final[Mapping[str, str]] = {**HEADINGS, **_OWN}
_YES: Final = frozenset(("yes", "y", "1", "true", "x", "是", "有", "√", "✓"))
_NO: Final = frozenset(("no", "n", "0", "false", "否", "无", "×"))


def blank_list(row: Row[Any], bars: Sequence[Row[Any]]) -> bytes:
    """Return the blind list of a count as XLSX, with empty lines at the end where other bars may be found."""
    rows: list[tuple[writing.Out, ...]] = [
        (bar.line, bar.refiner, bar.serial, bar.year or None, None, None, None, None) for bar in bars
    ]
    if row.extent == count_sessions.FULL and row.status == "COUNTING":
        rows += [(len(rows) + number, *(None,) * 7) for number in range(1, SPARE_LINES + 1)]
    return writing.write_xlsx(f"Count {row.count_no} {row.warehouse}", COLUMNS, rows)


def _heading(table: SheetTable) -> tuple[int, list[str | None]]:
    """Return the place of the row with the headings and the column of each of its cells. Raises BadFile."""
    for place, row in enumerate(table.rows[:40]):
        names = [_KNOWN.get(normal_heading(cell.text)) for cell in row.cells]
        if "serial" in names:
            wanted = [name for name in names if name in COLUMNS]
            if len(wanted) != len(set(wanted)):
                raise BadFile([RowError(row.line, "file", "a column stands there twice")])
            return place, [name if name in COLUMNS else None for name in names]
    raise BadFile([RowError(1, "file", "no column `serial` with the numbers of the bars")])


def _weight(field: str, cell: Cell) -> int:
    return scales.parse_shown_weight(field, decimal_text(field, cell, 2)).cg


def _year(field: str, cell: Cell) -> int:
    text = decimal_text(field, cell, 0)
    if not text.isascii() or not text.isdigit() or not YEARS[0] <= int(text) <= YEARS[1]:
        raise BadValue(field, cell.text, f"a year from {YEARS[0]} to {YEARS[1]}")
    return int(text)


def _found(field: str, cell: Cell) -> bool:
    word = cell.text.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise BadValue(field, cell.text, "yes or no")


_READERS: Final[Mapping[str, Callable[[str, Cell], Any]]] = {
    "refiner": lambda field, cell: mark(field, plain_text(field, cell)),
    "serial": lambda field, cell: mark(field, plain_text(field, cell)),
    "year": _year,
    "found": _found,
    "gross_g": _weight,
    "seal": lambda field, cell: mark(field, plain_text(field, cell)),
    "condition": plain_text,
}


def read(table: SheetTable, expected: Sequence[BarKey]) -> tuple[list[CountResult], str]:
    """Return what a counter's file says of each bar, and whether it is a LIST or a SCAN.

    ``expected`` are the bars on the list. Lines that say nothing are left out. Raises BadFile with every error.
    """
    place, names = _heading(table)
    source = LIST if "found" in names else SCAN
    by_number: dict[str, list[BarKey]] = {}
    for key in expected:
        by_number.setdefault(fold(key.serial), []).append(key)
    results: list[CountResult] = []
    errors: list[RowError] = []
    lines: dict[BarKey, int] = {}
    for row in table.rows[place + 1 :]:
        values: dict[str, Any] = {}
        bad = len(errors)
        for name, cell in zip(names, row.cells, strict=False):
            if name in _READERS and cell.text.strip():
                try:
                    values[str(name)] = _READERS[str(name)](str(name), cell)
                except BadValue as error:
                    errors.append(RowError(row.line, error.field, str(error)))
        if len(errors) > bad or not _says_something(values, source):
            continue
        try:
            result = _result(values, by_number)
        except BadValue as error:
            errors.append(RowError(row.line, error.field, str(error)))
            continue
        if (before := lines.setdefault(result.key.compared, row.line)) != row.line:
            if source == LIST:
                errors.append(RowError(row.line, "serial", f"{result.key} stands in line {before} already"))
            continue
        results.append(result)
    if errors:
        raise BadFile(errors)
    return results, source


def _says_something(values: Mapping[str, Any], source: str) -> bool:
    """Return whether a line of a list was filled in; every line of a scan with a number is a bar that is there."""
    if source == SCAN:
        return "serial" in values
    return any(name in values for name in ("found", "gross_g", "seal"))


def _result(values: Mapping[str, Any], by_number: Mapping[str, Sequence[BarKey]]) -> CountResult:
    if "serial" not in values:
        raise BadValue("serial", "", "the number of the bar")
    about = (values.get("found", True), values.get("gross_g"), values.get("seal"), values.get("condition", ""))
    if "refiner" in values:
        return CountResult(BarKey(values["refiner"], values["serial"], values.get("year", 0)), *about)
    known = [key for key in by_number.get(fold(values["serial"]), ()) if values.get("year", key.year) == key.year]
    if len(known) != 1:
        allowed = "with its maker, as the list has no bar of this number" if not known else "with its maker, as the "
        allowed += "" if not known else f"list has {len(known)} bars of this number"
        raise BadValue("serial", values["serial"], allowed)
    return CountResult(known[0], *about)


async def take_in(connection: AsyncConnection, by: str, number: int, name: str, data: bytes, table: SheetTable) -> int:
    """Enter what a counter's file says, keep the file, and return how many bars it is about.

    Raises BadFile, BadValue, and Refused as ``count_results.enter`` and ``files.keep`` do.
    """
    await audit.lock(connection)
    row = await count_sessions.find(connection, number)
    turn = count_results.round_of(row)
    bars = await count_sessions.lines(connection, number)
    results, source = read(table, [BarKey(bar.refiner, bar.serial, bar.year) for bar in bars])
    entered = await count_results.enter(connection, by, number, results, source)
    result = {"count": number, "round": turn, "bars": entered, "source": source}
    await files.keep(connection, by, KIND, name, data, entered, result, f"count:{number} {turn} {by}")
    return entered
