"""Payments in statements matched with money that is recorded already, all at once in SQL.

Amount, direction and currency must be equal: the venue's accounts are all in CNY. Then evidence decides, the strongest
first:

=====  ===================================================================================
grade  evidence
=====  ===================================================================================
3      the bank's number of the entry is the reference of the money
2      the payment's own reference is: of a payment out that is its end-to-end id
1      a payment out without such a reference went to the account and name of an order that was in a file by that day
=====  ===================================================================================

One entry may be all open orders of a payment file: it has the number of the file, and their sum. By account and name
alone several orders may be meant: they are matched if all are of one trading account and as many as the payments, else
they are shown and not decided.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.banking.payouts import MESSAGE
from settlement.documents.ledger import BANK_REFERENCE_USED

EVIDENCE: Final = {
    3: "money with the reference {}, by the bank's number",
    2: "money with the reference {}",
    1: "money with the reference {}, by amount, account and name",
}

_OPEN: Final = """
WITH item AS (
    SELECT i.item_no, i.amount_fen, folded(i.reference) AS reference, folded(i.account) AS account,
        folded(i.name) AS name, folded(e.bank_reference) AS bank_reference, e.day, e.reversal
    FROM bank_item i JOIN bank_entry e USING (statement_no, place) JOIN bank_statement s USING (statement_no)
    WHERE s.kind = 'BOOKED' AND NOT EXISTS (
        SELECT FROM bank_match m LEFT JOIN cash_transfer c USING (cash_id)
        WHERE m.item_no = i.item_no AND (m.cash_id IS NULL OR c.status = ANY(:used))
    )
), money AS (
    SELECT c.cash_id, c.account AS owner, c.amount, c.bank_reference, folded(c.bank_reference) AS reference,
        folded(o.payee_account) AS payee_account, folded(o.payee_name) AS payee_name, f.payment_file_no,
        (to_timestamp(f.at / 1000) AT TIME ZONE 'Asia/Shanghai')::date AS sent_on
    FROM cash_transfer c LEFT JOIN payment_order o USING (cash_id) LEFT JOIN payment_in_file p USING (cash_id)
    LEFT JOIN payment_file f USING (payment_file_no)
    WHERE c.status = ANY(:used) AND NOT EXISTS (SELECT FROM bank_match m WHERE m.cash_id = c.cash_id)
)
"""
_ONE_TO_ONE: Final = text(
    _OPEN
    + """
, candidate AS (
    SELECT i.item_no, i.day, m.cash_id, m.owner, m.bank_reference,
        CASE WHEN i.bank_reference = m.reference THEN 3 WHEN i.reference = m.reference THEN 2 ELSE 1 END AS grade
    FROM item i JOIN money m ON m.amount = i.amount_fen
    WHERE m.reference IN (i.bank_reference, i.reference)
        OR i.amount_fen < 0 AND NOT i.reversal AND m.sent_on <= i.day
            AND i.account = m.payee_account AND i.name = m.payee_name
            AND NOT EXISTS (SELECT FROM payment_order x WHERE folded(x.end_to_end) = i.reference)
), best AS (
    SELECT *, max(grade) OVER (PARTITION BY item_no) AS of_item, max(grade) OVER (PARTITION BY cash_id) AS of_money
    FROM candidate
), ranked AS (
    SELECT *, count(*) OVER (PARTITION BY item_no) AS orders, count(*) OVER (PARTITION BY cash_id) AS payments,
        row_number() OVER (PARTITION BY item_no ORDER BY cash_id) AS place,
        row_number() OVER (PARTITION BY cash_id ORDER BY day, item_no) AS turn,
        min(owner) OVER (PARTITION BY item_no) = max(owner) OVER (PARTITION BY item_no) AS of_one
    FROM best WHERE grade = of_item AND grade = of_money
)
SELECT item_no, cash_id, owner, bank_reference, grade,
    CASE WHEN grade > 1 THEN place = 1 AND turn = 1 ELSE of_one AND orders = payments AND place = turn END AS decided
FROM ranked ORDER BY item_no, cash_id
"""
)
_FILES: Final = text(
    _OPEN
    + """
, file AS (
    SELECT payment_file_no, sum(amount) AS amount, array_agg(cash_id ORDER BY cash_id) AS orders,
        (SELECT folded(:message || o.end_to_end) FROM payment_in_file p JOIN payment_order o USING (cash_id)
            WHERE p.payment_file_no = money.payment_file_no ORDER BY cash_id LIMIT 1) AS reference
    FROM money WHERE payment_file_no IS NOT NULL AND NOT EXISTS (
        SELECT FROM payment_answer a JOIN cash_transfer back ON back.cash_id = a.back_cash_id
        WHERE a.cash_id = money.cash_id AND back.status = ANY(:used)
    ) GROUP BY payment_file_no HAVING count(*) > 1
)
SELECT DISTINCT ON (f.payment_file_no) i.item_no, f.payment_file_no, f.orders
FROM item i JOIN file f ON f.amount = i.amount_fen AND f.reference IN (i.reference, i.bank_reference)
ORDER BY f.payment_file_no, i.day, i.item_no
"""
)


class Match(NamedTuple):
    """The money that a payment is, and why; without money several may be meant."""

    cash: tuple[int, ...]
    why: str


async def recorded(connection: AsyncConnection) -> Mapping[int, Match]:
    """Return by its number each open payment that is recorded money, or may be one of several."""
    used = {"used": list(BANK_REFERENCE_USED)}
    found: dict[int, Match] = {}
    several: defaultdict[int, list[str]] = defaultdict(list)
    for row in await connection.execute(_ONE_TO_ONE, used):
        if row.decided:
            found[row.item_no] = Match((row.cash_id,), EVIDENCE[row.grade].format(row.bank_reference))
        elif row.grade == 1:
            several[row.item_no].append(f"cash {row.cash_id} of {row.owner}")
    for row in await connection.execute(_FILES, {**used, "message": MESSAGE}):
        if row.item_no not in found:
            why = f"all {len(row.orders)} open payments of payment file {row.payment_file_no}, booked as one"
            found[row.item_no] = Match(tuple(row.orders), why)
    for item_no, meant in several.items():
        if item_no not in found:
            found[item_no] = Match((), f"it may be any of {', '.join(meant)}")
    return found
