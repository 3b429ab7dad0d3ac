"""The holdings that the engine has published, and what of them is available."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, format_money, format_weight
from settlement.base.refusal import Refused
from settlement.tables.ledger import engine_holding


async def check_available(connection: AsyncConnection, account: str, asset: str, amount: int) -> None:
    """Raise Refused (INSUFFICIENT_GOLD, INSUFFICIENT_CASH) where an account has less than ``amount`` available.

    ``amount`` is in fen or fine mg. The engine decides in the end; this refuses earlier and with a clear text.
    """
    held = select(engine_holding).where(engine_holding.c.account == account, engine_holding.c.asset == asset)
    row = (await connection.execute(held)).first()
    available = max(row.total - row.reserved - row.locked - row.unwithdrawable, 0) if row else 0
    if available < amount:
        what, unit, shown = ("CASH", "CNY", format_money) if asset == CASH else ("GOLD", "g", format_weight)
        text = f"account {account} needs {shown(amount)} {unit} of {asset} and has {shown(available)} available"
        raise Refused(f"INSUFFICIENT_{what}", text)
