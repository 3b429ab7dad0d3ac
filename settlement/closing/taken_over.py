"""Differences between engine and ledger at the end of a day that two people have taken over into the next one."""

from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_amount
from settlement.documents.closing import TAKEN_OVER
from settlement.reconciliation.holdings import HoldingDifference
from settlement.tables.closing import day_difference


class TakenOver(NamedTuple):
    """A difference that was taken over, and the break that it is now. Figures in fen for CNY, in fine mg for gold."""

    difference: HoldingDifference
    break_id: int

    def listed(self) -> dict[str, Any]:
        """Return it as it stands in the step's output and in statements."""
        return {**self.difference._asdict(), "break": self.break_id}

    def shown(self) -> dict[str, Any]:
        """Return it as people read it, in CNY or fine grams."""
        asset = self.difference.asset
        figures = {name: format_amount(getattr(self.difference, name), asset) for name in ("engine", "ledger")}
        return {"account": self.difference.account, "asset": asset, **figures, "break": self.break_id}


async def of_day(connection: AsyncConnection, day: date) -> list[TakenOver]:
    """Return the differences at the end of a day that were taken over, by account and asset."""
    columns = day_difference.c
    query = select(columns.account, columns.asset, columns.ledger, columns.engine, columns.break_id)
    query = query.where(columns.day == day, columns.status == TAKEN_OVER).order_by(columns.account, columns.asset)
    return [TakenOver(HoldingDifference(*row[:4]), row.break_id) for row in await connection.execute(query)]
