"""Title to named lots compared with its history: who holds a receipt, by which trade, and what is kept for deals.

====================  =========================================================================================
compared              with
====================  =========================================================================================
holder of a receipt   the last change of title in the history of its lot, or the account that it was issued to
trade of a receipt    the newest trade of named lots that stands and moved it, or none
own stock sold        the part of a trade of named lots that its lots make own stock, by the order of these trades
locks for deals       the reservations that are open
====================  =========================================================================================

Differences are breaks of the kind HISTORY (``settlement.reconciliation.histories``). Since a proof only those titles
are compared of which a receipt, its lot or a reservation was written; the locks for deals are all compared, as only
reservations that are open have any.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Row, Text, TextClause, bindparam, column, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import among
from settlement.custody.reservations import LOCK
from settlement.documents.custody import RESERVATION_OPEN
from settlement.reconciliation import pairs
from settlement.reconciliation.histories import Facts
from settlement.reconciliation.since import Since
from settlement.tables.custody import lot_reservation, receipt
from settlement.tables.lots import lot_lock

_HOLDERS: Final = """
SELECT r.receipt_no, r.lot_id, coalesce(said.holder, r.issued_to) AS expected, r.account AS found
FROM receipt r LEFT JOIN (
    SELECT DISTINCT ON (receipt_no) CAST(e.detail ->> 'receipt' AS bigint) AS receipt_no, e.detail ->> 'to' AS holder
    FROM custody_event e WHERE e.step = 'title' AND (
        CAST(:receipts AS bigint[]) IS NULL
        OR e.lot_id IN (SELECT lot_id FROM receipt WHERE receipt_no = ANY (:receipts))
    ) ORDER BY receipt_no, e.event_id DESC
) said USING (receipt_no)
WHERE (r.issued_to IS NOT NULL OR said.holder IS NOT NULL)
    AND (CAST(:receipts AS bigint[]) IS NULL OR r.receipt_no = ANY (:receipts))
"""
_MOVES: Final = """
WITH move AS (
    SELECT m.reservation_no, m.purpose, m.trade_id, m.deposited_mg, n.receipt_no,
        coalesce(b.sequence, t.sequence) AS sequence
    FROM lot_reservation m JOIN trade t USING (trade_id)
    LEFT JOIN trade_bust b ON b.trade_id = m.trade_id AND m.purpose = 'BUST'
    CROSS JOIN LATERAL unnest(m.receipts) AS n (receipt_no)
    WHERE m.status = 'MOVED' AND (CAST(:receipts AS bigint[]) IS NULL OR m.receipts && CAST(:receipts AS bigint[]))
), bought AS (
    SELECT d.receipt_no, d.trade_id, d.sequence AS since, b.sequence AS until FROM move d
    LEFT JOIN move b ON b.purpose = 'BUST' AND b.trade_id = d.trade_id AND b.receipt_no = d.receipt_no
    WHERE d.purpose = 'DEAL'
)
"""
"""Each receipt that a trade of named lots moved, and from which event to which its holder had bought it by that trade.

``until`` is the event of the annulment, null where the trade stands.
"""
_OWN_STOCK: Final = (
    _MOVES
    + """
SELECT m.reservation_no, m.sequence, m.deposited_mg AS found,
    CAST(coalesce(sum(r.fine_mg) FILTER (WHERE b.receipt_no IS NULL), 0) AS bigint) AS expected
FROM move m LEFT JOIN receipt r USING (receipt_no)
LEFT JOIN bought b ON b.receipt_no = m.receipt_no AND b.since < m.sequence
    AND (b.until IS NULL OR b.until > m.sequence)
WHERE CAST(:reservations AS bigint[]) IS NULL OR m.reservation_no = ANY (:reservations)
GROUP BY m.reservation_no, m.sequence, m.deposited_mg
"""
)
_TRADES: Final = (
    _MOVES
    + """
