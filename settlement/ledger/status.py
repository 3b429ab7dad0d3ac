"""How far settlement is."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.documents.ledger import OUTBOX_OPEN
from settlement.tables.ledger import outbox, progress, trade


class Status(NamedTuple):
    """``sequence``: the last event posted; ``trades``: in the ledger; ``outbox``: without the engine's answer yet."""

    sequence: int
    trades: int
    outbox: int


async def status(connection: AsyncConnection) -> Status:
    """All three figures, of one statement and so of one moment."""
    sequence = select(func.coalesce(func.max(progress.c.sequence), 0)).scalar_subquery()
    trades = select(func.count()).select_from(trade).scalar_subquery()
    waiting = select(func.count()).where(outbox.c.status.in_(OUTBOX_OPEN)).scalar_subquery()
    row = (await connection.execute(select(sequence, trades, waiting))).one()
    return Status(*(int(figure) for figure in row))
