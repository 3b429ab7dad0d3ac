"""The output of commands: tables with headings and single records, or with ``--json`` one JSON object a line.

A heading is the name that the value has in JSON too, and ends with its unit: ``gross_g``, ``fineness_permille``,
``amount_cny``. On a terminal the columns of a table are aligned; otherwise they are separated by tabs.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import click

_WANTED: Final = "goldx.output.json"


class Both(NamedTuple):
    """A value that is shorter as text than in JSON."""

    text: str
    value: object


def _remember(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    context.meta[_WANTED] = wanted


JSON: Final = click.option(
    "--json", is_flag=True, expose_value=False, callback=_remember, help="One JSON object a line instead of text."
)
"""The option of every command that shows something; the functions below look at it themselves."""


def wants_json() -> bool:
    """Return whether the running command was given ``--json``."""
    return bool(click.get_current_context().meta.get(_WANTED))


class Table:
    """A table whose rows come bit by bit. ``columns`` are its headings, separated by blanks."""

    def __init__(self, columns: str) -> None:
        self.columns: Final = columns.split()
        self._widths: list[int] | None = None

    def print(self, rows: Iterable[Iterable[object]]) -> int:
        """Print more rows, under the headings if they are the first; return how many they were."""
        found = [tuple(row) for row in rows]
        if wants_json():
            for row in found:
                _echo_json(dict(zip(self.columns, row, strict=True)))
            return len(found)
        lines = [tuple(map(_text, row)) for row in found]
        if self._widths is None:
            lines.insert(0, tuple(self.columns))
            self._widths = [0] * len(self.columns)
        if sys.stdout.isatty():
            columns = zip(*lines, strict=True)
            widths = [max(map(width_of, column)) for column in columns] or self._widths
            self._widths = [max(pair) for pair in zip(widths, self._widths, strict=True)]
        for line in lines:
            click.echo(_line(line, self._widths))
        return len(found)


def print_table(columns: str, rows: Iterable[Iterable[object]]) -> int:
    """Print a whole table and return how many rows it has."""
    return Table(columns).print(rows)


def print_record(record: Mapping[str, Any]) -> None:
    """Print one record: a line for each value, then a table for each list of records in it; in JSON one object."""
    if wants_json():
        _echo_json(record)
        return
    lists = {name: value for name, value in record.items() if _is_table(value)}
    lines = [(name, _text(value)) for name, value in record.items() if name not in lists]
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)] if sys.stdout.isatty() else [0, 0]
    for line in lines:
        click.echo(_line(line, widths))
    for name, rows in lists.items():
        click.echo(f"\n{name}:")
        print_table(" ".join(rows[0]), (row.values() for row in rows))


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    if not any(widths):
        return "\t".join(cells)
    padded = (cell + " " * (width - width_of(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _text(value: object) -> str:
    if isinstance(value, Both):
        value = value.text
    if value is None or value in ("", (), []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping) or _is_table(value):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return " ".join(str(value).split("\n")).replace("\t", " ")


def _echo_json(record: Mapping[str, Any]) -> None:
    plain = {name: value.value if isinstance(value, Both) else value for name, value in record.items()}
    click.echo(json.dumps(plain, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else str(value)
