"""The listing of when each bar in a warehouse was last counted, so that none is forgotten."""

import json
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.timetable.venue_time import midnight
from settlement.base.database import among
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.documents.lots import AT_WAREHOUSE
from settlement.tables.counts import count_lot, count_record, inventory_count
from settlement.tables.lots import lot


class LastCount(NamedTuple):
    """A bar that should be in its warehouse, and the newest closed count that had it on its list, None if none had.

    ``counted_at``: when that count was closed, in ms; ``found``: whether it found the bar.
    """

    lot_id: int
    refiner: str
    serial: str
    year: int
    warehouse: str
    count_no: int | None
    counted_at: int | None
    found: bool | None


async def listing(
    connection: AsyncConnection, page: PageRequest = ALL, *, warehouse: str | None = None, before: date | None = None
) -> Page[LastCount]:
    """Return the bars in warehouses by the numbers of their lots, in one warehouse alone if it is named.

    ``before``: only those that no count has had since the beginning of that day in Shanghai. Raises BadValue for an
    unknown warehouse.
    """
    await check_known(connection, warehouse=warehouse)
    closed = inventory_count.c
    newest = select(count_lot.c.lot_id, count_lot.c.count_no, closed.closed_at).ext(distinct_on(count_lot.c.lot_id))
    newest = newest.join(inventory_count, closed.count_no == count_lot.c.count_no).where(closed.status == "CLOSED")
    last = newest.order_by(count_lot.c.lot_id, closed.closed_at.desc(), closed.count_no.desc()).subquery("last")
    columns = (lot.c.lot_id, lot.c.refiner, lot.c.serial, lot.c.year, lot.c.warehouse)
    query = select(*columns, last.c.count_no, last.c.closed_at)
    query = query.select_from(lot.outerjoin(last, last.c.lot_id == lot.c.lot_id)).where(lot.c.state.in_(AT_WAREHOUSE))
    if warehouse is not None:
        query = query.where(lot.c.warehouse == warehouse)
    if before is not None:
        query = query.where(last.c.closed_at.is_(None) | (last.c.closed_at < midnight(before)))
    rows = await fetch(connection, query, (lot.c.lot_id,), page)
    found = await _found(connection, {row.count_no for row in rows if row.count_no is not None})
    bars = [
        LastCount(
            row.lot_id,
            row.refiner,
            row.serial,
            row.year,
            row.warehouse,
            row.count_no,
            row.closed_at,
            found.get((row.count_no, row.lot_id)),
        )
        for row in rows
    ]
    return Page(bars, rows.next)


async def _found(connection: AsyncConnection, counts: set[int]) -> dict[tuple[Any, int], bool]:
    """Return by count and lot whether the bar was found, from the records of closed counts."""
    columns = count_record.c
    rows = await connection.execute(
        select(columns.count_no, columns.content).where(among(columns.count_no, sorted(counts)))
    )
    return {(row.count_no, bar["lot"]): bar["found"] for row in rows for bar in json.loads(row.content)["bars"]}
