"""camt.053, camt.052 and camt.054 of ISO 20022: statements, reports within the day, and notices, as XML.

All versions are read by the local names of their elements. An entry is what moved the account; the payments within it
(a batch, say) become its items where their amounts are given and sum up to it. The file is read by a parser that
expands no entities, loads nothing from elsewhere and refuses a document type.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final

from lxml import etree

from goldx.protocol.units import BadValue, format_money
from settlement.banking.statements import (
    BOOKED,
    NOTICE,
    REPORT,
    UNCLEAR_REVERSALS,
    BankStatement,
    Entry,
    EntryItem,
    check_arithmetic,
    fen_of,
    one_text,
    reference_of,
)
from settlement.workbooks.cells import BadFile, RowError

MESSAGES: Final = {
    "BkToCstmrStmt": ("Stmt", BOOKED),
    "BkToCstmrAcctRpt": ("Rpt", REPORT),
    "BkToCstmrDbtCdtNtfctn": ("Ntfctn", NOTICE),
}
"""By the message: the element of each statement in it, and its kind."""
NAMESPACE: Final = re.compile(r"urn:iso:std:iso:20022:tech:xsd:(camt\.05[234]\.001\.[0-9]{2})")
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
AMOUNT: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{0,5})?")
DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T.*|Z|[+-][0-9]{2}:[0-9]{2})?")
OTHER_SIDE: Final = {"CRDT": ("UltmtDbtr", "Dbtr", "DbtrAcct"), "DBIT": ("UltmtCdtr", "Cdtr", "CdtrAcct")}
"""By the direction of a payment: the elements that name its other side, and that side's account."""

Element = Any
"""An element of lxml, which has no types of its own."""


def read(data: bytes) -> list[BankStatement]:
    """Return the statements of a file. Raises BadFile with all faults."""
    root = root_of(data)
    found = next((part for part in root.iter() if element_name(part) in MESSAGES), None)
    if found is None:
        text = f"{element_name(root)} is no statement of an account: camt.052, .053 and .054 are read"
        raise bad(root, "document", text)
    word, kind = MESSAGES[element_name(found)]
    space = NAMESPACE.fullmatch(etree.QName(found).namespace or "")
    version = space[1] if space else {BOOKED: "camt.053", REPORT: "camt.052", NOTICE: "camt.054"}[kind]
    statements: list[BankStatement] = []
    errors: list[RowError] = []
    for part in elements(found, word):
        try:
            statements.append(_statement(part, version, kind))
        except BadFile as wrong:
            errors += wrong.errors
    if errors:
        raise BadFile(errors)
    return statements


def root_of(data: bytes) -> Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root: Element = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise BadFile([RowError(error.lineno or 1, "document", f"it is no readable XML: {error.msg}")]) from error
    if root.getroottree().docinfo.doctype:
        raise bad(root, "document", "it has a document type, which no bank's file has")
    return root


def bad(part: Element, column: str, problem: str) -> BadFile:
    return BadFile([RowError(int(part.sourceline or 1), column, problem)])


def element_name(part: Element) -> str:
    return str(etree.QName(part).localname)


def elements(part: Element, *path: str) -> list[Element]:
    """Return the elements at a path of local names, each below the one before."""
    found = [part]
    for name in path:
        found = [child for parent in found for child in parent if element_name(child) == name]
    return found


def _one(part: Element, *path: str) -> Element | None:
    return next(iter(elements(part, *path)), None)


def text_of(part: Element | None, *path: str) -> str:
    found = None if part is None else _one(part, *path) if path else part
    return "" if found is None else "".join(found.itertext()).strip()


def first_text(part: Element | None, *paths: tuple[str, ...]) -> str:
    """Return the first text that is not empty at one of the paths."""
    return next((text for path in paths if (text := text_of(part, *path))), "")


def _statement(part: Element, version: str, kind: str) -> BankStatement:
    account = _account(_one(part, "Acct"))
    if not account:
        raise bad(part, "Acct/Id", "it does not name the account")
    balances = {
        (first_text(found, ("Tp", "CdOrPrtry", "Cd"), ("Tp", "Cd")), text_of(found, "Tp", "SubTp", "Cd")): found
        for found in elements(part, "Bal")
    }
    opening = next((found for (code, _), found in balances.items() if code in OPENING), None)
    closing = next((found for (code, _), found in balances.items() if code in CLOSING), None)
    currency = text_of(part, "Acct", "Ccy") or _currency(part)
    notes: list[str] = []
    errors: list[RowError] = []
    entries: list[Entry] = []
    for found in elements(part, "Ntry"):
        try:
            if (entry := _entry(found, currency, account, notes)) is not None:
                entries.append(entry)
        except BadFile as wrong:
            errors += wrong.errors
    if errors:
        raise BadFile(errors)
    days = [entry.day for entry in entries]
    ends = [_day(found, "Dt") for found in (closing,) if found is not None]
    if not days and not ends:
        ends = [_day(part, "CreDtTm")]
    statement = BankStatement(
        version,
        kind,
        account,
        currency,
        one_text([first_text(part, ("ElctrncSeqNb",), ("LglSeqNb",), ("Id",))])[:64],
        min(days or ends),
        max(days + ends),
        None if opening is None else _signed(opening),
        None if closing is None else _signed(closing),
        tuple(entries),
    )
    return _whole(part, statement, notes)


