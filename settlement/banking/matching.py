"""Payments in statements matched with money that is recorded already, all at once in SQL.

The gates: amount, direction and currency must be equal (the venue's accounts are all in CNY), of several payments or
several documents of money their sums. Then evidence decides, the strongest first:

=====  ===================================================================================
grade  evidence
=====  ===================================================================================
3      the bank's number of the entry is the reference of the money
2      the payment's own reference is: of a payment out that is its end-to-end id, or the number of a payment file
1      a payment out without such a reference went to the account and name of an order that was in a file by that day
=====  ===================================================================================

The day is evidence, too, where the money has one: that of the payment file which ordered it. Of one grade the money
whose day is the nearest goes first, orders to one payee are paid in the order of their days, and the reason of a match
names how far apart the two days are. Money of several accounts is never told apart by days alone.

Of each grade one payment and one money come first, then one payment that is all open money of its reference (a payment
file booked as one), then all open payments of one reference that are one money, then all that are all. By account and
name alone several orders may be meant: they are matched if all are of one trading account and as many as the payments,
or if one side is one alone and the other is all there is; else they are shown and not decided
(``settlement.banking.near_ties``).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.banking.payouts import MESSAGE
from settlement.documents.ledger import BANK_REFERENCE_USED, CASH_COUNTS

EVIDENCE: Final = {
    3: "money with the reference {}, by the bank's number",
    2: "money with the reference {}",
    1: "money with the reference {}, by amount, account and name",
}

OPEN: Final = """
WITH item AS (
    SELECT i.item_no, i.amount_fen, folded(i.reference) AS reference, folded(i.account) AS account,
        folded(i.name) AS name, folded(i.virtual_account) AS virtual_account,
        folded(e.bank_reference) AS bank_reference, e.day, e.reversal,
        i.amount_fen < 0 AND NOT e.reversal AND i.account <> ''
            AND NOT EXISTS (SELECT FROM payment_order x WHERE folded(x.end_to_end) = folded(i.reference)) AS unnamed
    FROM bank_item i JOIN bank_entry e USING (statement_no, place) JOIN bank_statement s USING (statement_no)
    WHERE s.kind = 'BOOKED' AND s.void_order IS NULL AND NOT i.item_no = ANY(:items) AND NOT EXISTS (
        SELECT FROM bank_match m LEFT JOIN cash_transfer c USING (cash_id)
        WHERE m.item_no = i.item_no AND (m.cash_id IS NULL OR c.status = ANY(:used))
    )
), money AS (
    SELECT c.cash_id, c.account AS owner, c.amount, c.bank_reference, folded(c.bank_reference) AS reference,
        folded(o.payee_account) AS payee_account, folded(o.payee_name) AS payee_name, p.payment_file_no,
        (to_timestamp(f.at / 1000) AT TIME ZONE 'Asia/Shanghai')::date AS sent_on
    FROM cash_transfer c LEFT JOIN payment_order o USING (cash_id) LEFT JOIN payment_in_file p USING (cash_id)
    LEFT JOIN payment_file f USING (payment_file_no)
    WHERE c.status = ANY(:used) AND NOT c.cash_id = ANY(:money)
        AND NOT EXISTS (SELECT FROM bank_match m WHERE m.cash_id = c.cash_id)
        AND NOT EXISTS (SELECT FROM undone_attempt u WHERE u.cash_id = c.cash_id)
        AND NOT EXISTS (
            SELECT FROM undone_money d JOIN undone_attempt u USING (undone_no)
            JOIN cash_transfer b ON b.cash_id = u.cash_id
            WHERE d.cash_id = c.cash_id AND b.status = ANY(:undoing)
        )
)
"""
"""Payments and money that are not tied yet, but for those with the given numbers.

Money that is undone, or on its way to be, and the money that undoes it, are no payment's.
"""
_ONE_TO_ONE: Final = text(
    OPEN
    + """
, candidate AS (
    SELECT i.item_no, i.day, m.cash_id, m.owner, m.bank_reference, m.sent_on, abs(i.day - m.sent_on) AS days,
        CASE WHEN i.bank_reference = m.reference THEN 3 WHEN i.reference = m.reference THEN 2 ELSE 1 END AS grade
    FROM item i JOIN money m ON m.amount = i.amount_fen
    WHERE m.reference IN (i.bank_reference, i.reference)
        OR i.unnamed AND m.sent_on <= i.day AND i.account = m.payee_account AND i.name = m.payee_name
), best AS (
    SELECT *, max(grade) OVER (PARTITION BY item_no) AS of_item, max(grade) OVER (PARTITION BY cash_id) AS of_money
    FROM candidate
), ranked AS (
    SELECT *, count(*) OVER (PARTITION BY item_no) AS orders, count(*) OVER (PARTITION BY cash_id) AS payments,
        row_number() OVER (
            PARTITION BY item_no ORDER BY CASE WHEN grade > 1 THEN days END, sent_on, cash_id
        ) AS place,
        row_number() OVER (PARTITION BY cash_id ORDER BY CASE WHEN grade > 1 THEN days END, day, item_no) AS turn,
        min(owner) OVER (PARTITION BY item_no) = max(owner) OVER (PARTITION BY item_no) AS of_one
    FROM best WHERE grade = of_item AND grade = of_money
)
SELECT item_no, cash_id, bank_reference, grade, days FROM ranked
WHERE CASE WHEN grade > 1 THEN place = 1 AND turn = 1 ELSE of_one AND orders = payments AND place = turn END
ORDER BY item_no, cash_id
"""
)
_GROUPS: Final = text(
    OPEN
    + """
