"""Payment files in CSV, for banks that take no XML: the table that a bank asks for is described in a file.

Such a file is in TOML, in the folder ``payment_tables`` beside this module or wherever a clerk keeps one. It has the
title, the encoding, the form of dates, and the columns in their order: each a heading with a field of the payment, or
with a text that is the same in every row.
"""

import codecs
import csv
import io
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from goldx.protocol.units import BadValue, format_money
from settlement.banking.payment_files import Debtor, Instruction, bank_number
from settlement.workbooks.writing import is_computed

FOLDER: Final = Path(__file__).with_name("payment_tables")
PLAIN: Final = "plain"
"""The table of a file for which none is named."""
ENCODINGS: Final = ("utf-8", "utf-8-sig", "gb18030", "gbk")
FIELDS: Final = (
    "row",
    "end_to_end",
    "amount",
    "date",
    "payer_account",
    "payer_name",
    "payee_name",
    "payee_account",
    "payee_bank",
    "payee_bank_number",
    "payee_bank_name",
)
"""The fields of a payment: the row's number from 1, the number by which the bank's answer names it, CNY with two
decimals, the day of the file, and both sides. The payee's bank is as it was given, or its number in the Chinese
payment system (empty where it was given by name), or its name (empty where it was given by number)."""
_KEYS: Final = frozenset(("title", "encoding", "date", "column"))
_COLUMN_KEYS: Final = frozenset(("heading", "field", "text", "longest"))


class TableColumn(NamedTuple):
    """A column: a field, or the same text in every row if ``field`` is empty; ``longest`` is in characters."""

    heading: str
    field: str
    text: str
    longest: int | None


class PaymentTable(NamedTuple):
    """The table that a bank asks for."""

    name: str
    title: str
    encoding: str
    date: str
    columns: tuple[TableColumn, ...]


@cache
def shipped() -> tuple[str, ...]:
    """Return the names of the tables that come with the program."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def find(name: str) -> PaymentTable:
    """Return a table that comes with the program. Raises BadValue for an unknown name."""
    if name not in shipped():
        raise BadValue("table", name, "one of " + ", ".join(shipped()))
    return parse(name, (FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def parse(name: str, text: str) -> PaymentTable:
    """Return a table from its description. Raises BadValue, naming its fault."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadValue("table", name, f"a file in TOML: {error}") from error
    _check_keys(f"table {name}", given, _KEYS)
    encoding = str(given.get("encoding", "utf-8"))
    if encoding not in ENCODINGS:
        raise BadValue(f"table {name}: encoding", encoding, "one of " + ", ".join(ENCODINGS))
    columns = given.get("column")
    if not isinstance(columns, list) or not columns:
        raise BadValue(f"table {name}: column", str(columns), "a list of columns, at least one")
    found = tuple(_column(f"table {name}: column {number}", each, encoding) for number, each in enumerate(columns, 1))
    for needed in ("end_to_end", "amount", "payee_name", "payee_account"):
        if needed not in {column.field for column in found}:
            raise BadValue(f"table {name}: column", needed, "among the fields: no payment can be made without it")
    return PaymentTable(name, str(given.get("title", name)), encoding, str(given.get("date", "%Y-%m-%d")), found)


def _column(where: str, given: Any, encoding: str) -> TableColumn:
    if not isinstance(given, Mapping):
        raise BadValue(where, str(given), "a table with heading, and field or text")
    _check_keys(where, given, _COLUMN_KEYS)
    heading, field, text, longest = (given.get(key) for key in ("heading", "field", "text", "longest"))
    if not isinstance(heading, str) or not heading:
        raise BadValue(f"{where}: heading", str(heading), "a text")
    _check_written(f"{where}: heading", heading, encoding)
    if (field is None) == (text is None):
        raise BadValue(where, heading, "either a field, or a text for every row")
    if field is not None and field not in FIELDS:
        raise BadValue(f"{where}: field", str(field), "one of " + ", ".join(FIELDS))
    if longest is not None and (not isinstance(longest, int) or isinstance(longest, bool) or longest < 1):
        raise BadValue(f"{where}: longest", str(longest), "a number of characters, at least 1")
    return TableColumn(heading, field or "", "" if text is None else str(text), longest)


def _check_keys(where: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    for key in given:
        if key not in known:
            raise BadValue(where, key, "one of " + ", ".join(sorted(known)))


def write(table: PaymentTable, at: datetime, debtor: Debtor, payments: Sequence[Instruction]) -> bytes:
    """Return the payments as the bank's table.

    Raises BadValue, naming the payment and the column, for a text that is longer than the bank takes, that its encoding
    cannot write, or that a spreadsheet would take for a formula: a payee's name is never cut or altered.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([column.heading for column in table.columns])
    for number, payment in enumerate(payments, 1):
        fields = _fields(number, table, at, debtor, payment)
        writer.writerow([_cell(table, column, fields, payment.end_to_end) for column in table.columns])
    return codecs.encode(out.getvalue(), table.encoding)


def _fields(number: int, table: PaymentTable, at: datetime, debtor: Debtor, payment: Instruction) -> dict[str, str]:
    cnaps = bank_number(payment.payee_bank)
    return {
        "row": str(number),
        "end_to_end": payment.end_to_end,
        "amount": format_money(payment.amount_fen),
        "date": at.strftime(table.date),
        "payer_account": debtor.account_number,
        "payer_name": debtor.holder,
        "payee_name": payment.payee_name,
        "payee_account": payment.payee_account,
        "payee_bank": payment.payee_bank,
        "payee_bank_number": cnaps,
        "payee_bank_name": "" if cnaps else payment.payee_bank,
    }


def _cell(table: PaymentTable, column: TableColumn, fields: Mapping[str, str], end_to_end: str) -> str:
    text = fields[column.field] if column.field else column.text
    where = f"payment {end_to_end}: {column.heading}"
    if column.longest is not None and len(text) > column.longest:
        raise BadValue(where, text, f"up to {column.longest} characters, in a file that the bank takes as {table.name}")
    if column.field and is_computed(text):
        raise BadValue(where, text, "a text that no spreadsheet takes for a formula: use pain.001 for this payment")
    _check_written(where, text, table.encoding)
    return text


def _check_written(where: str, text: str, encoding: str) -> None:
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        raise BadValue(where, text, f"characters of {encoding}, in which the bank takes its files") from error
