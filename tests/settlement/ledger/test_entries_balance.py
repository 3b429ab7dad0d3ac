"""The database's own checks of postings, whatever statement inserts them: balance, accounts, entries, sums."""

from typing import Final

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.units import CASH
from settlement.base import bulk
from settlement.tables.ledger import ledger_account, ledger_entry, posting

MONEY, GOLD, SILVER, BANK, UNKNOWN = 1, 2, 3, 4, 99
"""Numbers of accounts; the first four are opened, in this order."""
OPENED: Final = (("suspense", CASH), ("suspense", "AU"), ("suspense", "AG"), ("bank_escrow", CASH))
WIDEST: Final = 2**63 - 1
NOT_BALANCED, NOT_KNOWN, NOT_OF_THIS = "entry 10 does not sum to zero", "unknown ledger account", "names an entry"
PAID: Final = [(10, 1, MONEY, 5), (10, 2, BANK, -5)]
REFUSED: Final = (
    ([(10, 1, MONEY, 5)], NOT_BALANCED),
    ([(10, 1, MONEY, 5), (10, 2, GOLD, -5)], NOT_BALANCED),
    ([(10, 1, GOLD, 5), (10, 2, SILVER, -5)], NOT_BALANCED),
    ([*PAID, (10, 3, GOLD, 1)], NOT_BALANCED),
    ([(10, 1, MONEY, 5), (12, 1, BANK, -5)], NOT_BALANCED),
    ([(10, 1, MONEY, WIDEST), (10, 2, MONEY, WIDEST), (10, 3, MONEY, 2)], NOT_BALANCED),
    ([(10, 1, UNKNOWN, 5), (10, 2, UNKNOWN, -5)], NOT_KNOWN),
    ([*PAID, (12, 1, MONEY, 5), (12, 2, BANK, -5), (12, 3, UNKNOWN, 1), (12, 4, UNKNOWN, -1)], NOT_KNOWN),
    ([(11, 1, MONEY, 5), (11, 2, BANK, -5)], NOT_OF_THIS),
    ([*PAID, (11, 1, MONEY, 5), (11, 2, BANK, -5), (12, 1, MONEY, 5), (12, 2, BANK, -5)], NOT_OF_THIS),
    ([(10, 1, MONEY, -5), (10, 2, BANK, 5)], "assets_are_debits"),
)
"""Lines (entry, line, account, amount) in a transaction that has written the entries 10 and 12, and why not."""


async def open_accounts(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        rows = [{"name": kind, "kind": kind, "asset": asset} for kind, asset in OPENED]
        await connection.execute(insert(ledger_account), rows)


async def write_entries(connection: AsyncConnection, *entries: int) -> None:
    await connection.execute(insert(ledger_entry), [{"sequence": one, "kind": "trade", "at": 1} for one in entries])


async def balances(engine: AsyncEngine) -> dict[int, int]:
    """Return the balances that are not zero, by the numbers of the accounts."""
    async with engine.connect() as connection:
        rows = await connection.execute(select(ledger_account.c.account_id, ledger_account.c.balance))
        return {row.account_id: int(row.balance) for row in rows if row.balance}


async def test_wrong_entries_are_refused(engine: AsyncEngine) -> None:
    await open_accounts(engine)
    async with engine.connect() as connection:
        for lines, why in REFUSED:
            await write_entries(connection, 10, 12)
            values = ", ".join(map(str, lines))
            with pytest.raises(DBAPIError, match=why):
                await connection.execute(text(f"INSERT INTO posting VALUES {values}"))
            await connection.rollback()
    assert await balances(engine) == {}


async def test_balances_follow_the_lines_of_every_statement(engine: AsyncEngine) -> None:
    await open_accounts(engine)
    async with engine.begin() as connection:
        await write_entries(connection, 10, 11, 12)
        await bulk.copy(connection, posting, [*PAID, (10, 3, MONEY, 2), (10, 4, BANK, -2)])
        again = "INSERT INTO posting SELECT {}, line, account_id, amount * {} FROM posting WHERE sequence = {}"
        for into, times, source in ((11, 3, 10), (12, 1, 99), (12, 2, 11)):
            await connection.execute(text(again.format(into, times, source)))
    assert await balances(engine) == {MONEY: 7 * (1 + 3 + 6), BANK: -7 * (1 + 3 + 6)}


async def test_the_sum_of_a_statement_may_be_wider_than_its_lines(engine: AsyncEngine) -> None:
    await open_accounts(engine)
    lines = [(10, number, MONEY, WIDEST) for number in (1, 2, 3)]
    lines += [(10, number, BANK, -WIDEST) for number in (4, 5, 6)]
    async with engine.begin() as connection:
        await write_entries(connection, 10)
        await bulk.copy(connection, posting, lines)
    assert await balances(engine) == {MONEY: 3 * WIDEST, BANK: -3 * WIDEST}
