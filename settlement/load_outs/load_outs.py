"""The load-out sheets (提货单) and the lots that are allocated to them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import among
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.steps import load
from settlement.documents.load_outs import LOAD_OUT
from settlement.lots import locks, lots
from settlement.tables.load_outs import load_out, load_out_lot


async def find(connection: AsyncConnection, load_out_no: int, *, lock: bool = True) -> Row[Any]:
    """Return a load-out sheet, locked until the transaction ends. Raises BadValue for an unknown number.

    Without ``lock`` it is only read.
    """
    return (await load(connection, load_out, LOAD_OUT, [load_out_no], lock=lock))[load_out_no]


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, status: str | None = None) -> Page[Row[Any]]:
    """Return load-out sheets by number; of one ``status`` if it is given."""
    query = select(load_out)
    if status is not None:
        query = query.where(load_out.c.status == status)
    return await fetch(connection, query, (load_out.c.load_out_no,), page)


def is_held() -> ColumnElement[bool]:
    """Return the condition that a lot of a row of ``load_out`` is frozen or held."""
    mine = load_out_lot.c.load_out_no == load_out.c.load_out_no
    return exists().where(mine, locks.is_held(load_out_lot.c.lot_id))


async def check_not_held(connection: AsyncConnection, load_outs: Sequence[int]) -> list[int]:
    """Lock the lots of load-outs and return them. Raises Refused (LOCKED) where one is frozen or held."""
    ids = await lots_of(connection, load_outs)
    await lots.find(connection, ids, lock=True)
    await locks.check_not_held(connection, ids)
    return ids


async def lots_of(connection: AsyncConnection, load_outs: Sequence[int]) -> list[int]:
    """Return the numbers of the lots that are allocated to these load-outs, in their order."""
    query = select(load_out_lot.c.lot_id).where(among(load_out_lot.c.load_out_no, load_outs))
    return sorted((await connection.execute(query)).scalars())
