"""The bank's statements held against the money in and out of the ledger, payment by payment, to the fen.

===============  ====================================================================================
kind of break    difference (domain sheet 8.2, the five codes of bank reconciliation)
===============  ====================================================================================
VENUE_ONLY       money moved here that no statement has
BANK_ONLY        a payment in a statement, or a first balance, that moved no money here
VENUE_MORE       both moved the same way under one reference, the venue more
BANK_MORE        both moved the same way under one reference, the bank more
DIRECTION_DIFF   both moved under one reference, in opposite directions
BANK_BALANCE     the balances differ by something else than all of these
===============  ====================================================================================

The comparison is a full outer join: by what a payment is tied to, else by the bank's reference. A payment that the bank
has rejected, and the money that came back for it, are no difference: no statement has either.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.base import audit
from settlement.ledger import balances
from settlement.reconciliation import breaks
from settlement.reconciliation.breaks import Break

SCOPE: Final = "bank"

_DIFFERENCES: Final = text("""
WITH rejected AS (
    SELECT a.cash_id, a.back_cash_id FROM payment_answer a JOIN cash_transfer back ON back.cash_id = a.back_cash_id
    WHERE back.status = 'DONE' AND NOT EXISTS (SELECT FROM bank_match m WHERE m.cash_id = a.cash_id)
), money AS (
    SELECT cash_id, account, amount, bank_reference FROM cash_transfer c WHERE status = 'DONE'
        AND NOT EXISTS (SELECT FROM rejected WHERE c.cash_id IN (rejected.cash_id, rejected.back_cash_id))
), payment AS (
    SELECT i.item_no, i.amount_fen, e.day, e.bank_reference, i.name,
        (SELECT max(m.cash_id) FROM bank_match m JOIN money ON money.cash_id = m.cash_id WHERE m.item_no = i.item_no)
            AS cash_id
    FROM bank_item i JOIN bank_entry e USING (statement_no, place) JOIN bank_statement s USING (statement_no)
    WHERE s.kind = 'BOOKED'
        AND NOT EXISTS (SELECT FROM bank_match m WHERE m.item_no = i.item_no AND m.how = 'OFFSET')
), untied AS (
    SELECT p.item_no, m.cash_id FROM (
        SELECT min(item_no) AS item_no, folded(bank_reference) AS reference FROM payment
        WHERE cash_id IS NULL AND bank_reference <> '' GROUP BY folded(bank_reference)
    ) p JOIN (
        SELECT cash_id, folded(bank_reference) AS reference FROM money
        WHERE NOT EXISTS (SELECT FROM bank_match b WHERE b.cash_id = money.cash_id)
    ) m USING (reference)
)
SELECT p.item_no, p.amount_fen, p.day, p.bank_reference, p.name, m.cash_id, m.account, m.amount,
    m.bank_reference AS our_reference
FROM payment p LEFT JOIN untied u USING (item_no) FULL JOIN money m ON m.cash_id = coalesce(p.cash_id, u.cash_id)
WHERE p.amount_fen IS DISTINCT FROM m.amount
ORDER BY p.day, p.item_no, m.cash_id
""")
_BALANCES: Final = text("""
SELECT a.account_number, f.opening_fen, l.closing_fen, l.last_day FROM bank_account a
JOIN LATERAL (SELECT opening_fen FROM bank_statement s WHERE s.account_id = a.account_id AND kind = 'BOOKED'
    ORDER BY statement_no LIMIT 1) f ON true
JOIN LATERAL (SELECT closing_fen, last_day FROM bank_statement s WHERE s.account_id = a.account_id AND kind = 'BOOKED'
    ORDER BY statement_no DESC LIMIT 1) l ON true
ORDER BY a.account_id
""")


class Proof(NamedTuple):
    """The comparison: the bank's balances and the ledger's, in fen, and the differences that explain the rest.

    ``accounts``: each account with its last day and balance.
    """

    run_id: int | None
    bank_fen: int
    ledger_fen: int
    accounts: tuple[tuple[str, str, int], ...]
    breaks: tuple[Break, ...]


async def compare(connection: AsyncConnection) -> Proof:
    """Compare all statements with the ledger, and change nothing.

    The transaction should have its turn (``audit.lock``), or a proposal decided meanwhile may show as a difference.
    """
    stated = list(await connection.execute(_BALANCES))
    bank = sum(row.closing_fen for row in stated)
    ledger = -await balances.of_kind(connection, "bank_escrow", CASH)
    found = [
        Break("BANK_ONLY", f"{row.account_number} before its first statement", CASH, 0, row.opening_fen)
        for row in stated
        if row.opening_fen
    ]
    found += [_break(row) for row in await connection.execute(_DIFFERENCES)]
    explained = sum(one.found - one.expected for one in found)
    if bank - ledger != explained:
        found.append(Break("BANK_BALANCE", "all accounts", CASH, ledger + explained, bank))
    accounts = tuple((row.account_number, row.last_day.isoformat(), row.closing_fen) for row in stated)
    return Proof(None, bank, ledger, accounts, tuple(found))


def _break(row: Row[Any]) -> Break:
    """Return the break of a payment and money that are not the same; either may be missing."""
    if row.item_no is None:
        subject, note = f"cash:{row.cash_id}", f"{row.account}, reference {row.our_reference}"
        return Break("VENUE_ONLY", subject, CASH, row.amount, 0, note=note)
    subject = f"payment:{row.item_no}"
    note = " ".join(filter(None, (row.day.isoformat(), row.bank_reference, row.name)))
    if row.cash_id is None:
        return Break("BANK_ONLY", subject, CASH, 0, row.amount_fen, note=note)
    if (row.amount > 0) != (row.amount_fen > 0):
        kind = "DIRECTION_DIFF"
    else:
        kind = "VENUE_MORE" if abs(row.amount) > abs(row.amount_fen) else "BANK_MORE"
    return Break(kind, subject, CASH, row.amount, row.amount_fen, note=f"{note}, cash:{row.cash_id} of {row.account}")


async def reconcile(connection: AsyncConnection, by: str) -> Proof:
    """Compare, and record the differences as breaks of the scope ``bank``."""
    await audit.lock(connection)
    proof = await compare(connection)
    run_id = await breaks.record_run(connection, by, SCOPE, len(proof.accounts), proof.breaks)
    return proof._replace(run_id=run_id)
