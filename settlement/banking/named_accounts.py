"""Trading accounts that payments name, found in one query for all of them: by virtual account, reference and text.

A payment names an account by the virtual account that it was paid to, and by each word of its reference or text that is
the account's name in any spelling. Each name is evidence, and is shown: the virtual account first, then the words in
their order.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.sub_accounts import CUSTODY_MEMBER, SUFFIXES

_NAMED: Final = text(r"""
WITH payment AS (
    SELECT i.item_no, i.reference, i.text, i.virtual_account, e.day, v.number, v.account
    FROM bank_item i JOIN bank_entry e USING (statement_no, place)
    LEFT JOIN virtual_account v ON folded(v.number) = folded(i.virtual_account)
    WHERE i.item_no = ANY (CAST(:items AS bigint[]))
), word AS (
    SELECT p.item_no, f.field, f.turn, rtrim(w.found[1], '._-') AS word, min(w.place) AS place
    FROM payment p
    CROSS JOIN LATERAL (VALUES ('reference', 1, p.reference), ('text', 2, p.text)) AS f (field, turn, said)
    CROSS JOIN LATERAL regexp_matches(normalize(f.said, NFKC), '[A-Za-z0-9][A-Za-z0-9._-]*', 'g')
        WITH ORDINALITY AS w (found, place)
    GROUP BY p.item_no, f.field, f.turn, rtrim(w.found[1], '._-')
), evidence AS (
    SELECT item_no, account, 'VIRTUAL' AS how, 0 AS turn, 0 AS place, 'virtual account ' || virtual_account AS said
    FROM payment WHERE account IS NOT NULL
    UNION ALL
    SELECT w.item_no, t.account, 'REFERENCE', w.turn, w.place, w.field || ' ' || w.word
    FROM word w JOIN trading_account t ON folded(t.account) = folded(w.word)
    WHERE t.member <> :custody AND NOT t.account LIKE ANY (:suffixes)
), named AS (
    SELECT item_no, account, (array_agg(how ORDER BY turn, place))[1] AS how,
        string_agg(said, ', ' ORDER BY turn, place) AS said
    FROM evidence GROUP BY item_no, account
)
SELECT p.item_no, count(n.account) AS accounts, min(n.account) AS account, min(n.how) AS how, min(n.said) AS said,
    string_agg(n.account || ' by ' || n.said, '; ' ORDER BY n.account COLLATE "C") AS every, x.from_day AS ended_from
FROM payment p LEFT JOIN named n USING (item_no) LEFT JOIN virtual_account_end x
    ON x.number = p.number AND x.status = 'ENDED' AND x.from_day <= p.day
GROUP BY p.item_no, x.from_day
""")


class Named(NamedTuple):
    """The accounts that a payment names.

    ``account``, ``how`` (as ``bank_match.how`` keeps it) and ``said`` are those of the only one, ``every`` lists all
    with their evidence. ``ended_from``: the day from which the payment's virtual account had ended when it was paid.
    """

    accounts: int
    account: str | None
    how: str | None
    said: str | None
    every: str | None
    ended_from: date | None


async def of(connection: AsyncConnection, items: Iterable[int]) -> dict[int, Named]:
    """Return by payment the accounts that it names."""
    given = {"items": sorted(items), "custody": CUSTODY_MEMBER, "suffixes": [f"%{suffix}" for suffix in SUFFIXES]}
    return {row.item_no: Named(*row[1:]) for row in await connection.execute(_NAMED, given)}
