"""Statements that banks give as tables, CSV or XLSX, each read by the profile of its bank.

The balances decide whether a table has been read rightly: the column of balances has to agree with every single amount,
from the first row to the last or the other way round, or the balances above the table with all amounts together.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from goldx.protocol.units import BadValue, format_money
from settlement.banking.profiles import Profile
from settlement.banking.statements import BOOKED, BankStatement, Entry, EntryItem, check_arithmetic, fen_of, one_text
from settlement.workbooks import cells
from settlement.workbooks.as_read import AsRead
from settlement.workbooks.as_read import as_read as shown_as_read
from settlement.workbooks.cells import BadFile, Cell, Row, RowError, SheetTable, normal_heading

HEADING_WITHIN: Final = 30
MONEY: Final = re.compile(r"[-+]?([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)(\.[0-9]{1,2})?")
EXACT_DIGITS: Final = 15
"""Digits that a number cell of a spreadsheet keeps."""


class _EntryRow(NamedTuple):
    """One row that is an entry; the balance after it where there is such a column."""

    entry: Entry
    moment: datetime
    balance_fen: int | None
    account: str
    currency: str


def read(table: SheetTable, profile: Profile, account: str | None = None) -> list[BankStatement]:
    """Return the statements of a table, one for each account; ``account`` where it names none. Raises BadFile."""
    place, columns = _heading(table, profile)
    above = _above(table.rows[:place], profile)
    notes: list[str] = []
    errors: list[RowError] = []
    lines: list[_EntryRow] = []
    for row in table.rows[place + 1 :]:
        first = next((cell.text for cell in row.cells if cell.text), "")
        if first.startswith(profile.footers):
            notes.append(f"line {row.line}: no entry: {one_text(cell.text for cell in row.cells)[:80]}")
            errors += [] if errors else _check_footer(row, columns, profile, lines)
            continue
        if unreadable := _unreadable(table, row, columns):
            errors += unreadable
            continue
        try:
            lines.append(_line(row, columns, profile))
        except BadValue as error:
            errors.append(RowError(row.line, error.field, str(error)))
    if errors:
        raise BadFile(errors)
    groups: dict[str, list[_EntryRow]] = {}
    for line in lines:
        groups.setdefault(line.account or above.get("account", "") or account or "", []).append(line)
    if "" in groups or not groups:
        number = table.rows[place].line
        raise BadFile(
            [
                RowError(
                    number,
                    "account" if groups else "row",
                    "the table does not say which account it is of" if groups else "no entry stands below the heading",
                )
            ]
        )
    return [_statement(table, profile, number, group, above, notes) for number, group in groups.items()]


def as_read(table: SheetTable, profile: Profile) -> AsRead:
    """Return a table as it was read. Raises BadFile."""
    place, columns = _heading(table, profile)
    fields = {at: field for field, places in columns.items() for at in places}
    return shown_as_read(table, table.rows[place:], [fields.get(at) for at in range(len(table.rows[place].cells))])


def _heading(table: SheetTable, profile: Profile) -> tuple[int, dict[str, list[int]]]:
    """Return the place of the heading and the columns of each field. Raises BadFile."""
    missing: list[str] = list(profile.needed)
    for place, row in enumerate(table.rows[:HEADING_WITHIN]):
        headings = [normal_heading(cell.text) for cell in row.cells]
        found = {
            field: [headings.index(name) for name in names if name in headings]
            for field, names in profile.columns.items()
        }
        lacking = [field for field in profile.needed if not found[field]]
        if not lacking:
            return place, {field: at for field, at in found.items() if at}
        missing = min(missing, lacking, key=len)
    names = ", ".join(f"{field} ({' or '.join(profile.columns[field])})" for field in missing)
    raise BadFile([RowError(1, "heading", f"no row is the heading of profile {profile.name}: there is no {names}")])


def _above(rows: Sequence[Row], profile: Profile) -> dict[str, str]:
    """Return the values above the heading: ``label: value`` in one cell, or the value in the cell after the label."""
    found: dict[str, str] = {}
    for row in rows:
        texts = [cell.text for cell in row.cells if cell.text]
        for place, text in enumerate(texts):
            label, colon, value = unicodedata.normalize("NFKC", text).partition(":")
            for field, names in profile.above.items():
                if normal_heading(label) in names:
                    value = (
                        value.strip() if colon and value.strip() else texts[place + 1] if place + 1 < len(texts) else ""
                    )
                    found.setdefault(field, value)
    return found


def _unreadable(table: SheetTable, row: Row, columns: Mapping[str, Sequence[int]]) -> list[RowError]:
    """Return what is wrong with the cells of a row that hold no value."""
    places = ((field, place) for field, at in columns.items() for place in at if place < len(row.cells))
    return [error for field, place in places if (error := table.unreadable(row, place, field)) is not None]


def _cell(row: Row, columns: Mapping[str, Sequence[int]], field: str) -> Cell:
    at = columns.get(field, ())
    return row.cells[at[0]] if at and at[0] < len(row.cells) else Cell("")


def _plain(field: str, cell: Cell) -> str:
    """Return a number or name as text. Raises BadValue where a spreadsheet has made a number of too many digits."""
    if cell.kind == cells.NUMBER and len(cell.text) > EXACT_DIGITS:
        return cells.plain_text(field, cell)
    return one_text([cell.text.strip("'`")])


def money(field: str, cell: Cell) -> int | None:
    """Return an amount as fen, None for an empty cell. Raises BadValue for anything else that is no amount."""
    text = unicodedata.normalize("NFKC", cells.decimal_text(field, cell, 2)).strip(" '`¥￥").replace(" ", "")
    if not text or text in ("-", "--"):
        return None
    if MONEY.fullmatch(text) is None:
        raise BadValue(field, cell.text[:40], "an amount such as 1,234.56, with at most two decimals")
    return fen_of(field, text.replace(",", ""))


def _moment(field: str, cell: Cell, formats: Sequence[str]) -> datetime:
    """Return a date, with its time where the cell has one. Raises BadValue."""
    for form in ("%Y-%m-%d",) if cell.kind == cells.DATE else formats:
        try:
            return datetime.strptime(cell.text, form)  # noqa: DTZ007 (the bank's own time, of no time zone)
        except ValueError:
            continue
    raise BadValue(field, cell.text[:40], "a date such as " + " or ".join(formats))


def _line(row: Row, columns: Mapping[str, Sequence[int]], profile: Profile) -> _EntryRow:
    """Return a row as an entry. Raises BadValue."""
    value_cell = _cell(row, columns, "value_day")
    amount, reversal = _amount(row, columns, profile)
    moment = _moment("day", _cell(row, columns, "day"), profile.dates)
    texts = [_plain("text", row.cells[at]) for at in columns.get("text", ()) if at < len(row.cells)]
    plain = {
        field: _plain(field, _cell(row, columns, field))
        for field in ("reference", "name", "account", "virtual_account", "bank_reference", "code", "own_account")
    }
    numbers = {field: "".join(plain[field].split()) for field in ("account", "virtual_account", "own_account")}
    item = EntryItem(
        amount, plain["reference"], plain["name"], numbers["account"], numbers["virtual_account"], one_text(texts)
    )
    if amount < 0 and "account_out" in columns:
        other = [_plain(field, _cell(row, columns, field)) for field in ("name_out", "account_out")]
        item = item._replace(name=other[0], account="".join(other[1].split()))
    value_day = _moment("value_day", value_cell, profile.dates).date() if value_cell.text else None
    entry = Entry(row.line, moment.date(), value_day, amount, reversal, plain["bank_reference"], plain["code"], (item,))
    balance = None
    if "balance" in columns and (balance := money("balance", _cell(row, columns, "balance"))) is None:
        raise BadValue("balance", "", "the balance after the entry")
    return _EntryRow(entry, moment, balance, numbers["own_account"], _cell(row, columns, "currency").text)


def _amount(row: Row, columns: Mapping[str, Sequence[int]], profile: Profile) -> tuple[int, bool]:
    """Return the signed amount of a row, and whether it is a reversal, which is written as a negative amount."""
    if profile.sign == "columns":
        both = {field: money(field, _cell(row, columns, field)) for field in ("credit", "debit")}
        given = {field: amount for field, amount in both.items() if amount}
        if len(given) != 1:
            shown = " and ".join(f"{field} {_cell(row, columns, field).text!r}" for field in both)
            raise BadValue("amount", shown, "an amount in one of the two columns")
        ((field, amount),) = given.items()
        return (amount if field == "credit" else -amount), amount < 0
    amount = money("amount", _cell(row, columns, "amount")) or 0
    if amount == 0:
        raise BadValue("amount", _cell(row, columns, "amount").text, "an amount that is not zero")
    if profile.sign == "signed":
        return amount, False
    word = _cell(row, columns, "direction").text
    if word not in profile.directions:
        raise BadValue("direction", word, "one of " + ", ".join(profile.directions))
    return amount * profile.directions[word], amount < 0


def _check_footer(
    row: Row, columns: Mapping[str, Sequence[int]], profile: Profile, lines: Sequence[_EntryRow]
) -> Iterator[RowError]:
    """Yield an error where a footer that begins with the profile's first word gives other totals than the rows above.

    Only such a footer is a total of the whole table; those of pages are ignored.
    """
    if profile.sign != "columns" or not next(cell.text for cell in row.cells if cell.text).startswith(
        profile.footers[0]
    ):
        return
    for field, sign in (("credit", 1), ("debit", -1)):
        try:
            stated = money(field, _cell(row, columns, field))
        except BadValue:
            continue
        entries = [line.entry for line in lines]
        there = sum(sign * e.amount_fen for e in entries if (e.amount_fen * sign > 0) != e.reversal)
        if stated is not None and stated != there:
            text = f"the total is {format_money(stated)}, the rows above make {format_money(there)}"
            yield RowError(row.line, field, text)


def _statement(
    table: SheetTable,
    profile: Profile,
    account: str,
    lines: Sequence[_EntryRow],
    above: Mapping[str, str],
    notes: Sequence[str],
) -> BankStatement:
    """Return the entries of one account as a statement in the order of time. Raises BadFile."""
    first = lines[0].entry.line
    if lines[0].balance_fen is None:
        opening, closing = (_stated(first, field, above.get(field, "")) for field in ("opening", "closing"))
        if lines[0].entry.day > lines[-1].entry.day:
            lines = lines[::-1]
    else:
        lines = _in_order(lines)
        opening = (lines[0].balance_fen or 0) - lines[0].entry.amount_fen
        closing = lines[-1].balance_fen or 0
        for field, reached in (("opening", opening), ("closing", closing)):
            if above.get(field) and _stated(first, field, above[field]) != reached:
                text = f"it is {above[field]} above the table, by the rows it is {format_money(reached)}"
                raise BadFile([RowError(first, field, text)])
    words = {line.currency for line in lines if line.currency} or {above.get("currency", "")}
    if len(words) > 1:
        raise BadFile([RowError(first, "currency", f"account {account} has entries in {', '.join(sorted(words))}")])
    word = words.pop()
    statement = BankStatement(
        table.format,
        BOOKED,
        account,
        profile.currencies.get(normal_heading(word), word) or "CNY",
        "",
        min(line.entry.day for line in lines),
        max(line.entry.day for line in lines),
        opening,
        closing,
        tuple(line.entry for line in lines),
        tuple(notes),
    )
    check_arithmetic(first, statement)
    return statement


def _stated(line: int, field: str, text: str) -> int:
    try:
        found = money(field, Cell(text))
    except BadValue as error:
        raise BadFile([RowError(line, field, str(error))]) from error
    if found is None:
        raise BadFile([RowError(line, field, "it does not stand above the table")])
    return found


def _in_order(lines: Sequence[_EntryRow]) -> Sequence[_EntryRow]:
    """Return the lines in the order of time, as they are or the other way round.

    Raises BadFile where the balances hold in neither order, or in both and the times do not tell which it is.
    """
    orders = (lines, lines[::-1])
    wrong = [_first_wrong(ordered) for ordered in orders]
    if wrong == [None, None] and len(lines) > 1:
        times = sorted(line.moment for line in lines)
        possible = [ordered for ordered in orders if [line.moment for line in ordered] == times]
        if len(possible) != 1:
            text = "the balances hold from the first row to the last and the other way round: sort the rows by time"
            raise BadFile([RowError(lines[0].entry.line, "balance", text)])
        return possible[0]
    for ordered, place in zip(orders, wrong, strict=True):
        if place is None:
            return ordered
    # The order in which it holds longer is the file's.
    place, ordered = max(((place or 0, ordered) for place, ordered in zip(wrong, orders, strict=True)), key=_place)
    before, line = ordered[place - 1], ordered[place]
    text = f"{format_money(before.balance_fen or 0)} (line {before.entry.line}) and "
    text += f"{format_money(line.entry.amount_fen)} do not make {format_money(line.balance_fen or 0)}"
    raise BadFile([RowError(line.entry.line, "balance", text)])


def _place(found: tuple[int, Sequence[_EntryRow]]) -> int:
    return found[0]


def _first_wrong(lines: Sequence[_EntryRow]) -> int | None:
    """Return the place of the first line whose balance does not follow from the one before and its amount."""
    for place in range(1, len(lines)):
        if (lines[place - 1].balance_fen or 0) + lines[place].entry.amount_fen != lines[place].balance_fen:
            return place
    return None
