"""The stock report: the metal in each vault, by form and customs status, and the movements of a day (domain sheet 8.6).

Metal is in stock from its weighing until it is handed out, in its gross weight as last weighed; its fine weight is
known from its certificate on. Per vault, form and customs status:

    total = previous + in - out - melt loss

``in`` is weighed in, or arrived from another vault; ``out`` released, returned or sent to another vault; the melt loss
is the weight of the lots before the crucible less the weight after it. The movements follow from the custody events;
the weights are the newest in these events: a weight that was corrected counts as if it had been found at once, in the
report of a day in the past, too. The bulletin of a day has the report as the custody events and the breaks were known
when the day was closed (``KnownEvents``).

A lot is in dispute while the vault's statement and the register differ about it. (Lots whose assays differ have no fine
weight yet, and a lot under a quality claim has left.) There is no column of leased metal, as nobody can lease here.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import working_days
from settlement.base.paging import ALL, LARGEST_NUMBER, SEPARATOR, Page, PageRequest, cut
from settlement.documents.lots import CERTIFIED_IN_STOCK, IN_STOCK, PROMISED, UNMELTED
from settlement.reconciliation.break_areas import BOOKS
from settlement.workbooks import writing


class StockLine(NamedTuple):
    """The stock of one vault, form and customs status: gross weights in mg, fine weights in mg, and the parts of the
    fine total by their state in fine mg."""

    warehouse: str
    form: str
    customs: str
    lots: int
    gross_previous: int
    gross_in: int
    gross_out: int
    melt_loss: int
    gross_total: int
    fine_previous: int
    fine_in: int
    fine_out: int
    fine_total: int
    unreceipted: int
    free: int
    frozen: int
    pledged: int
    legal_hold: int
    in_dispute: int
    in_transfer: int
    load_out: int


class KnownEvents(NamedTuple):
    """The newest custody event, and the newest change of a break (``break_state``), that a report takes in."""

    events: int
    breaks: int


ALL_EVENTS: Final = KnownEvents(LARGEST_NUMBER, LARGEST_NUMBER)
_WEIGHTS: Final = StockLine._fields[4:]
_PARTS: Final = StockLine._fields[-8:]
HEADING: Final = (*StockLine._fields[:4], *(f"{name}_g" for name in _WEIGHTS))

# Every event becomes a move from (place before, weights before) to (place after, weights after); a place is NULL where
# the lot is not in stock. Lots on another class after the border keep form and weight.
_WEIGHTS_OF_LOTS: Final = """
WITH weight AS (
    SELECT lot_id,
           CAST(100 * CAST((array_agg(detail ->> 'gross_g' ORDER BY event_id DESC) FILTER (
               WHERE step IN ('weigh', 'correct_weight')))[1] AS numeric) AS bigint) AS gross_cg,
           CAST(100 * CAST((array_agg(detail ->> 'melt_g' ORDER BY event_id DESC) FILTER (
               WHERE step IN ('melt', 'remelt', 'cast')))[1] AS numeric) AS bigint) AS melt_cg,
           CAST((array_agg(detail ->> 'fine_mg' ORDER BY event_id DESC) FILTER (
               WHERE step = 'certify'))[1] AS bigint) AS fine_mg
    FROM custody_event
    WHERE event_id <= :events AND step IN ('weigh', 'correct_weight', 'melt', 'remelt', 'cast', 'certify')
    GROUP BY lot_id
)
"""
_MOVES: Final = f"""{_WEIGHTS_OF_LOTS}
, event AS (
    SELECT e.lot_id, e.event_id, e.at, e.step, l.form,
           CASE WHEN e.state = ANY (:in_stock) THEN e.warehouse END AS place,
           10 * CASE WHEN e.state = ANY (:unmelted) THEN coalesce(w.gross_cg, w.melt_cg)
                     ELSE coalesce(w.melt_cg, w.gross_cg) END AS gross,
           CASE WHEN e.state = ANY (:certified) THEN coalesce(w.fine_mg, 0) ELSE 0 END AS fine
    FROM custody_event e JOIN lot l USING (lot_id) LEFT JOIN weight w USING (lot_id)
    WHERE e.at < :until AND e.event_id <= :events
), move AS (
    SELECT *, lag(place) OVER lot AS place0, lag(gross) OVER lot AS gross0, lag(fine) OVER lot AS fine0
    FROM event WINDOW lot AS (PARTITION BY lot_id ORDER BY event_id)
), leg AS (
    SELECT place AS warehouse, form, at, 1 AS lots, CASE WHEN step <> 'cast' THEN gross ELSE 0 END AS g_in, 0 AS g_out,
           CASE WHEN step = 'cast' THEN -gross ELSE 0 END AS loss, fine AS f_in, 0 AS f_out
    FROM move WHERE place IS NOT NULL AND place IS DISTINCT FROM place0
    UNION ALL
    SELECT place0, form, at, -1, 0, CASE WHEN step <> 'consume' THEN gross0 ELSE 0 END,
           CASE WHEN step = 'consume' THEN gross0 ELSE 0 END, 0, fine0
    FROM move WHERE place0 IS NOT NULL AND place IS DISTINCT FROM place0
    UNION ALL
    SELECT place, form, at, 0, 0, 0, gross0 - gross, greatest(fine - fine0, 0), greatest(fine0 - fine, 0)
    FROM move WHERE place = place0 AND (gross <> gross0 OR fine <> fine0)
)
SELECT warehouse, form, w.customs, sum(lots)::bigint AS lots,
       sum(CASE WHEN at < :since THEN g_in - g_out - loss ELSE 0 END)::bigint AS gross_previous,
       sum(CASE WHEN at >= :since THEN g_in ELSE 0 END)::bigint AS gross_in,
       sum(CASE WHEN at >= :since THEN g_out ELSE 0 END)::bigint AS gross_out,
       sum(CASE WHEN at >= :since THEN loss ELSE 0 END)::bigint AS melt_loss,
       sum(g_in - g_out - loss)::bigint AS gross_total,
       sum(CASE WHEN at < :since THEN f_in - f_out ELSE 0 END)::bigint AS fine_previous,
       sum(CASE WHEN at >= :since THEN f_in ELSE 0 END)::bigint AS fine_in,
       sum(CASE WHEN at >= :since THEN f_out ELSE 0 END)::bigint AS fine_out,
       sum(f_in - f_out)::bigint AS fine_total