def _whole(part: Element, statement: BankStatement, notes: list[str]) -> BankStatement:
    """Return the statement if balances and totals hold, or hold with the sign of reversals changed.

    By the standard an entry has its own direction, and RvslInd only marks it as a reversal. Some banks give the
    direction of the reversed entry; the balances show which, unless the reversals cancel out. Raises BadFile.
    """
    _check_summary(part, statement)
    try:
        check_arithmetic(int(part.sourceline or 1), statement)
    except BadFile:
        if not any(entry.reversal for entry in statement.entries):
            raise
        turned = statement._replace(entries=tuple(map(_turned, statement.entries)))
        check_arithmetic(int(part.sourceline or 1), turned)
        notes.append("reversals have the direction of the reversed entry, as the balances show")
        statement = turned
    else:
        reversals = [entry.amount_fen for entry in statement.entries if entry.reversal]
        if statement.kind == BOOKED and reversals and sum(reversals) == 0:
            notes.append(UNCLEAR_REVERSALS)
            statement = statement._replace(unclear_reversals=True)
    return statement._replace(notes=tuple(notes))


def _turned(entry: Entry) -> Entry:
    if not entry.reversal:
        return entry
    items = tuple(item._replace(amount_fen=-item.amount_fen) for item in entry.items)
    return entry._replace(amount_fen=-entry.amount_fen, items=items)


def _check_summary(part: Element, statement: BankStatement) -> None:
    """Raise BadFile where the summary gives another number of entries than there are."""
    stated = text_of(part, "TxsSummry", "TtlNtries", "NbOfNtries")
    there = len(elements(part, "Ntry"))
    if stated and stated != str(there):
        raise bad(
            part,
            "NbOfNtries",
            f"account {statement.account}: the summary counts {stated[:15]} entries, {there} stand there",
        )


def _account(part: Element | None) -> str:
    """Return the number of an account without blanks."""
    found = first_text(part, ("Id", "IBAN"), ("Id", "Othr", "Id"), ("Id", "PrtryAcct", "Id"), ("Id", "BBAN"))
    return "".join(found.split())


def _currency(part: Element) -> str:
    """Return the currency of the first balance or entry."""
    found = next((amount for path in (("Bal", "Amt"), ("Ntry", "Amt")) for amount in elements(part, *path)), None)
    return "" if found is None else str(found.get("Ccy", ""))


def _amount(part: Element) -> int:
    """Return the unsigned amount of an element as fen. Raises BadFile."""
    found = _one(part, "Amt")
    text = text_of(found)
    if AMOUNT.fullmatch(text) is None:
        raise bad(part if found is None else found, "Amt", f"{text[:40]!r} is no amount of money")
    try:
        return fen_of("amount", text)
    except BadValue as error:
        raise bad(part if found is None else found, "Amt", str(error)) from error


def _signed(part: Element) -> int:
    """Return the amount of an element with the sign of its CdtDbtInd. Raises BadFile."""
    return _amount(part) * _sign(part)


def _sign(part: Element) -> int:
    direction = text_of(part, "CdtDbtInd")
    if direction not in ("CRDT", "DBIT"):
        raise bad(part, "CdtDbtInd", f"{direction[:20]!r} must be CRDT or DBIT")
    return 1 if direction == "CRDT" else -1


def _day(part: Element, *path: str) -> date:
    """Return a date, or the day of a time, at a path. Raises BadFile."""
    found = _one(part, *path)
    text = first_text(found, ("Dt",), ("DtTm",)) or text_of(found)
    matched = DAY.fullmatch(text)
    try:
        return date.fromisoformat(matched[1] if matched else "")
    except ValueError as error:
        raise bad(part, "/".join(path), f"{text[:40]!r} is no date") from error


