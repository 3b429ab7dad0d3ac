"""The register of one warehouse in SQL: the line that its statement should have about each lot.

====================  =========================================================================================
of a lot              it is
====================  =========================================================================================
weight                after melting, else gross, else as declared
status                that of its locks, else of its state (``settlement.reconciliation.statement_file.STATUSES``)
seal                  the newest one in its history
owner                 the account of the load-out to which it is promised, else of its live receipt, else its depositor
customs               that of the warehouse
travels               true under a transfer that two people have agreed on, until it arrives
====================  =========================================================================================
"""

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.documents.custody import RECEIPT_LIVE, TRANSFER
from settlement.documents.load_outs import LOAD_OUT
from settlement.documents.lots import AT_WAREHOUSE, PROMISED
from settlement.intake.bar_rows import BarKey
from settlement.lots import warehouses
from settlement.reconciliation.statement_file import STATUSES, StatementBar

REGISTER: Final = """
WITH here AS (
    SELECT l.lot_id, l.refiner, l.serial, l.year, l.symbol, l.state, l.account, l.gross_cg, l.fineness_e5,
        coalesce(l.melt_cg, l.gross_cg, l.declared_gross_cg) AS weight_cg,
        coalesce(l.fineness_e5, l.declared_fineness_e5) AS right_e5
    FROM lot l WHERE l.warehouse = :place AND l.state = ANY (:at_warehouse)
), locked AS (
    SELECT k.lot_id, array_agg(k.kind) AS kinds, bool_or(t.status IS NOT NULL) AS travels
    FROM lot_lock k JOIN here USING (lot_id) LEFT JOIN transfer t
        ON k.kind = 'TRANSFER' AND k.subject = t.transfer_no AND t.status = ANY (:travelling)
    WHERE k.lifted_at IS NULL GROUP BY k.lot_id
), sealed AS (
    SELECT DISTINCT ON (e.lot_id) e.lot_id, e.detail ->> 'seal' AS seal FROM custody_event e JOIN here USING (lot_id)
    WHERE e.detail ->> 'seal' IS NOT NULL ORDER BY e.lot_id, e.event_id DESC
), owned AS (
    SELECT DISTINCT ON (lot_id) lot_id, account FROM (
        SELECT p.lot_id, o.account, 1 AS turn FROM load_out_lot p JOIN load_out o USING (load_out_no)
        JOIN here USING (lot_id) WHERE here.state = ANY (:promised) AND NOT o.status = ANY (:ended)
        UNION ALL SELECT r.lot_id, r.account, 2 FROM receipt r JOIN here USING (lot_id) WHERE r.status = :live
    ) claim ORDER BY lot_id, turn
), register AS (
    SELECT h.*, coalesce(k.travels, false) AS travels, s.seal, coalesce(o.account, h.account) AS owner,
        CASE WHEN k.kinds && ARRAY['FREEZE', 'LEGAL_HOLD'] THEN 'FROZEN' WHEN 'PLEDGE' = ANY (k.kinds) THEN 'PLEDGED'
            WHEN h.state = ANY (:promised) THEN 'LOAD_OUT' WHEN h.state = ANY (:statuses) THEN h.state
            ELSE 'UNREGISTERED' END AS status
    FROM here h LEFT JOIN locked k USING (lot_id) LEFT JOIN sealed s USING (lot_id) LEFT JOIN owned o USING (lot_id)
)
"""
"""The query of the lots of a warehouse, to which another part is added; its parameters are ``parameters``."""
_LINES: Final = text(f"{REGISTER} SELECT * FROM register ORDER BY lot_id")


def parameters(place: str) -> dict[str, Any]:
    """Return the parameters of ``REGISTER``."""
    return {
        "place": place,
        "at_warehouse": list(AT_WAREHOUSE),
        "promised": list(PROMISED),
        "ended": list(LOAD_OUT.final),
        "live": RECEIPT_LIVE,
        "travelling": [TRANSFER.steps[step].after for step in ("approve", "ship")],
        "statuses": list(STATUSES),
    }


async def expected(connection: AsyncConnection, place: str) -> list[StatementBar]:
    """Return the lines that a warehouse's statement should have. Raises BadValue for an unknown warehouse."""
    customs = await warehouses.customs_of(connection, place)
    rows = await connection.execute(_LINES, parameters(place))
    return [
        StatementBar(
            number,
            BarKey(row.refiner, row.serial, row.year),
            row.weight_cg,
            row.right_e5,
            row.status,
            row.seal,
            customs,
            row.owner,
        )
        for number, row in enumerate(rows, 1)
    ]