SELECT r.receipt_no, r.lot_id, newest.trade_id AS expected, r.trade_id AS found
FROM receipt r LEFT JOIN (
    SELECT DISTINCT ON (receipt_no) receipt_no, trade_id FROM bought WHERE until IS NULL
    ORDER BY receipt_no, since DESC
) newest USING (receipt_no)
WHERE (r.trade_id IS NOT NULL OR r.receipt_no IN (SELECT receipt_no FROM move))
    AND (CAST(:receipts AS bigint[]) IS NULL OR r.receipt_no = ANY (:receipts))
"""
)
_WORDS: Final = {1: "kept", 0: "free"}


async def compare(connection: AsyncConnection, facts: Facts, since: Since | None = None) -> None:
    """Compare titles that named deals have moved, and all locks for deals, in the caller's snapshot."""
    receipts, reservations = (None, None) if since is None else await _written(connection, since)
    await facts.compare_pairs(
        connection,
        _query(_HOLDERS, "receipt_no", "lot_id", receipts=receipts, kind=Text()),
        lambda row: f"receipt:{row.receipt_no} holder",
        "receipt_no",
    )
    await facts.compare_pairs(
        connection,
        _query(_OWN_STOCK, "reservation_no", "sequence", receipts=receipts, reservations=reservations),
        lambda row: f"lot_reservation:{row.reservation_no} own stock",
        "sequence",
    )
    await facts.compare_pairs(
        connection,
        _query(_TRADES, "receipt_no", "lot_id", receipts=receipts),
        lambda row: f"receipt:{row.receipt_no} trade",
        "receipt_no",
    )
    await _locks(connection, facts)


def _query(sql: str, *names: str, kind: Any = None, **numbers: list[int] | None) -> Any:
    """Return a query of pairs with these columns of numbers; ``numbers`` are its lists, None for all."""
    given = [bindparam(name, value, ARRAY(BigInteger)) for name, value in numbers.items()]
    sides = [column(name, kind or BigInteger()) for name in ("expected", "found")]
    bound: TextClause = text(sql).bindparams(*given)
    return bound.columns(*(column(name, BigInteger) for name in names), *sides)


async def _written(connection: AsyncConnection, since: Since) -> tuple[list[int], list[int]]:
    """Return the receipts and the reservations that are compared since a proof.

    These are the receipts that were written, or of whose lots anything was, and the reservations that were written or
    name one of these; with each reservation all of its receipts, as its own stock depends on the history of each.
    """
    columns = lot_reservation.c
    of_lots = select(receipt.c.receipt_no).where(among(receipt.c.lot_id, await since.lots(connection)))
    receipts = since.numbers(receipt.name) | set(await connection.scalars(of_lots))
    named = columns.receipts.bool_op("&&")(literal(sorted(receipts), columns.receipts.type))
    written = among(columns.reservation_no, since.numbers(lot_reservation.name))
    query = select(columns.reservation_no, columns.receipts).where(columns.status == "MOVED", or_(written, named))
    rows = (await connection.execute(query)).all()
    every = receipts.union(*(row.receipts for row in rows))
    return sorted(every), sorted(row.reservation_no for row in rows)


async def _locks(connection: AsyncConnection, facts: Facts) -> None:
    """Compare the lots of all open reservations with the locks for deals that lie on lots."""
    columns, here = lot_reservation.c, lot_lock.c
    kept = select(func.unnest(columns.lots).label("lot_id"), columns.reservation_no, literal(1).label("figure"))
    kept = kept.where(columns.status.in_(RESERVATION_OPEN))
    laid = select(here.lot_id, here.subject.label("reservation_no"), literal(1).label("figure"))
    laid = laid.where(here.kind == LOCK, here.lifted_at.is_(None))

    def subject(row: Row[Any]) -> str:
        return f"lot_reservation:{row.reservation_no} lot:{row.lot_id}"

    both = pairs.joined(kept, laid, "lot_id", "reservation_no")
    await facts.compare_pairs(connection, both, subject, "lot_id", "reservation_no", words=_WORDS)