def _entry(part: Element, currency: str, account: str, notes: list[str]) -> Entry | None:
    """Return an entry, None for one that is not booked. Raises BadFile."""
    status = first_text(part, ("Sts", "Cd"), ("Sts", "Prtry"), ("Sts",))
    signed = _signed(part)
    if status != "BOOK":
        notes.append(f"line {part.sourceline}: {format_money(signed)} is not booked ({status[:20] or 'no status'})")
        return None
    if signed == 0:
        notes.append(
            f"line {part.sourceline}: it moves nothing: {one_text([text_of(part, 'AddtlNtryInf')])}".rstrip(": ")
        )
        return None
    stated = str(elements(part, "Amt")[0].get("Ccy", ""))
    if stated != currency:
        raise bad(part, "Amt", f"an entry in {stated[:3]!r} on an account in {currency!r}")
    flag = text_of(part, "RvslInd")
    if flag not in ("", "true", "false", "1", "0"):
        raise bad(part, "RvslInd", f"{flag[:20]!r} must be true or false")
    value_day = _day(part, "ValDt") if _one(part, "ValDt") is not None else None
    day = _day(part, "BookgDt") if _one(part, "BookgDt") is not None else value_day
    if day is None:
        raise bad(part, "BookgDt", "it says neither when it was booked nor its value date")
    returned = next(
        (
            reason
            for path in (("Cd",), ("Prtry",))
            for found in part.iter()
            if element_name(found) == "RtrInf" and (reason := text_of(found, "Rsn", *path))
        ),
        "",
    )
    code = one_text([returned or first_text(part, ("BkTxCd", "Prtry", "Cd")) or "/".join(_codes(part))])[:64]
    return Entry(
        int(part.sourceline),
        day,
        value_day,
        signed,
        flag in ("true", "1"),
        one_text([_bank_reference(part)])[:64],
        code,
        tuple(_items(part, signed, currency, account, notes)),
    )


def _bank_reference(part: Element) -> str:
    """Return the bank's number of an entry: its own, or that of the only payment in it."""
    found = first_text(part, ("AcctSvcrRef",))
    details = elements(part, "NtryDtls", "TxDtls")
    if not found and len(details) == 1:
        found = text_of(details[0], "Refs", "AcctSvcrRef")
    return found or text_of(part, "NtryRef")


def _codes(part: Element) -> Iterator[str]:
    """Yield the ISO code of a transaction: domain, family, sub-family."""
    for path in (("Cd",), ("Fmly", "Cd"), ("Fmly", "SubFmlyCd")):
        if found := text_of(part, "BkTxCd", "Domn", *path):
            yield found


def _items(part: Element, signed: int, currency: str, account: str, notes: list[str]) -> Iterable[EntryItem]:
    """Return the payments of an entry if their amounts are given and make its amount, else one for all of it."""
    details = [(batch, found) for batch in elements(part, "NtryDtls") for found in elements(batch, "TxDtls")]
    direction = text_of(part, "CdtDbtInd")
    sign = 1 if signed > 0 else -1
    if len(details) < 2:
        batch = details[0][0] if details else _one(part, "NtryDtls")
        return [_item(part, batch, details[0][1] if details else None, signed, direction, account)]
    amounts = [_part(found, currency, sign) for _, found in details]
    if None not in amounts and sum(filter(None, amounts)) == signed:
        return [
            _item(part, batch, found, amount or 0, direction, account)
            for (batch, found), amount in zip(details, amounts, strict=True)
        ]
    notes.append(
        f"line {part.sourceline}: its {len(details)} payments do not give amounts that make {format_money(signed)}"
    )
    return [_item(part, details[0][0], None, signed, direction, account)]


def _part(part: Element, currency: str, sign: int) -> int | None:
    """Return the signed amount of one payment within an entry, None where it is not given in the account's currency."""
    for owner in (part, *elements(part, "AmtDtls", "TxAmt")):
        found = _one(owner, "Amt")
        if found is not None and found.get("Ccy") == currency:
            own = text_of(part, "CdtDbtInd")
            return _amount(owner) * (_sign(part) if own else sign)
    return None


def _item(
    part: Element, batch: Element | None, found: Element | None, amount: int, direction: str, account: str
) -> EntryItem:
    """Return one payment; ``found`` are its details and ``batch`` what it stands in, where the file has them."""
    ultimate, party, other = OTHER_SIDE[direction]
    parties = None if found is None else _one(found, "RltdPties")
    name = first_text(parties, (party, "Pty", "Nm"), (party, "Nm"), (ultimate, "Pty", "Nm"), (ultimate, "Nm"))
    own = (
        _account(_one(parties, OTHER_SIDE["DBIT" if direction == "CRDT" else "CRDT"][2])) if parties is not None else ""
    )
    theirs = _account(_one(parties, other)) if parties is not None else ""
    reference = first_text(found, ("Refs", "EndToEndId"))
    if not reference_of(reference):
        reference = first_text(found, ("Refs", "InstrId"), ("Refs", "PmtInfId"), ("Refs", "TxId"))
        reference = reference or first_text(batch, ("Btch", "PmtInfId"), ("Btch", "MsgId"))
    texts = [] if found is None else [text_of(text) for text in elements(found, "RmtInf", "Ustrd")]
    if found is not None:
        texts += [text_of(text) for text in elements(found, "RmtInf", "Strd", "CdtrRefInf", "Ref")]
        texts.append(text_of(found, "AddtlTxInf"))
    texts.append(text_of(part, "AddtlNtryInf"))
    virtual = "" if own == account else own
    return EntryItem(amount, one_text([reference]), one_text([name]), theirs, virtual, one_text(texts))
