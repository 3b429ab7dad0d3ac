"""The bank's statements held against the money in and out of the ledger, payment by payment, to the fen.

===============  ====================================================================================
kind of break    difference (domain sheet 8.2, the five codes of bank reconciliation)
===============  ====================================================================================
VENUE_ONLY       money moved here that no statement has
BANK_ONLY        a payment in a statement, or a first balance, that moved no money here
VENUE_MORE       both moved the same way under one reference, the venue more
BANK_MORE        both moved the same way under one reference, the bank more
DIRECTION_DIFF   both moved under one reference, in opposite directions
PARTY_DIFF       a payment is recorded money by its reference, but went to another member's virtual account, or to
                 another account at a bank than that of the order
BANK_BALANCE     the balances differ by something else than all of these
===============  ====================================================================================

The comparison is a full outer join: by what payments are tied to, else by the bank's reference. Payments that are tied
together, and the money that they are, are compared by their sums. A payment that the bank has rejected or that was
cancelled, and the money that came back for it, are no difference: no statement has either.
"""

from datetime import date
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.base import audit
from settlement.base.paging import LARGEST_NUMBER
from settlement.ledger import balances, payment_claims
from settlement.reconciliation import breaks
from settlement.reconciliation.break_areas import BANK_SCOPE
from settlement.reconciliation.breaks import Break

