"""Trades and their annulments compared with their entries in the ledger, trade by trade, and prices with amounts.

The ledger's entries are chained and never change, so a trade that is not as its entry is was changed in the register.
Balances are compared account by account elsewhere; two mistakes of one account cancel out there, and none does here.
"""

from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, MG_PER_GRAM
from settlement.documents.kinds import TRADE, TRADE_BUST
from settlement.reconciliation.breaks import MOST_NAMED, Break, difference_of, further

KIND: Final = "TRADES"

_POSTED: Final = text("""
WITH made AS (
    SELECT trade_id, sequence, at, 1 AS sign FROM trade WHERE sequence > :proved
    UNION ALL SELECT trade_id, sequence, at, -1 FROM trade_bust WHERE sequence > :proved
), posted AS (
    SELECT m.sequence, t.trade_id, m.sign, t.symbol, t.price, t.quantity, t.amount, t.buy_account, t.sell_account,
        t.buy_fee, t.sell_fee,
        coalesce(sum(p.amount) FILTER (WHERE a.asset = :cash AND a.kind = 'member' AND a.name = t.buy_account), 0)
            AS of_buyer,
        coalesce(sum(p.amount) FILTER (WHERE a.asset = :cash AND a.kind = 'member' AND a.name = t.sell_account), 0)
            AS of_seller,
        coalesce(sum(p.amount) FILTER (WHERE a.asset = t.symbol AND a.kind = 'member' AND a.name = t.buy_account), 0)
            AS to_buyer,
        coalesce(sum(p.amount) FILTER (WHERE a.asset = t.symbol AND a.kind = 'member' AND a.name = t.sell_account), 0)
            AS from_seller,
        coalesce(sum(abs(p.amount)), 0) AS everything, bool_and(e.at = m.at) AS on_time
    FROM made m JOIN trade t USING (trade_id)
    LEFT JOIN ledger_entry e ON e.sequence = m.sequence AND e.sequence > :proved
    LEFT JOIN (posting p JOIN ledger_account a USING (account_id)) ON p.sequence = m.sequence AND p.sequence > :proved
    GROUP BY m.sequence, m.sign, t.trade_id
)
SELECT *, count(*) OVER () AS differing FROM posted
WHERE amount <> div(price::numeric * quantity, :mg_per_gram) OR on_time IS NOT TRUE
    OR CASE WHEN buy_account = sell_account THEN of_buyer <> -sign * (buy_fee + sell_fee) OR to_buyer <> 0
        ELSE of_buyer <> -sign * (amount + buy_fee) OR of_seller <> sign * (amount - sell_fee)
            OR to_buyer <> sign * quantity OR from_seller <> -sign * quantity END
    OR everything <> amount + buy_fee + abs(amount - sell_fee) + buy_fee + sell_fee + 2 * quantity
ORDER BY sequence LIMIT :most
""")
_WITHOUT: Final = text("""
SELECT sequence, kind, count(*) OVER () AS differing FROM ledger_entry e WHERE kind = ANY(:kinds) AND sequence > :proved
    AND NOT EXISTS (SELECT FROM trade t WHERE t.sequence = e.sequence AND t.sequence > :proved)
    AND NOT EXISTS (SELECT FROM trade_bust b WHERE b.sequence = e.sequence AND b.sequence > :proved)
ORDER BY sequence LIMIT :most
""")
_COUNTED: Final = text(
    "SELECT (SELECT count(*) FROM trade WHERE sequence > :proved) "
    "+ (SELECT count(*) FROM trade_bust WHERE sequence > :proved)"
)


async def compare(connection: AsyncConnection, proved: int = 0) -> tuple[int, list[Break]]:
    """Return the number of trades and annulments that were compared, and the breaks, in the caller's snapshot.

    Those up to the sequence ``proved`` are left out.
    """
    given = {"cash": CASH, "mg_per_gram": MG_PER_GRAM, "most": MOST_NAMED, "proved": proved}
    posted = (await connection.execute(_POSTED, given)).all()
    found = [*map(_break, posted), *further(KIND, "trades", posted)]
    without = {"kinds": [TRADE, TRADE_BUST], "most": MOST_NAMED, "proved": proved}
    without_trade = (await connection.execute(_WITHOUT, without)).all()
    found += further(KIND, "entries", without_trade)
    for row in without_trade:
        note = f"an entry of a {row.kind.replace('_', ' ')} that is in no register"
        difference = difference_of(row.kind)
        found.append(Break(KIND, f"entry:{row.sequence}", "", 0, 1, "match", note, difference=difference))
    return int(await connection.scalar(_COUNTED, {"proved": proved}) or 0), found


def _break(row: Row[Any]) -> Break:
    what = f"trade:{row.trade_id}" if row.sign > 0 else f"annulment of trade:{row.trade_id}"
    note = (
        f"{row.quantity} mg of {row.symbol} at {row.price} for {row.amount} fen with fees of {row.buy_fee} and "
        f"{row.sell_fee} fen, from {row.sell_account} to {row.buy_account}; entry {row.sequence} has {row.of_buyer} "
        f"fen and {row.to_buyer} mg of the buyer, {row.of_seller} fen and {row.from_seller} mg of the seller"
    )
    made = (row.quantity, row.symbol, row.price, row.amount, row.buy_fee, row.sell_fee, row.sell_account)
    entry = (row.sequence, row.of_buyer, row.to_buyer, row.of_seller, row.from_seller)
    difference = difference_of(*made, row.buy_account, *entry)
    return Break(KIND, what, "", 1, 0, "match", note, difference=difference)
