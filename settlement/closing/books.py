"""The first step of a close: engine and ledger agree at the end of the day, account by account.

Differences that two people have taken over (``settlement.closing.taking_over``) are named in the step's output and do
not stop it. The balances of the ledger are computed from those of the day before and the day's postings, and kept.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_amount
from settlement.closing import taken_over
from settlement.closing.canonical import canonical, digest
from settlement.closing.day import Day, Held, LedgerBalance, balances_at, holdings_at, keep_balances
from settlement.closing.obstacles import Obstacle
from settlement.reconciliation.holdings import HoldingDifference
from settlement.tables.ledger import ledger_entry

NAME = "books"
MOST = 100
"""The most differences that are listed."""


async def obstacles(connection: AsyncConnection, day: Day) -> list[Obstacle]:
    """Return the differences between engine and ledger at the day's end, without those that were taken over."""
    balances = await balances_at(connection, day.last, before=day.first)
    seen = {row.difference for row in await taken_over.of_day(connection, day.day)}
    left = [each for each in differences(balances, await holdings_at(connection, day)) if each not in seen]
    who = (
        "settlement finds the cause (`goldx clerk reconcile`, `goldx replay`); or a clerk and risk take it over into "
        f"the next day: `goldx day difference propose {day.day}`"
    )
    found = [Obstacle(NAME, str(each), who) for each in left]
    cause = "settlement finds the cause (`goldx clerk reconcile`, `goldx audit verify`)"
    return (found + [Obstacle(NAME, what, cause) for what in unbalanced(balances)])[:MOST]


async def at_end(connection: AsyncConnection, day: Day) -> list[HoldingDifference]:
    """Return where engine and ledger differ at the end of a day, by account and asset."""
    balances = await balances_at(connection, day.last, before=day.first)
    return differences(balances, await holdings_at(connection, day))


def differences(balances: list[LedgerBalance], holdings: list[Held]) -> list[HoldingDifference]:
    """Return where the accounts of the ledger and the holdings of the engine differ, by account and asset."""
    ledger = {(found.name, found.asset): found.balance for found in balances if found.kind == "member"}
    engine = {(found.account, found.asset): found.total for found in holdings}
    compared = [(key, ledger.get(key, 0), engine.get(key, 0)) for key in sorted(ledger.keys() | engine.keys())]
    return [HoldingDifference(*key, booked, held) for key, booked, held in compared if booked != held]


def unbalanced(balances: list[LedgerBalance]) -> list[str]:
    """Return a sentence on each asset of which the accounts of the ledger do not sum to zero."""
    sums: defaultdict[str, int] = defaultdict(int)
    for balance in balances:
        sums[balance.asset] += balance.balance
    return [
        f"all accounts of the ledger together have {format_amount(total, asset)} of {asset}, not 0"
        for asset, total in sorted(sums.items())
        if total
    ]


def balances_hash(balances: Sequence[LedgerBalance]) -> str:
    """Return the SHA-256 of balances in the order in which they are given, in hexadecimal digits."""
    return digest(canonical([[found.kind, found.name, found.asset, found.balance] for found in balances]))


async def work(connection: AsyncConnection, day: Day) -> bytes:
    """Keep the balances at the end of the day; return their number, their sums and hash, and the ledger's hash.

    Where differences were taken over, these are in it, too.
    """
    balances = await balances_at(connection, day.last, before=day.first)
    await keep_balances(connection, day, balances)
    sums: defaultdict[str, int] = defaultdict(int)
    for balance in balances:
        sums[f"{balance.kind} {balance.asset}"] += balance.balance
    entries = ledger_entry.c
    last = select(entries.hash).where(entries.sequence <= day.last).order_by(entries.sequence.desc()).limit(1)
    chained = await connection.scalar(last)
    taken = [row.listed() for row in await taken_over.of_day(connection, day.day)]
    return canonical(
        {
            **({"taken_over": taken} if taken else {}),
            "accounts": len(balances),
            "balances_sha256": balances_hash(balances),
            "ledger_sha256": chained.hex() if chained else None,
            "sums": sums,
        }
    )
