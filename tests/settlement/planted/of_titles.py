"""Damages of the titles to named lots, and of what is kept for deals of them."""

from random import Random
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.reconciliation.break_areas import LEDGER, WAREHOUSE
from tests.settlement.planted.damage import named
from tests.settlement.planted.evening import Evening
from tests.settlement.planted.of_books import line_of, one_of
from tests.settlement.planted.of_metal import subject

NAMED: Final = "SELECT lot.*, receipt_no FROM lot JOIN receipt r USING (lot_id) WHERE r.issued_to IS NOT NULL"


async def a_title_given_to_another(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Give a lot that was sold by name to somebody else than its buyer."""
    lot = await one_of(connection, dice, NAMED)
    evening.sql.append(f"UPDATE receipt SET account = 'D.H' WHERE receipt_no = {lot.receipt_no}")
    evening.expect(LEDGER, "HISTORY", f"receipt:{lot.receipt_no} holder")
    evening.expect(WAREHOUSE, "OWNER_DIFF", subject(lot.warehouse, line_of(evening, lot)))


async def a_title_that_did_not_move(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Leave a lot with its seller that was sold by name."""
    lot = await one_of(connection, dice, NAMED)
    evening.sql.append(
        f"UPDATE receipt SET account = issued_to, issued_to = NULL, trade_id = NULL WHERE receipt_no = {lot.receipt_no}"
    )
    for what in ("holder", "trade"):
        evening.expect(LEDGER, "HISTORY", f"receipt:{lot.receipt_no} {what}")
    evening.expect(WAREHOUSE, "OWNER_DIFF", subject(lot.warehouse, line_of(evening, lot)))


async def the_lock_of_a_deal_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Unlock a lot that is offered by name, so that it could be pledged or handed out before it is sold."""
    row = await one_of(
        connection, dice, "SELECT lot_id, subject FROM lot_lock WHERE kind = 'DEAL' AND lifted_at IS NULL"
    )
    evening.sql.append(f"UPDATE lot_lock SET lifted_by = 'x', lifted_at = 1 WHERE lot_id = {row.lot_id}")
    evening.expect(LEDGER, "HISTORY", f"lot:{row.lot_id} DEAL")
    evening.expect(LEDGER, "HISTORY", f"lot_reservation:{row.subject} lot:{row.lot_id}")


DAMAGES: Final = named(
    a_title_given_to_another,
    a_title_that_did_not_move,
    the_lock_of_a_deal_lost,
)
