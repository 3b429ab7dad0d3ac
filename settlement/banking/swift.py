"""MT940 and MT942 of SWIFT: statements of a customer's account, as text with tags.

The library reads the tags. Parts that it drops silently are handled here: tags and lines that it does not know, entries
without a type, texts before the first entry and after the closing balance, and files in other encodings.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import mt940

from goldx.protocol.units import BadValue, format_money
from settlement.banking.statements import (
    BOOKED,
    REPORT,
    BankStatement,
    Entry,
    EntryItem,
    check_arithmetic,
    fen_of,
    one_text,
    reference_of,
)
from settlement.workbooks.cells import BadFile, RowError

TAG: Final = re.compile(r":(?P<tag>[0-9]{2}[A-Z]?|NS):(?P<text>.*)")
FIRST: Final = "20"
ENTRY, DETAILS = "61", "86"
OPENING, CLOSING = ("60F", "60M"), ("62F", "62M")
AFTER: Final = ("64", "65", "86", "NS", "90C", "90D")
"""Tags that may follow the closing balance; none of them moves money."""
KNOWN: Final = frozenset((FIRST, "21", "25", "25P", "28", "28C", "13", "13D", "34F", *OPENING, ENTRY, *CLOSING, *AFTER))
MANY_LINES: Final = (ENTRY, DETAILS, "NS")
END: Final = "-"
OUTSIDE: Final = ""
FULL_LINE: Final = 65
"""Characters in a full line of the details of an entry."""
FRAME: Final = re.compile(r"(\{[1235]:.*|-(\}.*)?|\$|)")
"""Lines around the tags of a message: headers, its end, its trailer."""
MOVEMENT: Final = re.compile(
    r"[0-9]{6}([0-9]{4}| {4})?R?[DC][A-Z]?\s?[0-9]{1,12},[0-9]*([SNF][A-Z0-9 ]{3}.*|\n.*|)", re.DOTALL | re.IGNORECASE
)
"""An entry from its dates to its type. The library stops reading an amount at an unknown character, and continues."""
SLASHED: Final = re.compile(r"/(EREF|NAME)/+([^/]+)")
"""Parts of details that some banks divide by strokes."""
REMARK: Final = "MTLG:"
"""Before a remark of the bank, which the library reads as the end of the reference before it."""
TEXTS: Final = (
    "extra_details",
    "transaction_details",
    "posting_text",
    "purpose",
    "additional_purpose",
    "non_swift",
)
"""The texts of an entry, by the library's names."""
NO_TYPE: Final = "NONE"
"""The type of entries that have none; without a type the library joins an entry with the next."""


class _Field(NamedTuple):
    tag: str
    line: int
    text: str


class _MessagePage(NamedTuple):
    """One message. A statement of several pages has several, whose balances in between are marked M."""

    line: int
    statement: BankStatement
    begins: str
    ends: str


def read(data: bytes) -> list[BankStatement]:
    """Return the statements of a file, the pages of one as one. Raises BadFile."""
    pages: list[_MessagePage] = []
    errors: list[RowError] = []
    for fields in _messages(_fields(_text(data))):
        try:
            pages.append(_page(fields))
        except BadFile as bad:
            errors += bad.errors
    if errors:
        raise BadFile(errors)
    return [page.statement for page in _joined(pages)]


