"""Bonded and domestic metal never net: a grade class takes metal of one customs status, and only that.

A class without a set status takes DOMESTIC metal. Since engine, ledger and pool are kept by class, gold under
bond and gold in free circulation are different assets everywhere (domain sheet 5.8). A trigger of the database refuses
a lot of a class in a warehouse of the other status. Metal changes its status by a transfer with a
permit, which gives it another class (``settlement.custody.transfers``).
"""

from collections.abc import Iterable

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.documents.custody import TRANSFER
from settlement.documents.lots import GONE
from settlement.lots import classes
from settlement.tables.custody import transfer
from settlement.tables.lots import CUSTOMS, grade_customs, lot

DOMESTIC = CUSTOMS[0]


async def of_classes(connection: AsyncConnection, symbols: Iterable[str]) -> dict[str, str]:
    """Return the customs status of each class."""
    wanted = sorted(set(symbols))
    query = select(grade_customs.c.symbol, grade_customs.c.customs).where(among(grade_customs.c.symbol, wanted))
    known = {row.symbol: row.customs for row in await connection.execute(query)}
    return {symbol: known.get(symbol, DOMESTIC) for symbol in wanted}


async def assign(connection: AsyncConnection, by: str, symbol: str, customs: str) -> None:
    """Set the customs status of the metal that a class takes.

    Raises BadValue, and Refused (LOTS_THERE) while the class has a lot that is here, to come, or in a transfer into it.
    """
    if customs not in CUSTOMS:
        raise BadValue("customs", customs, "one of " + ", ".join(CUSTOMS))
    await classes.check(connection, symbol)
    await audit.lock(connection)
    there = exists().where(lot.c.symbol == symbol, lot.c.state.not_in(GONE))
    coming = exists().where(transfer.c.new_symbol == symbol, transfer.c.status.in_(TRANSFER.open))
    if await connection.scalar(select(or_(there, coming))):
        raise Refused("LOTS_THERE", f"{symbol} has lots; the customs status of a class is fixed before its first one")
    values = {"symbol": symbol, "customs": customs, "set_by": by, "set_at": now_ms()}
    added = insert(grade_customs).values(values)
    await connection.execute(added.on_conflict_do_update(index_elements=["symbol"], set_=values))
    await audit.record(connection, audit.Act(by, "class.customs", symbol, {"customs": customs}))
