"""The statements of one account follow one another: each begins with the balance with which the one before ended.

Those that were voided (``settlement.banking.voids``) are left out.

Whether a statement was taken in before is decided by its contents, not by its file: the same days in another format, or
within a longer list, add nothing. A list that begins within the known days and continues beyond them adds its new
entries, if it has every known entry of its days. Any other statement is refused, with the missing amount or the
differing entry.

Entries without references can be known ones, or others that equal them in day and amount: two payments of one amount on
one day. Where balances allow both, and neither a number of the bank, another format nor the statement's own number says
which, a person has to.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.banking.statements import BOOKED, BankStatement, Entry
from settlement.base.refusal import Refused
from settlement.tables.banking import bank_entry, bank_statement

KNOWN, NEW = "known", "new"
READINGS: Final = (KNOWN, NEW)
"""The answers of a clerk about entries without references that equal known ones."""
Name: TypeAlias = tuple[str, str, date, date]
"""The name of a statement: its format, its own number, and its days."""


class KnownEntry(NamedTuple):
    """An entry that was taken in, and its format."""

    day: date
    amount_fen: int
    bank_reference: str
    format: str


class ChainedAccount:
    """The known part of one account: the last balance, its day, and the entries of the last statements in order.

    ``stated`` names these statements.
    """

    def __init__(
        self,
        name: str,
        closing_fen: int | None,
        last_day: date | None,
        entries: Sequence[KnownEntry],
        stated: Iterable[Name] = (),
    ) -> None:
        self.name = name
        self.stated = set(stated)
        self.closing_fen = closing_fen
        self.last_day = last_day
        self.entries = list(entries)

    def add(self, found: BankStatement, entries: str | None = None) -> BankStatement | None:
        """Add a statement of booked entries; return the part of it that is new, None if there is none.

        ``entries``: KNOWN or NEW, where a person has said what those without references are. Raises Refused:
        STATEMENT_GAP where one in between is missing, STATEMENT_DIFFERS where it contradicts what was taken in,
        STATEMENT_AMBIGUOUS where a person has to say.
        """
        readings = self._readings(found)
        most, least = max(readings, key=_size), min(readings, key=_size)
        if _size(most) > _size(least) and entries is None and not self._recognized(found):
            text = (
                f"{self._about(found)} has entries without references that equal known ones in day and amount, and it "
                "continues the last balance too: say whether they are known or new"
            )
            raise Refused("STATEMENT_AMBIGUOUS", text)
        new = most if entries == NEW else least
        self.stated.add(_name(found))
        if new is not None:
            self.closing_fen = new.closing_fen
            self.last_day = max(new.last_day, self.last_day or new.last_day)
            self.entries += [_known(entry, found.format) for entry in new.entries]
        return new

    def _readings(self, found: BankStatement) -> list[BankStatement | None]:
        """Return the parts of a statement that the balances allow to be new. Raises Refused if there is none."""
        if self.closing_fen is None or self.last_day is None:
            return [found]
        starts = self._starts(found)
        size = len(found.entries)
        readings: list[BankStatement | None] = []
        for start in starts:
            missing, more = _compare(self.entries[start : start + size], found)
            if not missing and not more and (size or found.last_day <= self.last_day):
                readings.append(None)
        newest = [date.min, *accumulate((entry.day for entry in self.entries), max)]
        starts = [place for place in starts if newest[place] <= found.first_day]
        why: Refused | None = None
        for start in starts:
            missing, more = _compare(self.entries[start:], found)
            if not missing and start < len(self.entries):
                try:
                    readings.append(self._rest(found, more))
                except Refused as error:
                    why = why or error
        if len(self.entries) in starts or self._continues(found):
            readings.append(found)
        if not readings:
            raise why or self._why(found)
        return readings

    def _recognized(self, found: BankStatement) -> bool:
        """Return whether a reference, a statement number or another format shows that entries are known."""
        if found.stated_id and _name(found) in self.stated:
            return True
        alike = {(entry.day, entry.amount_fen) for entry in found.entries}
        known = [entry for entry in self.entries if (entry.day, entry.amount_fen) in alike]
        numbers = {_known(entry, found.format) for entry in found.entries if entry.bank_reference}
        return any(entry.format != found.format or entry in numbers for entry in known)

    def _continues(self, found: BankStatement) -> bool:
        """Return whether a statement continues the last one with entries that are dated back to known days.

        Those must be unknown, each of them: otherwise it may be another list of the known days.
        """
        if found.opening_fen != self.closing_fen or found.last_day < (self.last_day or found.last_day):
            return False
        known = {(entry.day, entry.amount_fen) for entry in self.entries}
        return not any((entry.day, entry.amount_fen) in known for entry in found.entries)

    def _starts(self, found: BankStatement) -> list[int]:
        """Return the places among the entries at which the balance is that with which the statement begins."""
        balance_fen = (self.closing_fen or 0) - sum(entry.amount_fen for entry in self.entries)
        places = []
        for place in range(len(self.entries) + 1):
            if balance_fen == found.opening_fen:
                places.append(place)
            balance_fen += self.entries[place].amount_fen if place < len(self.entries) else 0
        return places

    def _why(self, found: BankStatement) -> Refused:
        """Return why a statement is neither known nor a continuation."""
        later = [entry for entry in self.entries if entry.day >= found.first_day]
        before_fen = (self.closing_fen or 0) - sum(entry.amount_fen for entry in later)
        begins = f"{self._about(found)} begins with {format_money(found.opening_fen or 0)}"
        if found.opening_fen == before_fen and (missing := _compare(later, found)[0]):
            reference = f" ({missing[0].bank_reference})" if missing[0].bank_reference else ""
            what = f"{format_money(missing[0].amount_fen)} of {missing[0].day}{reference}"
            return Refused("STATEMENT_DIFFERS", f"{self._about(found)} has not {what}, which was taken in")
        if later or (self.last_day is not None and found.first_day < self.last_day):
            text = f"{begins}; before that day the account had {format_money(before_fen)}"
            return Refused("STATEMENT_DIFFERS", text)
        moved = format_money((found.opening_fen or 0) - before_fen)
        ended = f"the one before ended on {self.last_day} with {format_money(before_fen)}"
        return Refused("STATEMENT_GAP", f"{begins}; {ended}: what moved {moved} in between is missing")

    def _rest(self, found: BankStatement, more: Sequence[Entry]) -> BankStatement | None:
        """Return the statement with only its unknown entries. Raises Refused for unknown entries of earlier days."""
        if not more:
            return None if found.last_day <= (self.last_day or found.last_day) else self._part(found, ())
        newest = max(entry.day for entry in self.entries)
        if (early := next((entry for entry in more if entry.day < newest), None)) is not None:
            text = (
                f"{self._about(found)} has {format_money(early.amount_fen)} of {early.day} (line {early.line}), which "
            )
            raise Refused("STATEMENT_DIFFERS", text + "the statements of those days had not")
        return self._part(found, more)

    def _part(self, found: BankStatement, more: Sequence[Entry]) -> BankStatement:
        first = min([entry.day for entry in more] or [found.last_day])
        return found._replace(opening_fen=self.closing_fen, entries=tuple(more), first_day=first)

    def _about(self, found: BankStatement) -> str:
        return f"account {self.name}: the statement from {found.first_day} to {found.last_day}"


def _size(new: BankStatement | None) -> int:
    return -1 if new is None else len(new.entries)


def _name(found: BankStatement) -> Name:
    return found.format, found.stated_id, found.first_day, found.last_day


def _known(entry: Entry, form: str) -> KnownEntry:
    return KnownEntry(entry.day, entry.amount_fen, entry.bank_reference, form)


def _compare(known: Sequence[KnownEntry], found: BankStatement) -> tuple[list[KnownEntry], list[Entry]]:
    """Return the known entries that the statement lacks, and its unknown entries.

    Entries are the same by day and amount and, within one format, by the bank's reference; formats write those in
    ways of their own.
    """
    left = Counter(_key(entry, found.format) for entry in known)
    more = []
    for entry in found.entries:
        exact, loose = (entry.day, entry.amount_fen, entry.bank_reference), (entry.day, entry.amount_fen, None)
        same = exact if left[exact] > 0 else loose
        if left[same] > 0:
            left[same] -= 1
        else:
            more.append(entry)
    missing = []
    for one in known:
        if left[_key(one, found.format)] > 0:
            left[_key(one, found.format)] -= 1
            missing.append(one)
    return missing, more


def _key(entry: KnownEntry, form: str) -> tuple[date, int, str | None]:
    """Return the key by which an entry is recognized in a statement of that format."""
    return entry.day, entry.amount_fen, entry.bank_reference if entry.format == form else None


async def load(connection: AsyncConnection, account_id: int, name: str, since: date) -> ChainedAccount:
    """Return the known part of an account, with the entries of statements that end on a day or later."""
    booked = (bank_statement.c.account_id == account_id) & (bank_statement.c.kind == BOOKED)
    booked &= bank_statement.c.void_order.is_(None)
    newest = select(bank_statement.c.closing_fen).where(booked).order_by(bank_statement.c.statement_no.desc())
    closing_fen = await connection.scalar(newest.limit(1))
    days = select(bank_statement.c.last_day).where(booked).order_by(bank_statement.c.last_day.desc())
    last_day = await connection.scalar(days.limit(1))
    entries = (
        select(bank_entry.c.day, bank_entry.c.amount_fen, bank_entry.c.bank_reference, bank_statement.c.format)
        .join(bank_statement, bank_statement.c.statement_no == bank_entry.c.statement_no)
        .where(booked, bank_statement.c.last_day >= since)
        .order_by(bank_entry.c.statement_no, bank_entry.c.place)
    )
    rows = await connection.execute(entries)
    columns = (bank_statement.c[name] for name in ("format", "stated_id", "first_day", "last_day"))
    stated = await connection.execute(select(*columns).where(booked, bank_statement.c.last_day >= since))
    return ChainedAccount(name, closing_fen, last_day, [KnownEntry(*row) for row in rows], map(tuple, stated))
