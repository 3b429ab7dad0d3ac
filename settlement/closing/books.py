"""The first step of a close: engine and ledger agree at the end of the day, account by account.

The balances of the ledger are computed from those of the day before and the day's postings, and kept.
"""

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_amount
from settlement.closing.canonical import canonical, digest
from settlement.closing.day import Balance, Day, Held, balances_at, holdings_at, keep_balances
from settlement.closing.obstacles import Obstacle
from settlement.tables.ledger import ledger_entry

NAME = "books"
MOST = 100
"""The most differences that are listed."""


async def obstacles(connection: AsyncConnection, day: Day) -> list[Obstacle]:
    """Return the differences between engine and ledger at the end of the day."""
    found = differences(await balances_at(connection, day.last, before=day.first), await holdings_at(connection, day))
    who = "settlement finds the cause (`goldx clerk reconcile`, `goldx replay`)"
    return [Obstacle(NAME, what, who) for what in found[:MOST]]


def differences(balances: list[Balance], holdings: list[Held]) -> list[str]:
    """Return sentences on where the accounts of the ledger and the holdings of the engine differ.

    A ledger that does not sum to zero in every asset is one of them.
    """
    ledger = {(found.name, found.asset): found.balance for found in balances if found.kind == "member"}
    engine = {(found.account, found.asset): found.total for found in holdings}
    sums: defaultdict[str, int] = defaultdict(int)
    for balance in balances:
        sums[balance.asset] += balance.balance
    wrong = [
        f"{account} has {format_amount(ledger.get((account, asset), 0), asset)} of {asset} in the ledger and "
        f"{format_amount(engine.get((account, asset), 0), asset)} in the engine"
        for account, asset in sorted(ledger.keys() | engine.keys())
        if ledger.get((account, asset), 0) != engine.get((account, asset), 0)
    ]
    return wrong + [
        f"all accounts of the ledger together have {format_amount(total, asset)} of {asset}, not 0"
        for asset, total in sorted(sums.items())
        if total
    ]


async def work(connection: AsyncConnection, day: Day) -> bytes:
    """Keep the balances at the end of the day; return their number, their sums and hash, and the ledger's hash."""
    balances = await balances_at(connection, day.last, before=day.first)
    await keep_balances(connection, day, balances)
    sums: defaultdict[str, int] = defaultdict(int)
    for balance in balances:
        sums[f"{balance.kind} {balance.asset}"] += balance.balance
    entries = ledger_entry.c
    last = select(entries.hash).where(entries.sequence <= day.last).order_by(entries.sequence.desc()).limit(1)
    chained = await connection.scalar(last)
    lines = canonical([[b.kind, b.name, b.asset, b.balance] for b in balances])
    return canonical(
        {
            "accounts": len(balances),
            "balances_sha256": digest(lines),
            "ledger_sha256": chained.hex() if chained else None,
            "sums": sums,
        }
    )
