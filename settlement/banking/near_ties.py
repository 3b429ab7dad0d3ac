"""Open payments that may be recorded money, where the evidence does not decide: they are shown to the clerk.

=========  ============================================================================================
why        what a payment may be
=========  ============================================================================================
PAYEE      a payment out without a reference: one of several orders of its amount to its account and name
SUM        a payment out without a reference: two orders to its account and name, or all, of its amount together
ACCOUNT    a payment in that names a trading account: recorded money in of the account of this amount, under another
           reference of the bank
TWICE      a payment that another one of the account equals in everything, the bank's number included
=========  ============================================================================================

A payment of the last kind has no money here that it may be: ask the bank, or assign it if it is another payment.
"""

from collections import defaultdict
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Date, Row, Text, column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.banking.matching import OPEN, open_now
from settlement.base.paging import ALL, Page, PageRequest, fetch

_NEAR: Final = (
    OPEN
    + """
, back AS (
    SELECT back_cash_id AS cash_id FROM payment_answer WHERE back_cash_id IS NOT NULL
    UNION SELECT back_cash_id FROM withdrawal WHERE back_cash_id IS NOT NULL
), owed AS (
    SELECT i.item_no, i.amount_fen, m.cash_id, m.amount, m.owner
    FROM item i JOIN money m ON i.unnamed AND m.payee_account = i.account AND m.payee_name = i.name
        AND m.sent_on <= i.day
), choice AS (
    SELECT item_no, ARRAY[cash_id] AS money, 'PAYEE' AS why FROM owed WHERE amount = amount_fen
    UNION
    SELECT item_no, ARRAY[a.cash_id, b.cash_id], 'SUM' FROM owed a JOIN owed b USING (item_no)
    WHERE a.cash_id < b.cash_id AND a.amount + b.amount = a.amount_fen
    UNION
    SELECT item_no, array_agg(cash_id ORDER BY cash_id), 'SUM' FROM owed GROUP BY item_no, amount_fen
    HAVING count(*) > 1 AND sum(amount) = amount_fen
    UNION
    SELECT i.item_no, ARRAY[m.cash_id], 'ACCOUNT'
    FROM item i LEFT JOIN virtual_account v ON folded(v.number) = i.virtual_account
    JOIN money m ON m.amount = i.amount_fen AND folded(m.owner) IN (folded(v.account), i.reference)
    WHERE i.amount_fen > 0 AND NOT i.reversal AND NOT EXISTS (
        SELECT FROM virtual_account_end x
        WHERE x.number = v.number AND x.status = 'ENDED' AND x.from_day <= i.day
    ) AND m.cash_id NOT IN (SELECT cash_id FROM back)
    UNION
    SELECT i.item_no, ARRAY[]::bigint[], 'TWICE' FROM item i
    WHERE i.bank_reference <> '' AND NOT i.reversal AND EXISTS (
        SELECT FROM bank_item here JOIN bank_entry e USING (statement_no, place)
        JOIN bank_statement s USING (statement_no)
        JOIN bank_statement s2 ON s2.account_id = s.account_id AND s2.kind = 'BOOKED'
            AND s2.void_order IS NULL
        JOIN bank_entry e2 ON e2.statement_no = s2.statement_no AND folded(e2.bank_reference) = i.bank_reference
            AND e2.amount_fen = e.amount_fen AND (e2.statement_no, e2.place) < (e.statement_no, e.place)
        JOIN bank_item there ON (there.statement_no, there.place) = (e2.statement_no, e2.place)
            AND there.part = here.part
        WHERE here.item_no = i.item_no AND there.amount_fen = here.amount_fen
            AND (there.reference, there.name, there.account) = (here.reference, here.name, here.account)
    )
)
SELECT c.item_no, row_number() OVER (PARTITION BY c.item_no ORDER BY c.why, (
        SELECT max(abs(i.day - m.sent_on)) FROM money m WHERE m.cash_id = ANY(c.money)
    ), c.money) AS choice, c.why, c.money,
    i.day, i.amount_fen, i.reference, i.name, i.account,
    (SELECT string_agg(DISTINCT m.owner, ', ') FROM money m WHERE m.cash_id = ANY(c.money)) AS owners
FROM choice c JOIN item i USING (item_no)
"""
)
_COLUMNS: Final = (
    column("item_no", BigInteger),
    column("choice", BigInteger),
    column("why", Text),
    column("money", ARRAY(BigInteger)),
    column("day", Date),
    column("amount_fen", BigInteger),
    column("reference", Text),
    column("name", Text),
    column("account", Text),
    column("owners", Text),
)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return what each open payment may be, by payment and choice; ``owners``: the accounts of the money."""
    found = text(_NEAR).bindparams(**open_now()).columns(*_COLUMNS).subquery("near")
    return await fetch(connection, select(found), (found.c.item_no, found.c.choice), page)


async def of(
    connection: AsyncConnection, items: list[int] | None = None, money: list[int] | None = None
) -> dict[int, list[Row[Any]]]:
    """Return by payment what it may be; these payments and this money are left out."""
    near: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in await connection.execute(text(f"{_NEAR} ORDER BY item_no, choice"), open_now(items, money)):
        near[row.item_no].append(row)
    return dict(near)


def sentence(choices: list[Row[Any]]) -> str:
    """Return what a payment may be, for its clerk."""
    named = [
        f"cash {' and '.join(map(str, row.money))} of {row.owners}" + _MORE.get(row.why, "")
        for row in choices
        if row.money
    ]
    if named:
        return f"it may be {'any of ' if len(named) > 1 else ''}{', '.join(named)}"
    return "another payment equals it in everything, the bank's number included"


_MORE: Final = {"ACCOUNT": ", recorded under another number"}
