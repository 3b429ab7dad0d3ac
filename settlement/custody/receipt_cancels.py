"""Cancelling a receipt without a withdrawal: the gold leaves the pool, the lot goes back to the register.

It takes back a receipt that was wrong, and is the first half of moving metal across the customs border. The fine gold
comes out of the account in whose name the receipt is; an owner who has sold it cannot cancel. While the proposal waits,
the lot is locked (CANCEL) and its receipt stays live; if it is declined or refused, only the lock goes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_weight
from settlement.base import proposals
from settlement.base.database import among
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.custody import receipts
from settlement.documents.custody import RECEIPT_LIVE
from settlement.ledger import holdings, outbox
from settlement.lots import locks, lots
from settlement.tables.custody import receipt

LOCK = "CANCEL"


async def propose(connection: AsyncConnection, by: str, lot_ids: Sequence[int], reason: str) -> int:
    """Propose to cancel the live receipts of these lots; return the proposal's number.

    Raises BadValue for an unknown lot or none, Refused for one without a live receipt (NO_RECEIPT), under a lock
    (LOCKED), or whose account has not the gold (INSUFFICIENT_GOLD).
    """
    if not lot_ids:
        raise BadValue("lots", list(lot_ids), "at least one lot with a live receipt")
    printable("reason", reason, 64)
    await lots.find(connection, lot_ids, lock=True)
    rows = {row.lot_id: row for row in await _live(connection, lot_ids)}
    wanted: defaultdict[tuple[str, str], int] = defaultdict(int)
    for lot_id in lot_ids:
        if lot_id not in rows:
            raise Refused("NO_RECEIPT", f"lot {lot_id} has no live receipt")
        wanted[rows[lot_id].account, rows[lot_id].symbol] += rows[lot_id].fine_mg
    for (account, symbol), fine_mg in sorted(wanted.items()):
        await holdings.check_available(connection, account, symbol, fine_mg)
    for row in rows.values():
        await locks.lay(connection, by, LOCK, [row.lot_id], reason, row.receipt_no)
    summary: dict[str, Any] = {"lots": sorted(rows), "reason": reason}
    summary["fine_g"] = {f"{account} {symbol}": format_weight(mg) for (account, symbol), mg in sorted(wanted.items())}
    numbers = sorted(row.receipt_no for row in rows.values())
    return await proposals.propose(connection, by, "receipt_cancel", numbers, summary)


async def _live(connection: AsyncConnection, lot_ids: Sequence[int]) -> list[Row[Any]]:
    query = select(receipt).where(among(receipt.c.lot_id, lot_ids), receipt.c.status == RECEIPT_LIVE)
    return list(await connection.execute(query.order_by(receipt.c.receipt_no)))


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Queue the fine gold's way out of the holdings. Refused (LOCKED) if a lot was frozen or held meanwhile."""
    query = select(receipt).where(among(receipt.c.receipt_no, subjects)).order_by(receipt.c.receipt_no)
    rows = list(await connection.execute(query))
    await locks.check_not_held(connection, [row.lot_id for row in rows])
    moves = [(row.receipt_no, ((row.account, row.symbol, -row.fine_mg),)) for row in rows]
    await outbox.put(connection, "receipt_cancel", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Unlock the lots; their receipts stay live."""
    await _unlock(connection, by, subjects)


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Cancel the receipts: the engine has taken the gold out. The lots are registered, without a receipt.

    A lot is then that of the account whose gold it was: of the depositor, unless the receipt has another holder by now.
    """
    query = select(receipt.c.lot_id, receipt.c.account).where(among(receipt.c.receipt_no, subjects))
    holders = {row.lot_id: row.account for row in await connection.execute(query.order_by(receipt.c.lot_id))}
    await _unlock(connection, by, subjects)
    owned = {lot_id: {"account": account} for lot_id, account in holders.items()}
    await lots.take(connection, by, "unissue", list(holders), values=owned, details=owned)
    await receipts.cancel(connection, by, list(holders))


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Unlock the lots: the engine has refused, and their receipts stay live."""
    await _unlock(connection, by, list(reasons))


async def _unlock(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    for number in subjects:
        await locks.lift(connection, by, LOCK, number)
