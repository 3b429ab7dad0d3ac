"""How a settled load-out ends without a collector: the member cancels, or its time runs out.

The lots return to the pool under new receipts in the account's name, and the account gets all their fine gold. The
over/short trade stands: it was a purchase or a sale at the price of its day, and giving it back could be more than the
venue or the member has. Before the engine has settled, declining the proposal does it, without any of this.

Cancelling on the day of application is free; later, and when the system ends the sheet, freight and insurance are
charged (domain sheet 2.3: sub-codes exist for the member's next-day and the system's cancel, none for the same day).
Expiry needs no second person: it gives an owner back what is theirs, on the day that the sheet itself names.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_weight
from settlement.base import proposals, working_days
from settlement.base.database import among
from settlement.base.steps import SERVICE, advance, load
from settlement.charges import accruals, tariff
from settlement.documents.load_outs import LOAD_OUT
from settlement.ledger import outbox
from settlement.load_outs.application import lots_of, sheet
from settlement.lots import lots
from settlement.tables.custody import receipt
from settlement.tables.load_outs import load_out
from settlement.tables.lots import lot

_ENDS = {"CANCELLING": "cancel", "EXPIRING": "expired"}


async def propose(connection: AsyncConnection, by: str, load_out_no: int) -> int:
    """Proposes to cancel a settled load-out for its member; returns the proposal's number."""
    row = await sheet(connection, load_out_no)
    await advance(connection, load_out, LOAD_OUT, by, "propose_cancel", [load_out_no])
    free = working_days.day_of(row.applied_at) == working_days.today()
    summary = {
        "load_out": load_out_no,
        "account": row.account,
        "symbol": row.symbol,
        "comes_back_g": format_weight(row.allocated_mg),
        "charged": not free,
    }
    return await proposals.propose(connection, by, "load_out_cancel", [load_out_no], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Sends the gold back into the account; after the day of application that is charged."""
    rows = await advance(connection, load_out, LOAD_OUT, by, "approve_cancel", subjects, agreed="load_out_cancel")
    for row in rows.values():
        if working_days.day_of(row.applied_at) != working_days.today():
            await accruals.charge_late_cancel(connection, row)
    await _send(connection, by, subjects)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """The sheet waits for its collector as before."""
    await advance(connection, load_out, LOAD_OUT, by, "decline_cancel", subjects)


async def expire(connection: AsyncConnection, today: date) -> list[int]:
    """Ends the sheets whose overdue days are over on ``today``; returns their numbers. The service's own act."""
    days = (await tariff.on(connection, today))["OVERDUE_DAYS"]
    late = select(load_out.c.load_out_no).where(
        load_out.c.status == "SUCCESS", load_out.c.until_day < today - timedelta(days=days)
    )
    numbers = sorted((await connection.execute(late.with_for_update(skip_locked=True))).scalars())
    if numbers:
        rows = await advance(connection, load_out, LOAD_OUT, SERVICE, "expire", numbers)
        for row in rows.values():
            await accruals.charge_late_cancel(connection, row)
        await _send(connection, SERVICE, numbers)
    return numbers


async def _send(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    rows = await load(connection, load_out, LOAD_OUT, subjects)
    moves = [(number, ((row.account, row.symbol, row.allocated_mg),)) for number, row in rows.items()]
    await outbox.put(connection, "load_out_cancel", by, moves)


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """The engine has credited the gold: the lots are in the pool again, each under a new receipt."""
    rows = await load(connection, load_out, LOAD_OUT, subjects)
    for number, row in rows.items():
        await advance(connection, load_out, LOAD_OUT, by, _ENDS[row.status], [number])
        ids = await lots_of(connection, [number])
        await lots.take(connection, by, "restore", ids, details={key: {"load_out": number} for key in ids})
        fine = select(lot.c.lot_id, lot.c.fine_mg).where(among(lot.c.lot_id, ids))
        again = [
            {
                "lot_id": held.lot_id,
                "account": row.account,
                "symbol": row.symbol,
                "fine_mg": held.fine_mg,
                "status": "LIVE",
                "reason": f"load-out {number} was not collected",
            }
            for held in await connection.execute(fine.order_by(lot.c.lot_id))
        ]
        await connection.execute(insert(receipt), again)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """The engine has refused, for example because the account would hold too much: the sheet waits as before."""
    for number, reason in reasons.items():
        await advance(connection, load_out, LOAD_OUT, by, "refuse_return", [number], {"reason": reason})
