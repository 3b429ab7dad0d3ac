"""A vault hands nothing out while a break that concerns it is three working days old (domain sheet 8.4).

A break concerns a vault if the vault's statement or a count shows it, or if the books disagree about a lot that lies
there or was there last. The statement, count or reconciliation that no longer finds the break ends the freeze, and two
people who write it off do; an explanation does not.
"""

from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.refusal import Refused
from settlement.documents.reconciliation import BREAK_WAITS
from settlement.reconciliation.break_areas import BOOKS
from settlement.reconciliation.breaks import count_scope, days_old, statement_scope
from settlement.tables.lots import lot
from settlement.tables.reconciliation import recon_break

AFTER_DAYS: Final = 3


async def check(connection: AsyncConnection, place: str) -> None:
    """Refuse (VAULT_FROZEN) for a warehouse with such a break, naming the oldest."""
    columns = recon_break.c
    lot_there = select(lot.c.lot_id).where(lot.c.lot_id == columns.lot_id, lot.c.warehouse == place).exists()
    concerns = or_(
        columns.scope.in_((statement_scope(place), count_scope(place))), (columns.scope == BOOKS) & lot_there
    )
    days = days_old()
    query = select(columns.break_id, columns.kind, columns.subject, days).select_from(recon_break)
    query = query.where(columns.status.in_(BREAK_WAITS), days >= AFTER_DAYS, concerns)
    if (row := (await connection.execute(query.order_by(columns.break_id).limit(1))).first()) is not None:
        named = f"break {row.break_id} ({row.kind}, {row.subject})"
        raise Refused(
            "VAULT_FROZEN", f"{named} is {row.days} working days old: nothing leaves {place} until it is gone"
        )
