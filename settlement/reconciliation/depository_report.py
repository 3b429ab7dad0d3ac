"""A depository's stock report: metal by depository, registered (under warrant) and eligible, with the day's movements.

The shape is that of the COMEX report (domain sheet 8.6): per depository the rows Registered, Eligible and Total, at the
end the grand totals, with the columns previous total, received, withdrawn, net change, adjustment, total today. Every
row and every total is computed again; errors are named by row.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from goldx.protocol.units import BadValue, format_decimal
from settlement.base.arithmetic import parse_padded_decimal
from settlement.workbooks import cells
from settlement.workbooks.as_read import AsRead
from settlement.workbooks.as_read import as_read as shown_as_read
from settlement.workbooks.cells import BadFile, Row, RowError, SheetTable, normal_heading
from settlement.workbooks.headings import DEPOSITORY, FIGURES

COLUMNS: Final = ("previous", "received", "withdrawn", "net", "adjustment", "total")
_LARGEST: Final = 10**18 - 1
CATEGORIES: Final = ("Registered", "Eligible")
_GRAND: Final = {"TOTAL REGISTERED": "Registered", "TOTAL ELIGIBLE": "Eligible", "COMBINED TOTAL": "Total"}


class Figures(NamedTuple):
    """Thousandths of the report's unit. ``net`` = received - withdrawn; total = previous + net + adjustment."""

    previous: int
    received: int
    withdrawn: int
    net: int
    adjustment: int
    total: int


class DepositoryStock(NamedTuple):
    """The stock of one depository in one category, ``Registered`` or ``Eligible``, in line ``line`` of the report."""

    line: int
    depository: str
    category: str
    figures: Figures


class DepositoryReport(NamedTuple):
    """A whole report; ``about`` are the titles above the table: metal, unit and dates."""

    about: tuple[str, ...]
    stocks: tuple[DepositoryStock, ...]

    def total(self, category: str | None = None) -> Figures:
        """Return the sum over all depositories, of one category or of both."""
        return _sum([stock.figures for stock in self.stocks if category in (None, stock.category)])


def is_report(table: SheetTable) -> bool:
    """Return whether a table has the headings of a depository's report."""
    return _heading_at(table) is not None


def read(table: SheetTable) -> DepositoryReport:
    """Read and check a report. Raises BadFile with every row that is wrong."""
    at = _heading_at(table)
    if at is None:
        wanted = ", ".join(("DEPOSITORY", "PREV TOTAL", "RECEIVED", "WITHDRAWN", "NET CHANGE", "ADJUSTMENT"))
        raise BadFile([RowError(1, "file", f"no row has the headings {wanted}, TOTAL TODAY")])
    if errors := _unreadable(table, at):
        raise BadFile(errors)
    places = {FIGURES.get(normal_heading(c.text)): n for n, c in enumerate(table.rows[at].cells) if c.text}
    about = tuple(cell.text for row in table.rows[:at] for cell in row.cells if cell.text)
    return DepositoryReport(about, tuple(_Body(places).read(table.rows[at + 1 :])))


def as_read(table: SheetTable) -> AsRead:
    """Return a report as it was read."""
    at = _heading_at(table) or 0
    rows = table.rows[at:]
    names = [normal_heading(cell.text) for cell in rows[0].cells] if rows else []
    return shown_as_read(table, rows, [FIGURES.get(name, name) or None for name in names])


def _unreadable(table: SheetTable, at: int) -> list[RowError]:
    """Return the cells that hold no value: any in titles and rows, and the merged ones among a row's figures."""
    heading = table.rows[at].cells
    names = {place: normal_heading(cell.text) for place, cell in enumerate(heading)}
    found = []
    for number, row in enumerate(table.rows):
        is_row = number > at and any(cell.text for cell in row.cells[1:])
        for place, cell in enumerate(row.cells):
            name = names.get(place)
            if cell.text or (is_row and name):
                column = FIGURES.get(name or "", name or "row")
                found.append(table.unreadable(row, place, column))
    return [error for error in found if error is not None]