_DIFFERENCES: Final = text("""
WITH RECURSIVE matched AS (
    SELECT match_no, item_no, cash_id, against_item, group_no, how FROM bank_match WHERE match_no <= :match_no
    UNION ALL
    SELECT match_no, item_no, cash_id, against_item, group_no, how FROM voided_match
    WHERE match_no <= :match_no AND void_order > :void_order
), item_group AS (
    SELECT DISTINCT ON (item_no) item_no, coalesce(group_no, item_no) AS group_no
    FROM matched WHERE cash_id IS NOT NULL ORDER BY item_no, match_no DESC
), claim AS (
    SELECT claim_no, account, amount_fen, item_no, undone_no FROM payment_claim
    WHERE began <= :last AND (ended IS NULL OR ended > :last)
), money_group AS (
    (SELECT DISTINCT ON (cash_id) cash_id, coalesce(group_no, item_no) AS group_no
    FROM matched WHERE cash_id IS NOT NULL ORDER BY cash_id, match_no DESC)
    UNION ALL
    SELECT -claim_no, item_no FROM claim WHERE item_no IS NOT NULL
), undone AS (
    SELECT a.cash_id, a.back_cash_id FROM payment_answer a
    JOIN cash_transfer back ON back.cash_id = a.back_cash_id AND back.status = 'DONE'
    JOIN outbox o ON o.kind = 'cash' AND o.subject = a.back_cash_id AND o.sequence <= :last
    WHERE a.answer_no <= :answer_no AND NOT EXISTS (SELECT FROM money_group g WHERE g.cash_id = a.cash_id)
    UNION
    SELECT w.cash_id, w.back_cash_id FROM withdrawal w
    JOIN cash_transfer back ON back.cash_id = w.back_cash_id AND back.status = 'DONE'
    JOIN outbox o ON o.kind = 'cash' AND o.subject = w.back_cash_id AND o.sequence <= :last
    UNION
    SELECT u.cash_id, t.cash_id FROM undone_money u JOIN undone_attempt t USING (undone_no)
    JOIN cash_transfer back ON back.cash_id = t.cash_id AND back.status = 'DONE'
    JOIN outbox o ON o.kind = 'cash' AND o.subject = t.cash_id AND o.sequence <= :last
    WHERE NOT EXISTS (SELECT FROM money_group g WHERE g.cash_id = u.cash_id)
    UNION
    SELECT u.cash_id, -claim_no FROM undone_money u JOIN claim USING (undone_no)
    WHERE NOT EXISTS (SELECT FROM money_group g WHERE g.cash_id = u.cash_id)
), turn AS (
    SELECT cash_id, back_cash_id, 1 AS turns FROM undone
    WHERE back_cash_id NOT IN (SELECT cash_id FROM undone)
    UNION ALL
    SELECT e.cash_id, e.back_cash_id, t.turns + 1 FROM undone e JOIN turn t ON t.cash_id = e.back_cash_id
), unpaid AS (
    SELECT cash_id, back_cash_id FROM turn WHERE turns % 2 = 1
), money AS (
    SELECT m.* FROM (
        SELECT c.cash_id, c.account, c.amount, c.bank_reference FROM cash_transfer c
        JOIN outbox o ON o.kind = 'cash' AND o.subject = c.cash_id AND o.sequence <= :last
        WHERE c.status = 'DONE'
        UNION ALL
        SELECT -claim_no, account, -amount_fen, '' FROM claim
    ) m WHERE NOT EXISTS (SELECT FROM unpaid WHERE m.cash_id IN (cash_id, back_cash_id))
), payment AS (
    SELECT i.item_no, i.amount_fen, e.day, e.bank_reference, i.name
    FROM bank_item i JOIN bank_entry e USING (statement_no, place) JOIN bank_statement s USING (statement_no)
    WHERE s.kind = 'BOOKED' AND s.statement_no <= :statement_no AND e.day <= :day
        AND (s.void_order IS NULL OR s.void_order > :void_order)
        AND NOT EXISTS (
            SELECT FROM matched m JOIN bank_item other ON other.item_no = m.against_item
            JOIN bank_entry there ON (there.statement_no, there.place) = (other.statement_no, other.place)
            WHERE m.item_no = i.item_no AND m.how = 'OFFSET' AND there.day <= :day
        )
), tie AS (
    SELECT group_no FROM payment JOIN item_group USING (item_no)
    INTERSECT SELECT group_no FROM money JOIN money_group USING (cash_id)
), by_reference AS (
    SELECT p.item_no, m.cash_id FROM (
        SELECT min(item_no) AS item_no, folded(bank_reference) AS reference FROM payment
        WHERE bank_reference <> '' AND item_no NOT IN (SELECT item_no FROM item_group JOIN tie USING (group_no))
        GROUP BY folded(bank_reference)
    ) p JOIN (
        SELECT cash_id, folded(bank_reference) AS reference FROM money
        WHERE cash_id NOT IN (SELECT cash_id FROM money_group)
    ) m USING (reference)
), booked AS (
    SELECT coalesce(t.group_no, p.item_no) AS group_no, min(p.item_no) AS item_no,
        CAST(sum(p.amount_fen) AS bigint) AS amount_fen, min(p.day) AS day,
        string_agg(DISTINCT p.bank_reference, ', ') AS bank_reference, string_agg(DISTINCT p.name, ', ') AS name
    FROM payment p LEFT JOIN item_group USING (item_no) LEFT JOIN tie t USING (group_no)
    GROUP BY coalesce(t.group_no, p.item_no)
), posted AS (
    SELECT coalesce(t.group_no, r.item_no) AS group_no, min(m.cash_id) AS cash_id,
        CAST(sum(m.amount) AS bigint) AS amount, string_agg(DISTINCT m.account, ', ') AS account,
        min(m.bank_reference) AS bank_reference
    FROM money m LEFT JOIN money_group USING (cash_id) LEFT JOIN tie t USING (group_no)
    LEFT JOIN by_reference r USING (cash_id)
    GROUP BY coalesce(t.group_no, r.item_no), CASE WHEN coalesce(t.group_no, r.item_no) IS NULL THEN m.cash_id END
)
SELECT p.item_no, p.amount_fen, p.day, p.bank_reference, p.name, m.cash_id, m.account, m.amount,
    m.bank_reference AS our_reference
FROM booked p FULL JOIN posted m USING (group_no)
WHERE p.amount_fen IS DISTINCT FROM m.amount
ORDER BY p.day, p.item_no, m.cash_id
""")
"""Money that was undone is left out with the money that undid it; that may have been undone in its turn.

A claim in force stands for the money out that it is about, under its number below zero.
"""
_PARTIES: Final = text("""
WITH matched AS (
    SELECT match_no, item_no, cash_id, group_no FROM bank_match WHERE match_no <= :match_no AND how = 'RECORDED'
    UNION ALL
    SELECT match_no, item_no, cash_id, group_no FROM voided_match
    WHERE match_no <= :match_no AND how = 'RECORDED' AND void_order > :void_order
), paid AS (
    SELECT i.item_no, i.amount_fen, e.day, e.bank_reference, i.name, c.cash_id, c.account, v.account AS meant,
        i.account AS there, o.payee_account, regexp_replace(folded(i.account), '[^0-9a-z*]', '', 'g') AS said,
        regexp_replace(folded(o.payee_account), '[^0-9a-z]', '', 'g') AS payee
    FROM matched m JOIN bank_item i USING (item_no) JOIN bank_entry e USING (statement_no, place)
    JOIN bank_statement s USING (statement_no) JOIN cash_transfer c USING (cash_id)
    LEFT JOIN virtual_account v ON folded(v.number) = folded(i.virtual_account) AND v.added_at <= s.taken_at
    LEFT JOIN payment_order o USING (cash_id)
    WHERE m.group_no IS NULL AND s.statement_no <= :statement_no AND e.day <= :day
        AND NOT EXISTS (SELECT FROM matched x WHERE x.item_no = m.item_no AND x.match_no <> m.match_no)
)
SELECT * FROM paid WHERE amount_fen > 0 AND meant <> account
    OR amount_fen < 0 AND said <> '' AND payee NOT LIKE '%' || regexp_replace(said, '[*]+', '%', 'g')
        AND said NOT LIKE '%' || payee
ORDER BY item_no
""")
"""Numbers of accounts are compared without their signs; one may end with the other, or the bank may hide a part."""
_STANDING: Final = """
WITH standing AS (
    SELECT * FROM bank_statement WHERE kind = 'BOOKED' AND statement_no <= :statement_no
        AND (void_order IS NULL OR void_order > :void_order)
)
"""
"""The statements that were known and not voided."""
_BALANCES: Final = text(
    _STANDING
    + """
SELECT a.account_number, f.opening_fen, l.closing_fen - coalesce(later.moved, 0) AS closing_fen,
    least(d.last_day, :day) AS last_day
FROM bank_account a
JOIN LATERAL (SELECT opening_fen FROM standing s WHERE s.account_id = a.account_id
    ORDER BY statement_no LIMIT 1) f ON true
JOIN LATERAL (SELECT closing_fen FROM standing s WHERE s.account_id = a.account_id
    ORDER BY statement_no DESC LIMIT 1) l ON true
JOIN LATERAL (SELECT max(last_day) AS last_day FROM standing s WHERE s.account_id = a.account_id) d ON true
LEFT JOIN LATERAL (SELECT CAST(sum(e.amount_fen) AS bigint) AS moved
    FROM standing s JOIN bank_entry e USING (statement_no)
    WHERE s.account_id = a.account_id AND s.last_day > :day AND e.day > :day) later ON true
ORDER BY a.account_id
"""
)
_SILENT: Final = text(
    _STANDING
    + """
SELECT account_number FROM bank_account a WHERE a.account_id <= :account_id AND NOT EXISTS (
    SELECT FROM standing s WHERE s.account_id = a.account_id AND s.last_day >= :day
) ORDER BY account_id
"""
)
_STATED: Final = text("SELECT EXISTS (SELECT FROM bank_statement WHERE kind = 'BOOKED' AND void_order IS NULL)")
_KNOWN: Final = text("""
SELECT (SELECT coalesce(max(statement_no), 0) FROM bank_statement), (SELECT coalesce(max(match_no), 0) FROM bank_match),
    (SELECT coalesce(max(answer_no), 0) FROM payment_answer), (SELECT coalesce(max(void_order), 0) FROM bank_void),
    (SELECT coalesce(max(account_id), 0) FROM bank_account)
""")
_POSTED_AFTER: Final = text("""
SELECT coalesce(sum(p.amount), 0) FROM posting p JOIN ledger_account a USING (account_id)
WHERE a.kind = 'bank_escrow' AND a.asset = :asset AND p.sequence > :last
""")


