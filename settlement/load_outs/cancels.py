"""The end of a settled load-out that is not collected: the member cancels it, or it expires.

The lots return to the pool under new receipts in the account's name, and the account gets all their fine gold. The
over/short trade stands: it was a purchase or a sale at the price of its day, and reversing it could take more than the
venue or the member has. Before the engine has settled the load-out, declining the proposal is enough.

A cancel proposed on the day of application is free, even if approved later. For a later one, and for expiry, freight
and insurance are charged (domain sheet 2.3: sub-codes exist for the member's next-day and the system's cancel, none for
the same day). Nothing else is charged: handling, storage and freight of a load-out are due when it leaves. Expiry needs
no second person, because it returns the owner's gold on the day that the sheet names.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_weight
from settlement.base import audit, proposals, trading_days
from settlement.base.database import among
from settlement.base.steps import SERVICE, advance, load
from settlement.charges import accruals, tariff
from settlement.documents.custody import RECEIPT
from settlement.documents.load_outs import LOAD_OUT, UNCOLLECTED
from settlement.ledger import outbox
from settlement.load_outs import load_outs
from settlement.lots import lots
from settlement.tables.custody import receipt
from settlement.tables.load_outs import load_out
from settlement.tables.lots import lot

_ENDS = {"CANCELLING": "cancel", "EXPIRING": "expired"}


async def propose(connection: AsyncConnection, by: str, load_out_no: int) -> int:
    """Propose to cancel a settled load-out for its member and return the proposal's number.

    Raises Refused (LOCKED) for lots that are frozen or held, as their gold could then be sold.
    """
    row = await load_outs.find(connection, load_out_no)
    await load_outs.check_not_held(connection, [load_out_no])
    await advance(connection, load_out, LOAD_OUT, by, "propose_cancel", [load_out_no])
    free = await trading_days.at(connection, row.applied_at) == await trading_days.present(connection)
    summary = {
        "load_out": load_out_no,
        "account": row.account,
        "symbol": row.symbol,
        "comes_back_g": format_weight(row.allocated_mg),
        "charged": not free,
    }
    return await proposals.propose(connection, by, "load_out_cancel", [load_out_no], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Send the gold back to the account. Raises Refused (LOCKED) for lots that were frozen or held meanwhile."""
    await advance(connection, load_out, LOAD_OUT, by, "approve_cancel", subjects, agreed="load_out_cancel")
    await load_outs.check_not_held(connection, subjects)
    await _send(connection, by, subjects)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Let the sheets wait for their collectors as before."""
    await advance(connection, load_out, LOAD_OUT, by, "decline_cancel", subjects)


async def expire(connection: AsyncConnection, today: date) -> list[int]:
    """End the sheets whose overdue days are over on ``today``, and return their numbers. The service calls this.

    A sheet ends even if it is signed or its cancel is proposed. A sheet with a frozen or held lot waits until that is
    lifted.
    """
    await audit.lock(connection)
    days = (await tariff.on(connection, today))["OVERDUE_DAYS"]
    late = select(load_out.c.load_out_no).where(
        load_out.c.status.in_(UNCOLLECTED), load_out.c.until_day < today - timedelta(days=days), ~load_outs.is_held()
    )
    numbers = sorted((await connection.execute(late)).scalars())
    if numbers:
        await advance(connection, load_out, LOAD_OUT, SERVICE, "expire", numbers, {"signed_by": None})
        await proposals.lapse(connection, SERVICE, "load_out_cancel", numbers)
        await _send(connection, SERVICE, numbers)
    return numbers


async def _send(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    rows = await load(connection, load_out, LOAD_OUT, subjects)
    moves = [(number, ((row.account, row.symbol, row.allocated_mg),)) for number, row in rows.items()]
    await outbox.put(connection, "load_out_cancel", by, moves)


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Put the lots back into the pool, each under a new receipt, and charge a late cancel or expiry.

    The engine has credited the gold.
    """
    rows = await load(connection, load_out, LOAD_OUT, subjects)
    for number, row in rows.items():
        if row.status == "EXPIRING" or await _was_proposed_late(connection, number):
            await accruals.charge_late_cancel(connection, row)
        await advance(connection, load_out, LOAD_OUT, by, _ENDS[row.status], [number])
        ids = await load_outs.lots_of(connection, [number])
        await lots.take(connection, by, "restore", ids, details={key: {"load_out": number} for key in ids})
        fine = select(lot.c.lot_id, lot.c.fine_mg).where(among(lot.c.lot_id, ids))
        again = [
            {
                "lot_id": held.lot_id,
                "account": row.account,
                "symbol": row.symbol,
                "fine_mg": held.fine_mg,
                "status": RECEIPT.steps["reissue"].after,
                "load_out_no": number,
                "reason": f"load-out {number} was not collected",
            }
            for held in await connection.execute(fine.order_by(lot.c.lot_id))
        ]
        await connection.execute(insert(receipt), again)


async def _was_proposed_late(connection: AsyncConnection, number: int) -> bool:
    """Return the charge that the approver of the cancel was shown."""
    return bool((await proposals.newest(connection, "load_out_cancel", [number])).summary["charged"])


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Let the sheets wait as before: the engine has refused, for example because the account would hold too much."""
    for number, reason in reasons.items():
        await advance(connection, load_out, LOAD_OUT, by, "refuse_return", [number], {"reason": reason})