def _heading_at(table: SheetTable) -> int | None:
    for number, row in enumerate(table.rows[: cells.HEADING_WITHIN]):
        found = {normal_heading(cell.text) for cell in row.cells}
        if DEPOSITORY in found and found >= FIGURES.keys():
            return number
    return None


def _sum(figures: Sequence[Figures]) -> Figures:
    return Figures(*(sum(figure[place] for figure in figures) for place in range(len(COLUMNS))))


class _Body:
    """Reads the rows under the heading, one depository after the other."""

    def __init__(self, places: Mapping[str | None, int]) -> None:
        self._places = places
        self._errors: list[RowError] = []
        self._stocks: list[DepositoryStock] = []
        self._depository = ""
        self._open: list[DepositoryStock] = []
        self._grand: set[str] = set()

    def read(self, rows: Sequence[Row]) -> list[DepositoryStock]:
        for row in rows:
            self._row(row)
            if len(self._grand) == len(_GRAND):
                break
        last = rows[-1].line if rows else 1
        if self._open:
            self._errors.append(RowError(last, self._depository, "has no row Total"))
        missing = [name for name in _GRAND if name not in self._grand]
        self._errors += [RowError(last, name, "is missing") for name in missing]
        if self._errors:
            raise BadFile(self._errors)
        return self._stocks

    def _row(self, row: Row) -> None:
        label = row.cells[0].text
        if not any(cell.text for cell in row.cells[1:]):
            self._begin(row.line, label)
            return
        figures = self._figures(row)
        if figures is None:
            return
        if label in CATEGORIES:
            self._hold(row.line, label, figures)
            if any(stock.category == label for stock in self._open) or not self._depository:
                self._errors.append(RowError(row.line, label, "stands there twice, or under no depository"))
            self._open.append(DepositoryStock(row.line, self._depository, label, figures))
        elif label == "Total" and self._open:
            self._compare(row.line, f"{self._depository}, Total", figures, _sum([s.figures for s in self._open]))
            self._stocks += self._open
            self._open = []
        elif label in _GRAND:
            category = _GRAND[label]
            mine = [s.figures for s in self._stocks if category in ("Total", s.category)]
            self._compare(row.line, label, figures, _sum(mine))
            self._grand.add(label)
        else:
            self._errors.append(RowError(row.line, label, "is not a row of a depository's report"))

    def _begin(self, line: int, name: str) -> None:
        if self._open:
            self._errors.append(RowError(line, self._depository, "has no row Total"))
            self._open = []
        if any(stock.depository == name for stock in self._stocks):
            self._errors.append(RowError(line, name, "stands there twice"))
        self._depository = name

    def _figures(self, row: Row) -> Figures | None:
        found = []
        for column in COLUMNS:
            place = self._places[column]
            try:
                cell = row.cells[place] if place < len(row.cells) else cells.Cell("")
                text = cells.decimal_text(column, cell, 3)
                if cell.kind == cells.TEXT:
                    text = cells.number_text(column, text, cells.POINT)
                found.append(_thousandths(column, text))
            except BadValue as error:
                self._errors.append(RowError(row.line, column, str(error)))
        return Figures(*found) if len(found) == len(COLUMNS) else None

    def _hold(self, line: int, label: str, given: Figures) -> None:
        net = given.received - given.withdrawn
        total = given.previous + net + given.adjustment
        self._compare(line, f"{self._depository}, {label}", given, given._replace(net=net, total=total))

    def _compare(self, line: int, what: str, stated: Figures, computed: Figures) -> None:
        for column, there, right in zip(COLUMNS, stated, computed, strict=True):
            if there != right:
                problem = f"{what}: {shown(there)} is stated, {shown(right)} follows from the rows"
                self._errors.append(RowError(line, column, problem))


def _thousandths(field: str, text: str) -> int:
    return parse_padded_decimal(field, text, 3, -_LARGEST, _LARGEST, "troy ounces")


def shown(thousandths: int) -> str:
    """Return thousandths as a decimal string with three decimals."""
    return format_decimal(thousandths, 3)