class DayEnd(Protocol):
    """A trading day whose events are those up to the sequence ``last``."""

    @property
    def day(self) -> date: ...
    @property
    def last(self) -> int: ...


class KnownNumbers(NamedTuple):
    """The newest statement, match, answer, void and account at a bank that were known, by their numbers."""

    statement_no: int
    match_no: int
    answer_no: int
    void_order: int
    account_id: int = LARGEST_NUMBER

    def of_statements(self) -> dict[str, int]:
        """Return the numbers that say which statements were known, as parameters of a query."""
        return {"statement_no": self.statement_no, "void_order": self.void_order}


class EscrowProof(NamedTuple):
    """The comparison: the bank's balances and the ledger's, in fen, and the differences that explain the rest.

    ``accounts``: each account with its last day and balance.
    """

    run_id: int | None
    bank_fen: int
    ledger_fen: int
    accounts: tuple[tuple[str, str, int], ...]
    breaks: tuple[Break, ...]


class DayProof(NamedTuple):
    """The comparison as of a trading day's end.

    ``silent``: the accounts of which no statement reaches the day. ``known``: what the comparison was made with; with
    it the comparison of a past day can be repeated, whatever came later.
    """

    day: date
    last: int
    known: KnownNumbers
    bank_fen: int
    ledger_fen: int
    accounts: tuple[tuple[str, str, int], ...]
    silent: tuple[str, ...]
    breaks: tuple[Break, ...]

    def content(self) -> bytes:
        """Return the comparison as JSON, the same bytes for the same comparison."""
        return msgspec.json.encode({**self._asdict(), "breaks": [one.content() for one in self.breaks]})


