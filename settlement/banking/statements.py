"""The statements of a bank as every reader of files gives them, and the arithmetic that they must pass.

Amounts are fen, positive where the account gets money. Nothing here guesses: unreadable text is an error of the file,
and a statement whose opening balance and entries do not make its closing balance is refused as a whole.
"""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from goldx.protocol.units import MAX_MONEY_FEN, BadValue, format_money, parse_decimal
from settlement.workbooks.cells import BadFile, RowError

BOOKED, REPORT, NOTICE = "BOOKED", "REPORT", "NOTICE"
KINDS: Final = (BOOKED, REPORT, NOTICE)
"""A statement of booked entries between two balances; a report within the day; a notice of single entries.

Entries of the latter two come again in a later statement, so they are kept and shown, but count for nothing.
"""
UNCLEAR_REVERSALS: Final = "the reversals cancel out, so the balances do not show which direction they have"
"""The note for people of a statement with ``unclear_reversals``."""
NO_REFERENCE: Final = re.compile(
    r"NON?-?REF(ERENCE|ERENZ)?|NOT-?(PROVIDED|AVAILABLE|SPECIFIED)|NONE|NIL|NULL|N/?A|N\.A\.|UNKNOWN|[EK]REF\+?|无|无参考号|[-0./*_+]*",
    re.IGNORECASE,
)
"""The words that banks write where an entry has no reference."""
_AMOUNT: Final = re.compile(r"([+-]?)(?=\.?[0-9])0*([0-9]*)(?:\.([0-9]*?)0*)?")
"""An amount as banks write it: its sign, its whole part without zeros before it, its decimals without zeros behind."""
LONGEST: Final = 1_000
"""The most characters kept of an entry's text; the file itself is kept whole."""


class EntryItem(NamedTuple):
    """One payment within an entry. An entry has one, or those of a batch, whose amounts sum up to its own."""

    amount_fen: int
    reference: str = ""
    """The payer's or our own number: end-to-end id, customer reference, number of the batch."""
    name: str = ""
    account: str = ""
    """The other side's."""
    virtual_account: str = ""
    """The number under our account to which it was paid."""
    text: str = ""


class Entry(NamedTuple):
    """One line of a statement; ``line`` is where it begins in the file, ``day`` when it was booked."""

    line: int
    day: date
    value_day: date | None
    amount_fen: int
    reversal: bool
    bank_reference: str
    code: str
    """The bank's kind of transaction or, of a returned payment, the reason."""
    items: tuple[EntryItem, ...]


class BankStatement(NamedTuple):
    """One statement of one account; balances are None where a report or a notice gives none.

    ``notes`` name, for people, everything that was ignored or not read literally. ``unclear_reversals``: its balances
    do not show which direction its reversals have, so that these wait for a clerk.
    """

    format: str
    kind: str
    account: str
    currency: str
    stated_id: str
    first_day: date
    last_day: date
    opening_fen: int | None
    closing_fen: int | None
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    unclear_reversals: bool = False

    @property
    def moved_fen(self) -> int:
        """The sum of its entries."""
        return sum(entry.amount_fen for entry in self.entries)


class FoundStatements(NamedTuple):
    """All that a reader found in a file: statements, or errors."""

    statements: tuple[BankStatement, ...] = ()
    errors: tuple[tuple[int, str, str], ...] = ()

    def checked(self) -> list[BankStatement]:
        """Return the statements. Raises BadFile for the errors, and where there is no statement."""
        if self.errors:
            raise BadFile([RowError(*error) for error in self.errors])
        if not self.statements:
            raise BadFile([RowError(1, "file", "it holds no statement")])
        return list(self.statements)


def without_placeholders(found: BankStatement) -> BankStatement:
    """Return a statement in which references such as NONREF, NOTPROVIDED and 000 are empty."""
    entries = tuple(
        entry._replace(
            bank_reference=reference_of(entry.bank_reference),
            items=tuple(item._replace(reference=reference_of(item.reference)) for item in entry.items),
        )
        for entry in found.entries
    )
    return found._replace(entries=entries)


def reference_of(text: str) -> str:
    """Return a reference; empty if the text only says that there is none."""
    return "" if NO_REFERENCE.fullmatch("".join(text.split())) else text


def fen_of(field: str, number: Decimal | str) -> int:
    """Return an amount of CNY with a point as fen. Raises BadValue for anything but a number of whole fen.

    Banks write amounts that ``units.parse_money`` refuses, such as ``10.000``, ``0012.50``, ``5.``, ``.5`` and ``+5``,
    and the reader of MT940 gives a Decimal. Which texts a format allows, its reader has checked before.
    """
    text = f"{number:f}" if isinstance(number, Decimal) else number
    parts = _AMOUNT.fullmatch(text)
    if parts is None:
        raise BadValue(field, text[:40], "an amount of money")
    sign, whole, fraction = parts.groups("")
    plain = f"{sign.replace('+', '')}{whole or '0'}.{fraction or '0'}"
    try:
        return parse_decimal(field, plain, 2, -MAX_MONEY_FEN, MAX_MONEY_FEN, "an amount of money")
    except BadValue as error:
        raise BadValue(field, text[:40], error.allowed) from None


def check_arithmetic(line: int, found: BankStatement) -> None:
    """Raise BadFile where the opening balance and the entries do not make the closing balance.

    ``line`` is where the statement begins. A report or a notice may have no balances.
    """
    if found.opening_fen is None or found.closing_fen is None:
        if found.kind == BOOKED:
            raise BadFile([RowError(line, "balance", f"account {found.account}: no opening or no closing balance")])
        return
    reached = found.opening_fen + found.moved_fen
    if reached != found.closing_fen:
        raise BadFile(
            [
                RowError(
                    line,
                    "balance",
                    f"account {found.account}: {format_money(found.opening_fen)} and {len(found.entries)} entries of "
                    f"{format_money(found.moved_fen)} make {format_money(reached)}, the closing balance is "
                    f"{format_money(found.closing_fen)}",
                )
            ]
        )


def one_text(parts: Iterable[str | None]) -> str:
    """Return the texts that are not empty as one printable line of at most LONGEST characters, each once."""
    found = dict.fromkeys(" ".join(part.split()) for part in parts if part)
    text = " ".join(part for part in found if part)
    return "".join(char for char in text if char.isprintable())[:LONGEST]