, item_key AS (
    SELECT i.item_no, i.amount_fen, i.day, i.amount_fen > 0 AS comes, k.key, max(k.grade) AS grade
    FROM item i CROSS JOIN LATERAL (VALUES (i.bank_reference, 3), (i.reference, 2)) AS k (key, grade)
    WHERE k.key <> '' GROUP BY i.item_no, i.amount_fen, i.day, k.key
), money_key AS (
    SELECT cash_id, amount, amount > 0 AS comes, reference AS key, NULL::bigint AS payment_file_no FROM money
    UNION ALL
    SELECT m.cash_id, m.amount, false, (
        SELECT folded(:message || o.end_to_end) FROM payment_in_file p JOIN payment_order o USING (cash_id)
        WHERE p.payment_file_no = m.payment_file_no ORDER BY cash_id LIMIT 1
    ), m.payment_file_no
    FROM money m WHERE m.payment_file_no IS NOT NULL AND NOT EXISTS (
        SELECT FROM payment_answer a JOIN cash_transfer back ON back.cash_id = a.back_cash_id
        WHERE a.cash_id = m.cash_id AND back.status = ANY(:used)
    )
), items AS (
    SELECT key, comes, max(grade) AS grade, sum(amount_fen) AS amount, min(day) AS day,
        array_agg(item_no ORDER BY item_no) AS items FROM item_key GROUP BY key, comes
    UNION ALL
    SELECT key, comes, grade, amount_fen, day, ARRAY[item_no] FROM item_key
), moneys AS (
    SELECT key, comes, sum(amount) AS amount, array_agg(cash_id ORDER BY cash_id) AS money,
        max(payment_file_no) AS payment_file_no FROM money_key GROUP BY key, comes
), party AS (
    SELECT account, name, sum(amount_fen) AS amount, min(day) AS day, array_agg(item_no ORDER BY item_no) AS items
    FROM item WHERE unnamed GROUP BY account, name
    UNION
    SELECT account, name, amount_fen, day, ARRAY[item_no] FROM item WHERE unnamed
), due AS (
    SELECT p.items, p.day, p.amount, array_agg(m.cash_id ORDER BY m.cash_id) AS money
    FROM party p JOIN money m ON m.payee_account = p.account AND m.payee_name = p.name AND m.sent_on <= p.day
    GROUP BY p.items, p.day, p.amount HAVING sum(m.amount) = p.amount AND min(m.owner) = max(m.owner)
)
, found AS (
    SELECT i.items, m.money, i.grade, i.key, m.payment_file_no, i.day
    FROM items i JOIN moneys m USING (key, comes) WHERE i.amount = m.amount
    UNION ALL
    SELECT items, money, 1, '', NULL, day FROM due WHERE least(cardinality(items), cardinality(money)) = 1
), ranked AS (
    SELECT *, row_number() OVER (
        ORDER BY grade DESC, cardinality(items), cardinality(money), day, items, money, payment_file_no
    ) AS place FROM found WHERE cardinality(items) + cardinality(money) > 2
), part AS (
    SELECT place, 1 AS side, unnest(items) AS number FROM ranked
    UNION ALL SELECT place, 2, unnest(money) FROM ranked
), first AS (
    SELECT place, place = min(place) OVER (PARTITION BY side, number) AS first FROM part
)
SELECT items, money, grade, key, payment_file_no FROM ranked
WHERE place IN (SELECT place FROM first GROUP BY place HAVING bool_and(first)) ORDER BY place
"""
)
"""The groups that go before every other one with a payment or money of theirs: the stronger and smaller ones first."""
_ASKED: Final[Mapping[str, Any]] = {
    "used": list(BANK_REFERENCE_USED),
    "undoing": list(CASH_COUNTS),
    "items": [],
    "money": [],
}


class Match(NamedTuple):
    """Payments that are recorded money, by their numbers, and why; each side is one or several."""

    items: tuple[int, ...]
    cash: tuple[int, ...]
    why: str


def open_now(items: list[int] | None = None, money: list[int] | None = None) -> dict[str, Any]:
    """Return the parameters of ``OPEN``, which leaves these payments and this money out."""
    return {**_ASKED, "items": items or [], "money": money or []}


async def recorded(connection: AsyncConnection, but: Iterable[int] = ()) -> list[Match]:
    """Return which open payments, except some, are recorded money; no payment and no money is in two matches.

    Groups are found in rounds: what a round has matched is gone in the next one, until there is none.
    """
    left_out = sorted(but)
    found = [
        Match((row.item_no,), (row.cash_id,), EVIDENCE[row.grade].format(row.bank_reference) + _days(row.days))
        for row in await connection.execute(_ONE_TO_ONE, open_now(left_out))
    ]
    while True:
        items = {*left_out, *(number for match in found for number in match.items)}
        money = {number for match in found for number in match.cash}
        known = {**open_now(sorted(items), sorted(money)), "message": MESSAGE}
        groups = [
            Match(tuple(row.items), tuple(row.money), _why(row)) for row in await connection.execute(_GROUPS, known)
        ]
        if not groups:
            return found
        found += groups


def _days(days: int | None) -> str:
    """Return how far a payment's day is from that of the money, where it has one and they differ."""
    return "" if not days else f", {days} day{'s' * (days > 1)} apart"


def _why(row: Row[Any]) -> str:
    """Return the evidence of a group of payments and money."""
    payments, money = len(row.items), len(row.money)
    if row.payment_file_no is not None:
        booked = "booked as one" if payments == 1 else f"booked as {payments}"
        return f"all {money} open payments of payment file {row.payment_file_no}, {booked}"
    by = {3: "the bank's number", 2: "the reference", 1: "account and name"}[row.grade]
    named = f" {row.key}" if row.key else ""
    sides = f"{payments} payment{'s' * (payments > 1)} and {money} document{'s' * (money > 1)} of money"
    return f"{sides} of one sum, by {by}{named}"