def _text(data: bytes) -> str:
    """Return the file as text: UTF-8, or the Chinese encoding of old bank programs."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            at = error.start
    raise BadFile([RowError(data.count(b"\n", 0, at) + 1, "file", f"byte {at} is neither UTF-8 nor GB18030 text")])


def _fields(text: str) -> Iterator[_Field]:
    """Yield the tags with their texts, which may go over several lines.

    Lines around a message, such as a bank's own header, are yielded under OUTSIDE. Raises BadFile for what stands
    within a message and belongs to no tag.
    """
    at: _Field | None = None
    before = 0
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        line = raw.rstrip()
        found = TAG.fullmatch(line)
        if found is not None and found["tag"] in KNOWN:
            if at is not None:
                yield at
            at, before = _Field(found["tag"], number, found["text"]), len(found["text"])
        elif FRAME.fullmatch(line):
            if at is not None and line.startswith(END):
                yield at
                at = None
        elif at is None:
            if found is not None:
                raise BadFile([RowError(number, found["tag"], "it is no tag of MT940")])
            yield _Field(OUTSIDE, number, line)
        elif at.tag in MANY_LINES and (found is None or at.tag == DETAILS):
            # A line of full length ends within a word; the blank at which another one ends is stripped.
            between = "" if at.tag == DETAILS and before == FULL_LINE else "\n"
            at, before = at._replace(text=f"{at.text}{between}{line}"), len(line)
        else:
            raise BadFile([RowError(number, "line", f"{line[:40]!r} belongs to no tag of MT940")])
    if at is not None:
        yield at


def _messages(fields: Iterator[_Field]) -> Iterator[list[_Field]]:
    """Yield the fields of each message, which begins with its reference. Raises BadFile for fields before one."""
    message: list[_Field] = []
    outside: list[_Field] = []
    for field in fields:
        if field.tag == OUTSIDE:
            outside.append(field)
        elif field.tag == FIRST:
            if message:
                yield message
            message = [field, *outside]
            outside = []
        elif message:
            message.append(field)
        else:
            raise BadFile([RowError(field.line, field.tag, "a message begins with :20:")])
    if message:
        yield [*message, *outside]


def _page(fields: Sequence[_Field]) -> _MessagePage:
    """Return one message as a statement. Raises BadFile."""
    notes = [f"line {field.line}: around the message: {one_text([field.text])}" for field in fields if not field.tag]
    fields = [field for field in fields if field.tag]
    begins = next((field for field in fields if field.tag in OPENING), None)
    ends = next((place for place, field in enumerate(fields) if field.tag in CLOSING), len(fields) - 1)
    for field in fields[ends + 1 :]:
        if field.tag not in AFTER:
            raise BadFile([RowError(field.line, field.tag, "it stands after the closing balance")])
        if field.tag in ("86", "NS"):
            notes.append(f"line {field.line}: about the statement: {one_text([field.text])}")
    kept: list[_Field] = []
    for field in fields[: ends + 1]:
        if field.tag in (DETAILS, "NS") and not any(before.tag == ENTRY for before in kept):
            notes.append(f"line {field.line}: before the first entry: {one_text([field.text])}")
        else:
            kept.append(field)
    parsed = _parse(kept)
    about = parsed.data
    balances = [about.get(f"{kind}_balance") for kind in ("final_opening", "intermediate_opening")]
    opening = next(filter(None, balances), None)
    balances = [about.get(f"{kind}_balance") for kind in ("final_closing", "intermediate_closing")]
    closing = next(filter(None, balances), None)
    kind = BOOKED if opening is not None or closing is not None else REPORT
    entries = _entries([field for field in kept if field.tag == ENTRY], parsed, notes)
    days = [entry.day for entry in entries] + [_day(found.date) for found in (opening, closing) if found is not None]
    if not days:
        raise BadFile([RowError(fields[0].line, "20", "it has neither balances nor entries")])
    account = "".join(str(about.get("account_identification") or "").split())
    if not account:
        raise BadFile([RowError(fields[0].line, "25", "it does not name the account")])
    # The opening balance is dated by the day before, the first day is that of what happened.
    moved = [entry.day for entry in entries] or days
    statement = BankStatement(
        "MT940" if kind == BOOKED else "MT942",
        kind,
        account,
        str(parsed.currency or ""),
        one_text([about.get("statement_number") or about.get("transaction_reference")]),
        min(moved),
        max(days),
        None if opening is None else _fen(fields[0].line, "60", opening.amount.amount),
        None if closing is None else _fen(fields[0].line, "62", closing.amount.amount),
        entries,
        tuple(notes),
    )
    check_arithmetic(fields[0].line, statement)
    return _MessagePage(fields[0].line, statement, begins.tag if begins else "", fields[ends].tag)


def _parse(fields: Sequence[_Field]) -> Any:
    """Return one message as the library reads it. Raises BadFile, naming the tag that it cannot read."""
    text = "\n".join(f":{field.tag}:{field.text}" for field in fields)
    wrong = [field for field in fields if field.tag == ENTRY and MOVEMENT.fullmatch(field.text) is None]
    if wrong:
        raise BadFile([RowError(field.line, ENTRY, f"{field.text[:60]!r} cannot be read") for field in wrong])
    try:
        # A stream, since the library takes a text that is the name of a file for that file.
        (parsed,) = mt940.parse_statements(
            io.StringIO(text), processors={"pre_statement": [_typed]}, options=mt940.Options.all()
        )
    except (RuntimeError, ValueError, ArithmeticError, TypeError, KeyError) as error:
        raise BadFile([_unreadable(fields)]) from error
    lines = sum(field.tag == ENTRY for field in fields)
    if len(parsed) != lines:
        raise BadFile([RowError(fields[0].line, ENTRY, f"{lines} entries stand there, {len(parsed)} were read")])
    return parsed


def _typed(_transactions: object, _tag: object, found: dict[str, Any]) -> dict[str, Any]:
    """Give an entry a type where it has none, so that the library does not join it with the next."""
    return {**found, "id": found.get("id") or NO_TYPE}


def _unreadable(fields: Sequence[_Field]) -> RowError:
    """Return which field the library cannot read, by handing it each one alone."""
    for field in fields:
        try:
            mt940.parse_statements(io.StringIO(f":20:X\n:{field.tag}:{field.text}"), options=mt940.Options.all())
        except (RuntimeError, ValueError, ArithmeticError, TypeError, KeyError):
            return RowError(field.line, field.tag, f"{field.text[:60]!r} cannot be read")
    return RowError(fields[0].line, FIRST, "the message cannot be read")


def _entries(lines: Sequence[_Field], parsed: Any, notes: list[str]) -> tuple[Entry, ...]:
    """Return the entries of one message that move money. Raises BadFile for amounts that are not whole fen."""
    entries = []
    for field, transaction in zip(lines, parsed, strict=True):
        data = transaction.data
        amount = _fen(field.line, ENTRY, data["amount"].amount)
        if amount == 0:
            notes.append(f"line {field.line}: it moves nothing: {one_text([field.text])}")
            continue
        value_day = _day(data["date"])
        day = _day(data["entry_date"]) if isinstance(data.get("entry_date"), date) else value_day
        item = EntryItem(
            amount,
            *_named(data),
            "".join(str(data.get("applicant_iban") or "").split()),
            "",
            one_text([*(data.get(name) for name in TEXTS), *_remarks(data)]),
        )
        code = str(data.get("id") or "").strip()
        reversal = str(data["status"]).upper().startswith("R")
        bank_reference = _reference(data.get("bank_reference"))
        code = "" if code == NO_TYPE else code
        entries.append(Entry(field.line, day, value_day, amount, reversal, bank_reference, code, (item,)))
    return tuple(entries)


def _named(data: Mapping[str, Any]) -> tuple[str, str]:
    """Return the reference of an entry, and the name of its other side."""
    details = str(data.get("transaction_details") or "")
    slashed = dict(SLASHED.findall("".join(details.splitlines()))) if details.startswith("/") else {}
    stated = (data.get("end_to_end_reference"), slashed.get("EREF"), data.get("customer_reference"))
    reference = next(filter(None, map(_reference, stated)), "")
    return reference, one_text([data.get("applicant_name") or slashed.get("NAME")])


def _reference(text: object) -> str:
    found = one_text([str(text or "").partition(REMARK)[0]])
    return reference_of(found).removeprefix("KREF+").strip()


def _remarks(data: Mapping[str, Any]) -> list[str]:
    """Return the bank's remarks that stand behind references."""
    stated = (str(data.get(name) or "") for name in ("end_to_end_reference", "customer_reference"))
    return [remark for text in stated if (remark := text.partition(REMARK)[2])]


