"""Payments that the bank took back, with the payments that each of them may mean, found in one query for all.

The gates: the opposite amount, the same account of the venue, a day that is not later, and money that nothing has taken
back yet. Then the strongest evidence decides:

=====  ===================================================================================
grade  evidence
=====  ===================================================================================
3      both have one reference of ours, or the return names the bank's number of the payment
2      the other side's account
1      the other side's name
=====  ===================================================================================

Of one grade, all payments of one trading account and document each, the one whose day is the nearest goes before the
others; payments of several accounts are never told apart by their days.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.documents.ledger import BANK_REFERENCE_USED

_MEANT: Final = text("""
WITH payment AS (
    SELECT i.item_no, i.amount_fen, folded(i.reference) AS reference, folded(i.account) AS account,
        folded(i.name) AS name, folded(e.bank_reference) AS bank_reference,
        folded(i.reference || ' ' || i.text) AS said, e.day, s.account_id
    FROM bank_item i JOIN bank_entry e USING (statement_no, place) JOIN bank_statement s USING (statement_no)
    WHERE s.kind = 'BOOKED' AND s.void_order IS NULL
), pair AS (
    SELECT r.item_no, p.item_no AS original, c.cash_id, c.status, c.account AS account_name, r.day - p.day AS days,
        CASE WHEN p.reference <> '' AND p.reference = r.reference THEN 3
            WHEN p.bank_reference <> '' AND position(p.bank_reference IN r.said) > 0 THEN 3
            WHEN p.account <> '' AND p.account = r.account THEN 2
            WHEN p.name <> '' AND p.name = r.name THEN 1 ELSE 0 END AS grade
    FROM payment r JOIN payment p ON p.amount_fen = -r.amount_fen AND p.account_id = r.account_id AND p.day <= r.day
    JOIN bank_match m ON m.item_no = p.item_no JOIN cash_transfer c USING (cash_id)
    WHERE r.item_no = ANY (CAST(:items AS bigint[])) AND c.status = ANY (:used) AND NOT EXISTS (
        SELECT FROM bank_match again LEFT JOIN cash_transfer back ON back.cash_id = again.cash_id
        WHERE again.against_item = p.item_no AND (again.cash_id IS NULL OR back.status = ANY (:used))
    )
), best AS (
    SELECT *, max(grade) OVER (PARTITION BY item_no) AS strongest FROM pair WHERE grade > 0
), ranked AS (
    SELECT *, min(account_name) OVER (PARTITION BY item_no) = max(account_name) OVER (PARTITION BY item_no) AS of_one,
        days = min(days) OVER (PARTITION BY item_no) AS nearest
    FROM best WHERE grade = strongest
)
SELECT item_no, original, cash_id, status, account_name, grade FROM ranked WHERE nearest OR NOT of_one
ORDER BY item_no, original
""")


async def meant(connection: AsyncConnection, items: Iterable[int]) -> dict[int, list[Row[Any]]]:
    """Return by return the payments (``original``) that it may mean, each with its money."""
    found: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    given = {"items": sorted(items), "used": list(BANK_REFERENCE_USED)}
    for row in await connection.execute(_MEANT, given):
        found[row.item_no].append(row)
    return dict(found)
