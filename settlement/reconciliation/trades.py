"""The register of trades compared with the ledger, trade by trade.

The ledger's entries are chained and never change, so a trade whose time, instrument, quantity, amount or account is not
that of its entry was changed in the register. Fees are compared in ``settlement.reconciliation.fees``.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, MG_PER_GRAM
from settlement.reconciliation.breaks import Break

KIND: Final = "TRADES"
MOST_NAMED: Final = 1_000

_LINE: Final = """
SELECT trade_id, '{name}' AS differs FROM trade t WHERE NOT EXISTS (
    SELECT 1 FROM posting p JOIN ledger_account a USING (account_id)
    WHERE p.sequence = t.sequence AND a.kind = 'member' AND a.name = t.{account} AND a.asset = {asset}
        AND p.amount = {amount}
)
"""
_DIFFERENCES: Final = text(
    " UNION ALL ".join(
        (
            _LINE.format(name="money of the buyer", account="buy_account", asset=":cash", amount="-t.amount-t.buy_fee"),
            _LINE.format(name="gold of the buyer", account="buy_account", asset="t.symbol", amount="t.quantity"),
            _LINE.format(name="gold of the seller", account="sell_account", asset="t.symbol", amount="-t.quantity"),
            "SELECT trade_id, 'time' FROM trade t JOIN ledger_entry e USING (sequence) WHERE e.at <> t.at",
            "SELECT trade_id, 'price' FROM trade t WHERE t.amount <> div(t.price::numeric * t.quantity, :gram)",
        )
    )
    + " ORDER BY 1, 2 LIMIT :most"
)


async def compare(connection: AsyncConnection) -> list[Break]:
    """Return a break for each trade that is not as its entry is, in the caller's snapshot."""
    named: dict[int, list[str]] = {}
    values = {"cash": CASH, "gram": MG_PER_GRAM, "most": MOST_NAMED}
    for row in await connection.execute(_DIFFERENCES, values):
        named.setdefault(row.trade_id, []).append(row.differs)
    return [
        Break(KIND, f"trade:{number}", "", 1, 0, "match", f"other than in the ledger: {', '.join(differs)}")
        for number, differs in named.items()
    ]
