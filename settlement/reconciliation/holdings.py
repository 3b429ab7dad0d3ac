"""Engine and ledger compared now, for every account and asset, without a run and its breaks.

Both are read by one statement, so both are those of the same sequence.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_amount
from settlement.reconciliation import pairs
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


def both() -> Select[Any]:
    """Return the query of all pairs of a balance in the ledger and a total in the engine, by account and asset."""
    columns, held = ledger_account.c, engine_holding.c
    ledger = select(columns.name.label("account"), columns.asset, columns.balance.label("figure"))
    ledger = ledger.where(columns.kind == "member")
    engine = select(held.account, held.asset, held.total.label("figure"))
    return pairs.joined(ledger, engine, "account", "asset")


async def differences(
    connection: AsyncConnection, of_account: str | None = None, of_asset: str | None = None
) -> list[HoldingDifference]:
    """Return where engine and ledger differ now, by account and asset; only of an account or an asset, if given."""
    pair = both().subquery("pair").c
    query = select(pair.account, pair.asset, pair.expected, pair.found).where(pair.expected != pair.found)
    query = query.order_by(pair.account, pair.asset).limit(MOST)
    if of_account is not None:
        query = query.where(pair.account == of_account)
    if of_asset is not None:
        query = query.where(pair.asset == of_asset)
    return [HoldingDifference(row[0], row[1], int(row[2]), int(row[3])) for row in await connection.execute(query)]
