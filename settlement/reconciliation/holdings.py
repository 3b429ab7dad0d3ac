"""Engine and ledger compared now, for every account and asset, without a run and its breaks.

Both are read by one statement, so both are those of the same sequence.
"""

from typing import Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_amount
from settlement.tables.ledger import engine_holding, ledger_account

MOST: Final = 100
"""The most differences that are returned."""


class HoldingDifference(NamedTuple):
    """The balance of an account in the ledger and its total in the engine, where the two differ."""

    account: str
    asset: str
    ledger: int
    engine: int

    def __str__(self) -> str:
        """Return it as a sentence."""
        ledger, engine = (format_amount(amount, self.asset) for amount in (self.ledger, self.engine))
        return f"{self.account} has {ledger} of {self.asset} in the ledger and {engine} in the engine"


async def differences(
    connection: AsyncConnection, of_account: str | None = None, of_asset: str | None = None
) -> list[HoldingDifference]:
    """Return where engine and ledger differ now, by account and asset; only of an account or an asset, if given."""
    columns = ledger_account.c
    ledger = select(columns.name, columns.asset, columns.balance).where(columns.kind == "member").subquery("ledger")
    held = select(engine_holding.c.account, engine_holding.c.asset, engine_holding.c.total).subquery("held")
    same = (ledger.c.name == held.c.account) & (ledger.c.asset == held.c.asset)
    account, asset = func.coalesce(ledger.c.name, held.c.account), func.coalesce(ledger.c.asset, held.c.asset)
    balance, total = func.coalesce(ledger.c.balance, 0), func.coalesce(held.c.total, 0)
    query = select(account, asset, balance, total).select_from(ledger.join(held, same, full=True))
    query = query.where(balance != total).order_by(account, asset).limit(MOST)
    if of_account is not None:
        query = query.where(account == of_account)
    if of_asset is not None:
        query = query.where(asset == of_asset)
    return [HoldingDifference(row[0], row[1], int(row[2]), int(row[3])) for row in await connection.execute(query)]
