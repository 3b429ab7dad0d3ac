"""Bar lists as CSV: read whole, every bad row named, nothing taken in if there is one (columns: docs/settlement.md).

The *declared* columns say what a depositor sends, the *measured* ones what warehouse and laboratory found.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from goldx.terms import FORMS
from goldx.units import FINENESS_ONE, BadValue, parse_identifier
from settlement.arithmetic import format_cg, parse_decimal, parse_scale_weight
from settlement.schema import ORIGINS

MAX_ROWS = 100_000
REPLICATES = ("replicate_1", "replicate_2", "replicate_3", "replicate_4")
MAX_PPM = 1_000_000


class BarKey(NamedTuple):
    """What a lot is known by: maker or mark, number, year stamped (0: none)."""

    refiner: str
    serial: str
    year: int

    def __str__(self) -> str:
        return " ".join((self.refiner, self.serial, *([str(self.year)] if self.year else [])))


class Declared(NamedTuple):
    """One lot as its depositor declares it; ``line`` is where it stands in the file."""

    line: int
    key: BarKey
    symbol: str
    form: str
    account: str
    warehouse: str
    gross_cg: int
    fineness_e5: int
    origin: str
    origin_document: str


class Measured(NamedTuple):
    """What was found of one lot."""

    line: int
    key: BarKey
    seal: str
    weighed_cg: int
    scale: str
    xrf_e5: int
    melt_cg: int | None
    laboratory: str
    replicates_ppm: tuple[int, ...]


class RowError(NamedTuple):
    """What is wrong in one row: its line (the heading is line 1), the column, and why."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.problem}"


class BadBarList(Exception):
    """The file has errors; nothing of it was taken in."""

    def __init__(self, errors: list[RowError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


Row = TypeVar("Row", Declared, Measured)
_Read = Callable[[str, str], Any]


def _code(field: str, text: str) -> str:
    return parse_identifier(text, field)


def _word(field: str, text: str, longest: int = 64) -> str:
    if not 1 <= len(text) <= longest or not text.isprintable():
        raise BadValue(field, text, f"printable text of 1 to {longest} characters")
    return text


def _mark(field: str, text: str) -> str:
    return _word(field, text, 32)


def _year(field: str, text: str) -> int:
    return parse_decimal(field, text, 0, 1800, 2999, "a year") if text else 0


def _one_of(words: tuple[str, ...]) -> _Read:
    def read(field: str, text: str) -> str:
        if text not in words:
            raise BadValue(field, text, "one of " + ", ".join(words))
        return text

    return read


def _fineness(field: str, text: str) -> int:
    return parse_decimal(field, text, 2, 1, FINENESS_ONE, "per mille")


def _screening(field: str, text: str) -> int:
    return 100 * parse_decimal(field, text, 0, 1, 1_000, "whole per mille")


def _melt(field: str, text: str) -> int | None:
    return parse_scale_weight(field, text) if text else None


def _replicate(field: str, text: str) -> int | None:
    return parse_decimal(field, text, 3, 1, MAX_PPM, "per mille") if text else None


_KEY: Mapping[str, _Read] = {"refiner": _mark, "serial": _mark, "year": _year}
_DECLARED: Mapping[str, _Read] = {
    **{"symbol": _code, "form": _one_of(FORMS), "account": _code, "warehouse": _code},
    **{"gross_g": parse_scale_weight, "fineness_permille": _fineness},
    **{"origin": _one_of(ORIGINS), "origin_document": _word},
}
_MEASURED: Mapping[str, _Read] = {
    **{"seal": _mark, "weighed_g": parse_scale_weight, "scale": _mark, "xrf_permille": _screening, "melt_g": _melt},
    **{"laboratory": _mark, **dict.fromkeys(REPLICATES, _replicate)},
}
_MAY_BE_ABSENT = frozenset(("year", "melt_g", *REPLICATES[2:]))
COLUMNS = (*_KEY, *_DECLARED, *_MEASURED)


def read_declared(data: bytes) -> list[Declared]:
    """The declared columns of a bar list. Raises BadBarList with every bad row."""

    def make(line: int, key: BarKey, values: Mapping[str, Any]) -> Declared:
        return Declared(line, key, *(values[column] for column in _DECLARED))

    return _read(data, _DECLARED, make)


def read_measured(data: bytes) -> list[Measured]:
    """The measured columns of a bar list. Raises BadBarList with every bad row."""

    def make(line: int, key: BarKey, values: Mapping[str, Any]) -> Measured:
        results = tuple(values[column] for column in REPLICATES if values.get(column) is not None)
        if len(results) < 2:
            raise BadValue("replicate_2", "", "given: a fire assay has at least two replicates")
        melt = values.get("melt_g")
        if melt is not None and melt > values["weighed_g"]:
            raise BadValue("melt_g", format_cg(melt), "at most the weight before melting")
        weighed = (values["seal"], values["weighed_g"], values["scale"])
        return Measured(line, key, *weighed, values["xrf_permille"], melt, values["laboratory"], results)

    return _read(data, _MEASURED, make)


def _read(
    data: bytes, columns: Mapping[str, _Read], make: Callable[[int, BarKey, Mapping[str, Any]], Row]
) -> list[Row]:
    errors: list[RowError] = []
    found: list[Row] = []
    lines: dict[BarKey, int] = {}
    for line, row in _rows(data, {**_KEY, **columns}):
        values: dict[str, Any] = {}
        for column, read in (*_KEY.items(), *columns.items()):
            if column in row:
                try:
                    values[column] = read(column, row[column])
                except BadValue as error:
                    errors.append(RowError(line, column, str(error)))
        if len(values) < len([column for column in (*_KEY, *columns) if column in row]):
            continue
        key = BarKey(values["refiner"], values["serial"], values.get("year", 0))
        if key in lines:
            errors.append(RowError(line, "serial", f"{key} stands in line {lines[key]} already"))
            continue
        lines[key] = line
        try:
            found.append(make(line, key, values))
        except BadValue as error:
            errors.append(RowError(line, error.field, str(error)))
    if errors:
        raise BadBarList(sorted(errors))
    return found


def _rows(data: bytes, wanted: Mapping[str, _Read]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, column -> text) of each row; refuses the whole file where its shape is wrong."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadBarList([RowError(line, "file", f"byte {error.start} is not UTF-8 text")]) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heading = [name.strip() for name in next(reader, [])]
        _check_heading(heading, wanted)
        count = 0
        for cells in reader:
            if not cells:
                continue
            count += 1
            if count > MAX_ROWS:
                raise BadBarList([RowError(reader.line_num, "file", f"more than {MAX_ROWS} rows")])
            if len(cells) != len(heading):
                problem = f"{len(cells)} cells where the heading has {len(heading)}"
                raise BadBarList([RowError(reader.line_num, "row", problem)])
            yield reader.line_num, {name: cell.strip() for name, cell in zip(heading, cells, strict=True)}
        if not count:
            raise BadBarList([RowError(1, "file", "no rows")])
    except csv.Error as error:
        raise BadBarList([RowError(reader.line_num, "row", str(error))]) from error


def _check_heading(heading: list[str], wanted: Mapping[str, _Read]) -> None:
    errors = [RowError(1, name, "is not a column of a bar list") for name in heading if name not in COLUMNS]
    errors += [RowError(1, name, "stands there twice") for name in sorted(set(heading)) if heading.count(name) > 1]
    missing = [name for name in wanted if name not in heading and name not in _MAY_BE_ABSENT]
    errors += [RowError(1, name, "is missing") for name in missing]
    if errors:
        raise BadBarList(errors)
