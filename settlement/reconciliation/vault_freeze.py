"""Load-outs at a vault stand still while a break that concerns it is three days old (domain sheet 8.4).

A break concerns a vault if its statement shows it, or if the books disagree about a lot that lies there. It ends with
the statement or the reconciliation that finds it no more; whoever explains it in between does not end it.
"""

from typing import Final

from sqlalchemy import BigInteger, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.reconciliation import three_way
from settlement.tables.lots import lot
from settlement.tables.reconciliation import recon_break

AFTER_DAYS: Final = 3
_DAY_MS: Final = 86_400_000


async def check(connection: AsyncConnection, place: str) -> None:
    """Refuses (VAULT_FROZEN) for a warehouse with such a break, naming the oldest."""
    columns = recon_break.c
    about = cast(func.substring(columns.subject, r"lot:([0-9]+)$"), BigInteger)
    lies_there = select(lot.c.lot_id).where(lot.c.lot_id == about, lot.c.warehouse == place).exists()
    concerns = or_(columns.scope == f"statement:{place}", (columns.scope == three_way.BOOKS) & lies_there)
    now = now_ms()
    query = select(columns.break_id, columns.kind, columns.subject, columns.opened_at).where(
        columns.status != "CORRECTED", columns.opened_at <= now - AFTER_DAYS * _DAY_MS, concerns
    )
    if (row := (await connection.execute(query.order_by(columns.break_id).limit(1))).first()) is not None:
        days, _ = three_way.age(row.opened_at, now)
        named = f"break {row.break_id} ({row.kind}, {row.subject})"
        raise Refused("VAULT_FROZEN", f"{named} is {days} days old: nothing leaves {place} until it is gone")