FROM leg JOIN warehouse w USING (warehouse) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

_PARTS_OF_TOTAL: Final = f"""{_WEIGHTS_OF_LOTS}
, last AS (
    SELECT DISTINCT ON (lot_id) lot_id, state, warehouse FROM custody_event WHERE at < :until AND event_id <= :events
    ORDER BY lot_id, event_id DESC
), bound AS (
    SELECT lot_id, array_agg(kind) AS kinds FROM (
        SELECT DISTINCT ON (lot_id, kind) lot_id, kind, step FROM (
            SELECT lot_id, upper(regexp_replace(step, '^(un)?lock_', '')) AS kind, step, event_id FROM custody_event
            WHERE step ~ '^(un)?lock_' AND at < :until AND event_id <= :events
        ) locking ORDER BY lot_id, kind, event_id DESC
    ) newest WHERE step !~ '^un' GROUP BY lot_id
), disputed AS (
    SELECT DISTINCT s.lot_id FROM recon_break b JOIN (
        SELECT DISTINCT ON (break_id) break_id, lot_id, closed_at FROM break_state WHERE change_no <= :breaks
        ORDER BY break_id, change_no DESC
    ) s USING (break_id)
    WHERE b.scope <> :books AND s.lot_id IS NOT NULL AND b.opened_at < :until
        AND (s.closed_at IS NULL OR s.closed_at >= :until)
)
SELECT last.warehouse, l.form, sum(w.fine_mg)::bigint AS fine,
       CASE WHEN 'LEGAL_HOLD' = ANY (kinds) THEN 'legal_hold'
            WHEN disputed.lot_id IS NOT NULL THEN 'in_dispute' WHEN 'FREEZE' = ANY (kinds) THEN 'frozen'
            WHEN 'PLEDGE' = ANY (kinds) THEN 'pledged' WHEN 'TRANSFER' = ANY (kinds) THEN 'in_transfer'
            WHEN last.state = ANY (:promised) THEN 'load_out' WHEN last.state = 'RECEIPTED' THEN 'free'
            ELSE 'unreceipted' END AS part
FROM last JOIN lot l USING (lot_id) LEFT JOIN weight w USING (lot_id) LEFT JOIN bound USING (lot_id)
LEFT JOIN disputed USING (lot_id)
WHERE last.state = ANY (:certified) GROUP BY 1, 2, 4
"""


async def report(connection: AsyncConnection, day: date) -> list[StockLine]:
    """Return the stock at the end of a day in Shanghai and the movements of that day; for today those until now."""
    return await between(connection, working_days.midnight(day), working_days.midnight(day + timedelta(days=1)))


async def between(
    connection: AsyncConnection, since: int, until: int, known: KnownEvents = ALL_EVENTS
) -> list[StockLine]:
    """Return the stock just before ``until`` and the movements from ``since`` on, both in ms since the epoch."""
    certified = list(CERTIFIED_IN_STOCK)
    found: dict[tuple[str, str], dict[str, int]] = {}
    values = {"certified": certified, "promised": list(PROMISED), "books": BOOKS, "breaks": known.breaks}
    cut = {"until": until, "events": known.events}
    for row in await connection.execute(text(_PARTS_OF_TOTAL), {**cut, **values}):
        found.setdefault((row.warehouse, row.form), {})[row.part] = row.fine
    lines = []
    states = {"in_stock": list(IN_STOCK), "unmelted": list(UNMELTED), "certified": certified}
    for row in await connection.execute(text(_MOVES), {"since": since, **cut, **states}):
        parts = found.get((row.warehouse, row.form), {})
        lines.append(StockLine(*row, *(parts.get(name, 0) for name in _PARTS)))
    return lines


async def listing(connection: AsyncConnection, day: date, page: PageRequest = ALL) -> Page[StockLine]:
    """Return the lines of a day's report by vault, form and customs status."""
    lines = await report(connection, day)
    return cut(lines, lambda line: SEPARATOR.join((line.warehouse, line.form, line.customs)), page)


def file_rows(lines: Sequence[StockLine]) -> list[tuple[writing.Out, ...]]:
    """Return the rows of the file: weights in grams with three decimals, and a row of totals."""
    rows: list[tuple[writing.Out, ...]] = [
        (*line[:4], *(writing.scaled(weight, 3) for weight in _weights(line))) for line in lines
    ]
    sums = (writing.scaled(sum(column), 3) for column in zip(*map(_weights, lines), strict=True))
    return [*rows, ("TOTAL", "", "", sum(line.lots for line in lines), *sums)]


def _weights(line: StockLine) -> tuple[int, ...]:
    return tuple(getattr(line, name) for name in _WEIGHTS)


async def export(connection: AsyncConnection, day: date, kind: str) -> bytes:
    """Return the report as csv or xlsx. Raises BadValue for another format."""
    return await asyncio.to_thread(
        writing.write, kind, f"Stock {day}", HEADING, file_rows(await report(connection, day))
    )