async def compare(connection: AsyncConnection) -> EscrowProof:
    """Compare all statements with the ledger, and change nothing.

    The transaction should have its turn (``audit.lock``), or a proposal decided meanwhile may show as a difference.
    """
    return await _compare(connection, date.max, LARGEST_NUMBER, await known(connection))


async def known(connection: AsyncConnection) -> KnownNumbers:
    """Return what is known of the bank now."""
    return KnownNumbers(*(await connection.execute(_KNOWN)).one())


async def prove(connection: AsyncConnection, day: DayEnd, since: KnownNumbers | None = None) -> DayProof:
    """Compare the statements up to a trading day with the ledger at the sequence that ends it, and change nothing.

    A payment that the bank booked on the day and the ledger on a later one, or the other way round, is a difference of
    the day. ``since`` is what was known when the day was compared before; default: what is known now.
    """
    numbers = await known(connection) if since is None else since
    proof = await _compare(connection, day.day, day.last, numbers)
    without = await silent(connection, day.day, numbers)
    return DayProof(day.day, day.last, numbers, proof.bank_fen, proof.ledger_fen, proof.accounts, without, proof.breaks)


async def is_stated(connection: AsyncConnection) -> bool:
    """Return whether a final statement of any account at a bank was taken in."""
    return bool(await connection.scalar(_STATED))


async def silent(connection: AsyncConnection, day: date, since: KnownNumbers | None = None) -> tuple[str, ...]:
    """Return the accounts of which no final statement reaches a day; ``since`` as in ``prove``."""
    numbers = await known(connection) if since is None else since
    found = await connection.scalars(_SILENT, {"day": day, "account_id": numbers.account_id, **numbers.of_statements()})
    return tuple(found)


