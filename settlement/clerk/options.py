"""Arguments and options that several commands of ``goldx clerk`` share."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

import click

from goldx.protocol.units import BadValue
from settlement.base.working_days import parse_day
from settlement.intake import bar_columns, bar_rows
from settlement.lots.provenance import ProvenanceRecord
from settlement.service.listings import combined
from settlement.tables.lots import ORIGINS
from settlement.workbooks.csv_files import ENCODINGS, SEPARATORS
from settlement.workbooks.formats import Stated

T = TypeVar("T")
NUMBER = click.argument("number", type=int)
LOT = click.argument("lot_id", type=int)
LOTS = click.argument("lot_ids", metavar="LOTS", type=int, nargs=-1, required=True)
REASON = click.option("--reason", required=True)
GONE = click.option("--gone", is_flag=True, help="Also lots that were released, returned, cancelled or melted away.")


class DayType(click.ParamType[date]):
    """The type of days such as ``2026-11-24``."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day that a text names; any other ends the command, with the text and the form that is wanted."""
        if isinstance(value, date):
            return value
        try:
            return parse_day("day", str(value))
        except BadValue as error:
            self.fail(str(error), param, ctx)


DAY = DayType()

PROVENANCE = combined(
    "record",
    ProvenanceRecord,
    click.option("--origin", required=True, type=click.Choice(ORIGINS)),
    click.option("--country", help="Two letters, such as CN."),
    click.option("--licence", help="The mine's licence; required for MINE."),
    click.option("--tax-proof", help="Proof of tax and royalty; required for MINE."),
    click.option("--seller-check", help="Number of the check of the seller's identity."),
    click.option("--document", "documents", multiple=True, help="Number of a paper; may be given several times."),
    click.option("--conflict-area", is_flag=True, help="From a conflict-affected or high-risk area."),
)
"""Where gold comes from; a ``ProvenanceRecord``."""

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
OUT = click.option("--out", required=True, type=click.Path(path_type=Path), help="Must not exist.")
PREVIEW = click.option("--preview", "only_preview", is_flag=True, help="Only say what would happen.")
SHEET = click.option("--sheet", help="The sheet to read, where a workbook has several.")
ENCODING = click.option("--encoding", type=click.Choice(ENCODINGS), help="Of a CSV; default: as its headings show.")
SEPARATOR = click.option(
    "--separator", type=click.Choice(list(SEPARATORS)), help="Of a CSV; default: as its headings show."
)
DECIMAL = click.option("--decimal", type=click.Choice(["point", "comma"]), help="Default: as the numbers show.")


def _columns(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for value in values:
        column, equals, text = value.partition("=")
        if not equals or column not in bar_columns.GIVEN or column in given:
            columns = ", ".join(bar_columns.GIVEN)
            raise click.BadParameter(f"{value!r} must be COLUMN=VALUE, once each, with one of {columns}")
        given[column] = text
    return given


SET = click.option(
    "--set", "given", multiple=True, callback=_columns, metavar="COLUMN=VALUE", help="A column for every row."
)


OTHER_YEARS = click.option(
    "--other-years",
    is_flag=True,
    help="A bar with the mark and number of a known one, but another year or none, is another bar.",
)


def _stated(sheet: str | None, encoding: str | None, separator: str | None) -> Stated:
    return Stated(sheet, encoding, separator)


def _reading(sheet: str | None, encoding: str | None, separator: str | None, decimal: str | None) -> bar_rows.Reading:
    return _reading_with(sheet, encoding, separator, decimal, {}, other_years=False)


def _reading_with(
    sheet: str | None,
    encoding: str | None,
    separator: str | None,
    decimal: str | None,
    given: dict[str, str],
    other_years: bool,
) -> bar_rows.Reading:
    comma = None if decimal is None else decimal == "comma"
    return bar_rows.Reading(given, Stated(sheet, encoding, separator), comma, other_years)


STATED = combined("stated", _stated, SHEET, ENCODING, SEPARATOR)
"""The form of a file; a ``Stated``."""
READING = combined("reading", _reading, SHEET, ENCODING, SEPARATOR, DECIMAL)
"""How a file is read; a ``Reading``."""
READING_WITH_COLUMNS = combined("reading", _reading_with, SHEET, ENCODING, SEPARATOR, DECIMAL, SET, OTHER_YEARS)
"""The same, with columns that are given beside the file."""


def contents(path: Path) -> bytes:
    """Return the bytes of a file; the command ends if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.ClickException(str(error)) from error


def shipped_or_file(
    field: str, name: str, shipped: Sequence[str], find: Callable[[str], T], parse: Callable[[str, str], T]
) -> T:
    """Return what a name stands for: a description that comes with the program, else the one in the file of that name.

    Raises BadValue where there is neither, and what ``parse`` raises, which gets the file's name and its text.
    """
    if name in shipped:
        return find(name)
    path = Path(name)
    if not path.is_file():
        raise BadValue(field, name, "a file, or one of " + ", ".join(shipped))
    try:
        return parse(path.stem, contents(path).decode())
    except UnicodeDecodeError as error:
        raise BadValue(field, name, "a file in UTF-8") from error


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet; the command ends if it does."""
    check_new(path)
    try:
        with path.open("xb") as target:
            target.write(data)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def check_new(path: Path) -> None:
    """End the command if a file that it would write exists already."""
    if path.exists():
        raise click.ClickException(f"{path} exists already: name a file that does not, or move this one away")
