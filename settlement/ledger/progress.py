"""The progress of settlement: events posted, trades, and items without the engine's answer."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.documents.ledger import OUTBOX_OPEN
from settlement.tables.ledger import outbox, progress, trade


class PostingProgress(NamedTuple):
    """The last event posted, the number of trades, and the number of items that the engine has not answered."""

    sequence: int
    trades: int
    outbox: int


async def posted(connection: AsyncConnection) -> int:
    """Return the last event posted, 0 before the first."""
    return int(await connection.scalar(select(func.coalesce(func.max(progress.c.sequence), 0))) or 0)


async def read(connection: AsyncConnection) -> PostingProgress:
    """Return all three figures, read by one statement and so at one moment."""
    sequence = select(func.coalesce(func.max(progress.c.sequence), 0)).scalar_subquery()
    trades = select(func.count()).select_from(trade).scalar_subquery()
    waiting = select(func.count()).where(outbox.c.status.in_(OUTBOX_OPEN)).scalar_subquery()
    row = (await connection.execute(select(sequence, trades, waiting))).one()
    return PostingProgress(*(int(figure) for figure in row))
