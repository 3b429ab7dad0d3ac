"""The evening of the correct day: what comes in, and what the reconciliations find in it."""

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.banking import bank_reconciliation, camt, deposits, imports, swift
from settlement.banking.statements import BankStatement
from settlement.base.refusal import Refused
from settlement.closing import proofs
from settlement.intake.bar_rows import BarKey, Reading
from settlement.reconciliation import (
    count_results,
    count_sessions,
    counting,
    statement_file,
    three_way,
    warehouse_register,
    warehouse_statement,
)
from settlement.reconciliation.break_areas import BANK, BANK_SCOPE, BOOKS, WAREHOUSE, area_of
from settlement.reconciliation.breaks import Break
from settlement.reconciliation.count_results import CountResult
from settlement.reconciliation.statement_file import StatementBar
from settlement.reports import bar_export
from settlement.service import movements
from settlement.workbooks import formats
from settlement.workbooks.cells import BadFile
from tests.settlement.banking.mock_bank import Booking, Payment
from tests.settlement.planted.day import PAID_IN, PLACES, bank_file, evening_payments
from tests.settlement.small_exchange import ONE, OTHER, THIRD

OPENING: Final = sum(PAID_IN.values())
REFUSED: Final = "REFUSED"
"""Kind of a finding about a bank's file that is refused as a whole."""


class Finding(NamedTuple):
    """A break, or a file that is refused: who has to deal with it, what kind it is, and what it is about."""

    area: str
    kind: str
    subject: str


@dataclass
class Evening:
    """All that comes in and stands in the books; a damage changes it and says what has to be found."""

    bookings: list[Booking | Payment]
    statements: dict[str, list[dict[str, str]]]
    opening_fen: int = OPENING
    form: str = "camt"
    times: int = 1
    """How often the bank's file comes in."""
    file: bytes = b""
    """The bank's file, if it is not the one that is written from ``bookings``."""
    sql: list[str] = field(default_factory=list)
    """Statements on the database: what a faulty program or disk has done to it."""
    by_hand: bool = False
    """The statements were typed by hand, not done by a program with an act of its own."""
    counted: list[CountResult] | None = None
    """The results of an inventory count of XM2, if there is one."""
    expected: Counter[Finding] = field(default_factory=Counter)

    @classmethod
    async def read(cls, connection: AsyncConnection) -> "Evening":
        """Return the correct evening: the warehouses' statements as the product writes them."""
        statements = {}
        for place in PLACES:
            data = await bar_export.count_list(connection, place, "csv")
            statements[place] = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
        return cls([*await evening_payments(connection)], statements)

    def expect(self, area: str, kind: str, subject: str, times: int = 1) -> None:
        """Say that the damage has to be found."""
        self.expected[Finding(area, kind, subject)] += times


async def count_of(connection: AsyncConnection) -> list[CountResult]:
    """Return what two counters find in XM2 where nothing is wrong."""
    return [
        CountResult(line.key, True, line.gross_cg, line.seal)
        for line in await warehouse_register.expected(connection, "XM2")
    ]


@lru_cache(maxsize=64)
def _bars(data: bytes) -> list[StatementBar]:
    return statement_file.read(formats.parse(data), Reading())


def _written(rows: list[dict[str, str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")


class Found(NamedTuple):
    """The findings of an evening: with the comparison of all books, and with that of a close."""

    whole: Counter[Finding]
    close: Counter[Finding]


async def findings(connection: AsyncConnection, evening: Evening) -> Found:
    """Do what is done in the evening, in the caller's transaction, and return all that it finds.

    The books are compared twice: all of them, and what was written since yesterday, which is closed and signed.
    """
    found: Counter[Finding] = Counter()
    for statement in evening.sql:
        await connection.execute(text(statement))
    await connection.execute(text("SET LOCAL session_replication_role = origin"))
    if not evening.by_hand:
        await _bank(connection, evening, found)
    for place, rows in evening.statements.items():
        outcome = await warehouse_statement.compare(connection, place, _bars(_written(rows)))
        found.update(Finding(WAREHOUSE, one.kind, one.subject) for one in outcome.breaks)
    if evening.counted is not None:
        await _count(connection, evening.counted, found)
    whole = await three_way.compare(connection)
    close = await three_way.compare(connection, await proofs.find(connection))
    return Found(*(found + Counter(map(_in_books, one.breaks)) for one in (whole, close)))


def _in_books(found: Break) -> Finding:
    return Finding(area_of(BOOKS, found.kind), found.kind, found.subject)


async def _bank(connection: AsyncConnection, evening: Evening, found: Counter[Finding]) -> None:
    data = evening.file or bank_file(evening.opening_fen, evening.bookings, evening.form)
    try:
        statements: list[BankStatement] = swift.read(data) if data.startswith(b":20:") else camt.read(data)
        for _ in range(evening.times):
            await imports.take_in(connection, ONE, "evening", data, statements)
    except BadFile as wrong:
        found[Finding(BANK, REFUSED, wrong.errors[0].column)] += 1
        return
    except Refused as wrong:
        found[Finding(BANK, REFUSED, wrong.reason)] += 1
        return
    await deposits.match(connection, ONE)
    proof = await bank_reconciliation.compare(connection)
    places = {
        f"payment:{row.item_no}": f"payment {row.place}"
        for row in await connection.execute(text("SELECT item_no, place FROM bank_item"))
    }
    found.update(
        Finding(area_of(BANK_SCOPE, one.kind), one.kind, places.get(one.subject, one.subject)) for one in proof.breaks
    )


async def _count(connection: AsyncConnection, results: list[CountResult], found: Counter[Finding]) -> None:
    """Count XM2 with two counters, again what differs, and close the count."""
    proposal = await count_sessions.propose(connection, THIRD, "XM2", (ONE, OTHER), "yearly")
    await movements.approve(connection, OTHER, proposal)
    number = int(await connection.scalar(text("SELECT max(count_no) FROM inventory_count")) or 0)
    by_key = {one.key.compared: one for one in results}
    for counter in (ONE, OTHER):
        await count_results.enter(connection, counter, number, results)
        await count_results.sign(connection, counter, number)
    if again := await _again(connection, number, by_key):
        for counter in (ONE, OTHER):
            await count_results.enter(connection, counter, number, again)
            await count_results.sign(connection, counter, number)
    outcome = await counting.close(connection, THIRD, number)
    found.update(Finding(WAREHOUSE, one.kind, f"count {one.subject}") for one in outcome.breaks)


async def _again(connection: AsyncConnection, number: int, by_key: dict[BarKey, CountResult]) -> list[CountResult]:
    """Begin the second round of a count and return what is found in it; nothing if nothing is to be counted again."""
    try:
        await counting.recount(connection, ONE, number)
    except Refused as why:
        if why.reason != "NOTHING_TO_COUNT":
            raise
        return []
    rows = await connection.execute(text("SELECT * FROM count_again WHERE count_no = :number"), {"number": number})
    typed = [BarKey(row.refiner, row.serial, row.year) for row in rows]
    return [by_key.get(key.compared, CountResult(key, False)) for key in typed]
