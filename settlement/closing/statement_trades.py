"""The trades of the statements of a day: their sums, and their JSON, both made by the database.

A day can have a million trades, each in two statements. So no trade becomes an object of Python: the database writes
each as the canonical JSON of ``settlement.closing.canonical``, and joins those of an account.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import DEAL_TRADE, TRADE_KINDS
from settlement.closing.day import Day

TRADES_AT_ONCE: Final = 250_000
"""The sides of trades, roughly, of which the memory holds the JSON at the same time."""
_SIDES: Final = """
SELECT buy_account AS account, 'BUY' AS side, buy_fee AS fee, 0 AS place, sequence, trade_id, at, symbol, price,
       quantity, amount, kind
FROM trade WHERE sequence BETWEEN :first AND :last {buyers}
UNION ALL
SELECT sell_account, 'SELL', sell_fee, 1, sequence, trade_id, at, symbol, price, quantity, amount, kind
FROM trade WHERE sequence BETWEEN :first AND :last {sellers}
"""
_SUMS: Final = text(f"""
SELECT account, symbol, side, count(*) AS trades, sum(quantity)::bigint AS quantity, sum(amount)::bigint AS amount,
       sum(fee)::bigint AS fees
FROM ({_SIDES.format(buyers="", sellers="")}) AS sides GROUP BY account, symbol, side
""")
_OF_ACCOUNTS: Final = _SIDES.format(
    buyers="AND buy_account = ANY (:accounts)", sellers="AND sell_account = ANY (:accounts)"
)
_LOTS: Final = """
SELECT ',"lots":' || to_json(m.receipts) FROM lot_reservation m
WHERE m.trade_id = sides.trade_id AND m.purpose = 'DEAL' AND m.status = 'MOVED'
"""
_JSON: Final = text(f"""
SELECT account, string_agg(
    '{{"amount":' || amount || ',"at":' || at || ',"fee":' || fee
    || coalesce(',"kind":"' || (CAST(:kinds AS text[]))[kind + 1] || '"', '')
    || CASE kind WHEN {DEAL_TRADE} THEN coalesce(({_LOTS}), '') ELSE '' END || ',"price":' || price
    || ',"quantity":' || quantity
    || ',"side":"' || side || '","symbol":' || to_json(symbol) || ',"trade":' || trade_id || '}}',
    ',' ORDER BY sequence, place) AS trades
FROM ({_OF_ACCOUNTS}) AS sides
GROUP BY account
""")
_MEMORY: Final = text("SET LOCAL work_mem = '256MB'")
"""The trades are sorted in the memory; on the disk it takes longer."""


class AccountTrades(NamedTuple):
    """The trades of an account on a day: fen, and by class fine mg; what is sold counts positive."""

    trades: int = 0
    bought_fen: int = 0
    sold_fen: int = 0
    fees_fen: int = 0
    bought_mg: Mapping[str, int] = {}
    sold_mg: Mapping[str, int] = {}


async def sums(connection: AsyncConnection, day: Day) -> dict[str, AccountTrades]:
    """Return what each account traded on a day."""
    rows = defaultdict(list)
    for row in await connection.execute(_SUMS, {"first": day.first, "last": day.last}):
        rows[row.account].append(row)
    return {
        account: AccountTrades(
            sum(row.trades for row in of_account),
            sum(row.amount for row in of_account if row.side == "BUY"),
            sum(row.amount for row in of_account if row.side == "SELL"),
            sum(row.fees for row in of_account),
            {row.symbol: row.quantity for row in of_account if row.side == "BUY"},
            {row.symbol: row.quantity for row in of_account if row.side == "SELL"},
        )
        for account, of_account in rows.items()
    }


async def listed(connection: AsyncConnection, day: Day, accounts: Sequence[str]) -> dict[str, str]:
    """Return the day's trades of these accounts as JSON with commas between them, each from the account's side.

    A trade without orders has its ``kind``, such as "deal", and one of named lots the numbers of their receipts.
    """
    await connection.execute(_MEMORY)
    given = {"first": day.first, "last": day.last, "accounts": list(accounts), "kinds": list(TRADE_KINDS)}
    return {row.account: row.trades for row in await connection.execute(_JSON, given)}


def parts(accounts: Sequence[str], traded: Mapping[str, AccountTrades], most_accounts: int) -> Iterator[Sequence[str]]:
    """Divide accounts, in their order, into parts of so many at most and with not many more than TRADES_AT_ONCE."""
    part: list[str] = []
    sides = 0
    for account in accounts:
        part.append(account)
        sides += traded.get(account, AccountTrades()).trades
        if len(part) == most_accounts or sides >= TRADES_AT_ONCE:
            yield part
            part, sides = [], 0
    if part:
        yield part
