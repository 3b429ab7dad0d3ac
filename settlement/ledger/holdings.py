"""The holdings that the engine has published, and what of them is available."""

from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, format_money, format_weight
from settlement.base.refusal import Refused
from settlement.documents.load_outs import UNSETTLED
from settlement.tables.ledger import engine_holding
from settlement.tables.load_outs import load_out

OVER_SHORT_ACCOUNT: Final = "VENUE"
"""The venue's own trading account: it sells over weight and buys short weight, prepaid like everybody else."""


async def check_available(
    connection: AsyncConnection, account: str, asset: str, amount: int, *, before_applications: bool = False
) -> None:
    """Raise Refused (INSUFFICIENT_GOLD, INSUFFICIENT_CASH) if an account has less than ``amount`` available.

    ``amount`` is in fen or fine mg. Amounts promised to applications for load-outs are not available, unless the caller
    goes ``before_applications``. The engine, which does not know of applications, decides in the end; this check
    refuses earlier and with a clear text.
    """
    free = await unbound(connection, account, asset)
    taken = 0 if before_applications else await promised(connection, account, asset)
    available = max(free - taken, 0)
    if available < amount:
        what, unit, shown = ("CASH", "CNY", format_money) if asset == CASH else ("GOLD", "g", format_weight)
        has = f"{shown(available)} available"
        less = f", as {shown(taken)} are promised to load-outs" if taken else ""
        text = f"account {account} needs {shown(amount)} {unit} of {asset} and has {has}{less}"
        raise Refused(f"INSUFFICIENT_{what}", text)


async def unbound(connection: AsyncConnection, account: str, asset: str) -> int:
    """Return the amount that the engine lets an account move out, in fen or fine mg: not reserved, and not locked."""
    held = select(engine_holding).where(engine_holding.c.account == account, engine_holding.c.asset == asset)
    row = (await connection.execute(held)).first()
    return max(row.total - row.reserved - row.locked - row.unwithdrawable, 0) if row else 0


async def promised(connection: AsyncConnection, account: str, asset: str) -> int:
    """Return the amount that open applications for load-outs will take from a holding, in fen or fine mg.

    For the venue's own account this includes the over weight that it will sell, and the money for short weight.
    """
    columns = load_out.c
    mine: ColumnElement[int] = columns.over_short_fen if asset == CASH else columns.ask_mg
    theirs: ColumnElement[int] = -columns.over_short_fen if asset == CASH else columns.allocated_mg - columns.ask_mg
    waits: list[ColumnElement[bool]] = [columns.status.in_(UNSETTLED)]
    if asset != CASH:
        waits.append(columns.symbol == asset)
    if account == OVER_SHORT_ACCOUNT:
        others = select(func.sum(func.greatest(theirs, 0))).where(*waits, columns.account != account)
        own = select(func.sum(columns.allocated_mg)).where(*waits, columns.account == account)
        own_part = 0 if asset == CASH else int(await connection.scalar(own) or 0)
        return own_part + int(await connection.scalar(others) or 0)
    total = select(func.sum(func.greatest(mine, 0))).where(*waits, columns.account == account)
    return int(await connection.scalar(total) or 0)