def _fen(line: int, tag: str, amount: Any) -> int:
    try:
        return fen_of("amount", amount)
    except BadValue as error:
        raise BadFile([RowError(line, tag, str(error))]) from error


def _day(found: date) -> date:
    """Return the plain date of one of the library's, which are a class of their own."""
    return date(found.year, found.month, found.day)


def _joined(pages: Sequence[_MessagePage]) -> Iterator[_MessagePage]:
    """Yield whole statements: a page that ends with an intermediate balance continues on the next. Raises BadFile."""
    whole: _MessagePage | None = None
    for page in pages:
        if whole is None or whole.ends != "62M" or page.begins != "60M":
            if whole is not None:
                yield whole
            whole = page
            continue
        one, two = whole.statement, page.statement
        if one.account != two.account or one.closing_fen != two.opening_fen:
            text = f"the page before closes account {one.account} with {format_money(one.closing_fen or 0)}, this one "
            text += f"opens {two.account} with {format_money(two.opening_fen or 0)}"
            raise BadFile([RowError(page.line, "60M", text)])
        joined = one._replace(
            first_day=min(one.first_day, two.first_day),
            last_day=max(one.last_day, two.last_day),
            closing_fen=two.closing_fen,
            entries=(*one.entries, *two.entries),
            notes=(*one.notes, *two.notes),
        )
        whole = _MessagePage(whole.line, joined, whole.begins, page.ends)
    if whole is not None:
        yield whole
