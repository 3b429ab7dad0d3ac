"""Custody is frozen during an inventory count: no bar that is counted comes, moves, is opened or leaves.

Papers go on meanwhile: trades, receipts, pledges and applications change nothing in the vault. A count of a whole
warehouse also keeps bars from coming in.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit
from settlement.base.database import among
from settlement.base.refusal import Refused
from settlement.documents.counts import COUNT_OPEN
from settlement.tables.counts import count_lot, inventory_count

PHYSICAL: Final = frozenset(
    (
        "arrive",
        "weigh",
        "melt",
        "cast",
        "consume",
        "sample",
        "remelt",
        "return",
        "release",
        "ship",
        "receive",
        "correct_weight",
    )
)
"""The steps of a lot in which somebody handles its metal."""


async def check(connection: AsyncConnection, step: str, places: Mapping[int, str]) -> None:
    """Refuse (COUNT_OPEN) a physical step with lots, given with their warehouses, that an open count is about."""
    if step not in PHYSICAL:
        return
    await audit.lock(connection)
    columns = inventory_count.c
    about = select(count_lot.c.lot_id).where(count_lot.c.count_no == columns.count_no)
    about = about.where(among(count_lot.c.lot_id, places))
    query = select(columns.count_no, columns.warehouse).where(
        columns.status.in_(COUNT_OPEN),
        or_(about.exists(), (columns.extent == "FULL") & among(columns.warehouse, sorted(set(places.values())))),
    )
    if (row := (await connection.execute(query.order_by(columns.count_no).limit(1))).first()) is not None:
        raise Refused(
            "COUNT_OPEN", f"count {row.count_no} of {row.warehouse} is open: its bars stay as they are until it ends"
        )