async def _compare(connection: AsyncConnection, day: date, last: int, numbers: KnownNumbers) -> EscrowProof:
    """Compare what the bank has booked up to a day with what the ledger has posted up to a sequence."""
    limits = {"day": day, **numbers.of_statements()}
    stated = list(await connection.execute(_BALANCES, limits))
    bank = sum(row.closing_fen for row in stated)
    after = int(await connection.scalar(_POSTED_AFTER, {"asset": CASH, "last": last}) or 0)
    ledger = after - await balances.of_kind(connection, "bank_escrow", CASH)
    found = [
        Break("BANK_ONLY", f"{row.account_number} before its first statement", CASH, 0, row.opening_fen)
        for row in stated
        if row.opening_fen
    ]
    found += [
        _break(row) for row in await connection.execute(_DIFFERENCES, {**limits, **numbers._asdict(), "last": last})
    ]
    explained = sum(one.found - one.expected for one in found)
    found += [_party(row) for row in await connection.execute(_PARTIES, {**limits, **numbers._asdict()})]
    if bank - ledger != explained:
        found.append(Break("BANK_BALANCE", "all accounts", CASH, ledger + explained, bank))
    accounts = tuple((row.account_number, row.last_day.isoformat(), row.closing_fen) for row in stated)
    return EscrowProof(None, bank, ledger, accounts, tuple(found))


def _break(row: Row[Any]) -> Break:
    """Return the break of a payment and money that are not the same; either may be missing."""
    if row.item_no is None:
        if row.cash_id < 0:
            return Break("VENUE_ONLY", payment_claims.reference_of(-row.cash_id), CASH, row.amount, 0, note=row.account)
        subject, note = f"cash:{row.cash_id}", f"{row.account}, reference {row.our_reference}"
        return Break("VENUE_ONLY", subject, CASH, row.amount, 0, note=note, cash_id=row.cash_id)
    subject = f"payment:{row.item_no}"
    note = " ".join(filter(None, (row.day.isoformat(), row.bank_reference, row.name)))
    if row.cash_id is None:
        return Break("BANK_ONLY", subject, CASH, 0, row.amount_fen, note=note)
    if (row.amount > 0) != (row.amount_fen > 0):
        kind = "DIRECTION_DIFF"
    else:
        kind = "VENUE_MORE" if abs(row.amount) > abs(row.amount_fen) else "BANK_MORE"
    ours, cash_id = f"cash:{row.cash_id}", row.cash_id
    if row.cash_id < 0:
        ours, cash_id = payment_claims.reference_of(-row.cash_id), None
    note += f", {ours} of {row.account}"
    return Break(kind, subject, CASH, row.amount, row.amount_fen, note=note, cash_id=cash_id)


def _party(row: Row[Any]) -> Break:
    """Return the break of a payment whose other side is not that of the money."""
    note = " ".join(filter(None, (row.day.isoformat(), row.bank_reference, row.name)))
    if row.amount_fen > 0:
        note += f": paid for {row.meant}, cash:{row.cash_id} is money of {row.account}"
        difference = breaks.difference_of(row.meant, row.cash_id, row.account)
    else:
        note += f": paid to {row.there}, cash:{row.cash_id} of {row.account} was ordered to {row.payee_account}"
        difference = breaks.difference_of(row.there, row.cash_id, row.account, row.payee_account)
    subject, cash_id = f"payment:{row.item_no}", row.cash_id
    return Break("PARTY_DIFF", subject, CASH, 1, 0, "match", note, cash_id=cash_id, difference=difference)


async def reconcile(connection: AsyncConnection, by: str) -> EscrowProof:
    """Compare, and record the differences as breaks of the scope ``bank``."""
    await audit.lock(connection)
    proof = await compare(connection)
    run_id = await breaks.record_run(connection, by, BANK_SCOPE, len(proof.accounts), proof.breaks)
    return proof._replace(run_id=run_id)
