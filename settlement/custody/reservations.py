"""Reservations of named lots (指定批次): lots that a deal names are locked before its command goes to the journal.

Settlement learns of a deal from the engine's event, a moment after the engine. If lots were locked only then, a
load-out could take one in between, and the engine would have sold what cannot be handed over. So whoever sells named
lots has them reserved first, in the transaction that checks them: the gateway does so, and then appends the command
with the number of the reservation. From then on the lots are under the lock ``DEAL``, and the title can always move.

=========  =============================================================================================
state      ends with
=========  =============================================================================================
RESERVED   the engine's event of the command (OPEN, MOVED); or RELEASED, when the command was refused or lost
OPEN       ``deal.ended`` (ENDED) or the trade (MOVED), which settlement posts (``settlement.custody.titles``)
=========  =============================================================================================

The gateway releases what it has reserved if the command is refused. A gateway that ends in between cannot. So the
engine takes the command until the time ``until`` alone, and once settlement has posted a later event, the command
cannot be taken any more: then settlement releases the lots itself.

A buyer binds nobody's lots. A purchase that names lots reserves them when the seller accepts it.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.units import format_weight
from settlement.base import audit
from settlement.base.database import among
from settlement.base.steps import SERVICE, advance
from settlement.documents.custody import LOT_RESERVATION, RESERVATION_OPEN
from settlement.lots import locks, lots
from settlement.tables.custody import lot_reservation, receipt
from settlement.tables.ledger import progress
from settlement.tables.lots import lot

LOCK: Final = "DEAL"


class UnfitLots(Exception):
    """Named lots cannot change hands: one of them is not there for it, or is bound, or the weight is another.

    ``reason`` is one of ``goldx.protocol.reasons``, ``field`` the parameter of the request, ``value`` what was given
    and ``allowed`` what could be.
    """

    def __init__(self, reason: str, field: str, value: Any, allowed: str) -> None:
        super().__init__(f"{field} {value!r} is refused; allowed: {allowed}")
        self.reason = reason
        self.field = field
        self.value = value
        self.allowed = allowed


class Move(NamedTuple):
    """Named lots that are to change hands: receipts of a class, from one account to another. ``fine_mg`` is asked for.

    ``trade_id`` is the trade whose annulment gives the lots back; None for a deal.
    """

    from_account: str
    to_account: str
    symbol: str
    receipts: Sequence[int]
    fine_mg: int
    trade_id: int | None = None


async def check(connection: AsyncConnection, move: Move, *, lock: bool = False) -> list[Row[Any]]:
    """Return the receipts in their order, with their lots' ``state``. Raises UnfitLots, naming the first that is unfit.

    ``lock``: the lots stay as they are until the transaction ends.
    """
    rows = await _receipts(connection, move.receipts)
    if lock:
        await lots.find(connection, [row.lot_id for row in rows.values()], lock=True)
        rows = await _receipts(connection, move.receipts)
    for number in move.receipts:
        row = rows.get(number)
        if row is None or (row.account, row.symbol, row.status) != (move.from_account, move.symbol, "LIVE"):
            allowed = f"live receipts of {move.symbol} in the name of {move.from_account}"
            raise UnfitLots("UNKNOWN_LOT", "lots", number, allowed)
        if move.trade_id is not None and row.trade_id != move.trade_id:
            allowed = f"lots that have not been traded since trade {move.trade_id}"
            raise UnfitLots("LOT_BOUND", "lots", number, allowed)
    found = [rows[number] for number in move.receipts]
    bound = await locks.on_lots(connection, [row.lot_id for row in found])
    for row in found:
        if row.state != "RECEIPTED":
            raise UnfitLots("LOT_BOUND", "lots", row.receipt_no, "lots that are promised to no load-out")
        if row.lot_id in bound:
            raise UnfitLots("LOT_BOUND", "lots", row.receipt_no, "lots that nothing binds, such as a pledge or a deal")
    fine = sum(row.fine_mg for row in found)
    if fine != move.fine_mg:
        allowed = f"{format_weight(fine)}, the fine weight of the named lots"
        raise UnfitLots("BAD_QUANTITY", "quantity", format_weight(move.fine_mg), allowed)
    return found


async def _receipts(connection: AsyncConnection, numbers: Sequence[int]) -> dict[int, Row[Any]]:
    query = select(receipt, lot.c.state).join(lot, lot.c.lot_id == receipt.c.lot_id)
    rows = await connection.execute(query.where(among(receipt.c.receipt_no, numbers)))
    return {row.receipt_no: row for row in rows}


async def reserve(connection: AsyncConnection, move: Move, until: int) -> int:
    """Check named lots, lock them for one command, and return the number of the reservation. Raises UnfitLots."""
    await audit.lock(connection)
    found = await check(connection, move, lock=True)
    lot_ids = [row.lot_id for row in found]
    values = {
        "purpose": "DEAL" if move.trade_id is None else "BUST",
        "from_account": move.from_account,
        "to_account": move.to_account,
        "symbol": move.symbol,
        "receipts": list(move.receipts),
        "lots": lot_ids,
        "fine_mg": move.fine_mg,
        "until": until,
        "status": LOT_RESERVATION.steps["reserve"].after,
        "trade_id": move.trade_id,
    }
    added = await connection.execute(insert(lot_reservation).values(values).returning(lot_reservation.c.reservation_no))
    number = int(added.scalar_one())
    act = audit.Act(SERVICE, "lot_reservation.reserve", f"lot_reservation:{number}", values)
    await audit.record(connection, act)
    what = "sold by name" if move.trade_id is None else f"given back, as trade {move.trade_id} is annulled"
    reason = f"{what}: {move.from_account} to {move.to_account}"
    await locks.lay(connection, SERVICE, LOCK, lot_ids, reason, number)
    return number


async def release(connection: AsyncConnection, number: int) -> bool:
    """Free the lots of a command that was refused or lost; return whether they were still reserved for it."""
    await audit.lock(connection)
    query = select(lot_reservation.c.status).where(lot_reservation.c.reservation_no == number).with_for_update()
    if await connection.scalar(query) != "RESERVED":
        return False
    await free(connection, number, "release")
    return True


async def free(connection: AsyncConnection, number: int, step: str, **values: Any) -> None:
    """End a reservation by a step of its machine, and lift its locks."""
    await advance(connection, lot_reservation, LOT_RESERVATION, SERVICE, step, [number], values)
    await locks.lift(connection, SERVICE, LOCK, number)


async def lapse(engine: AsyncEngine) -> list[int]:
    """Release the lots of commands that were lost, which no engine can take any more; return the reservations."""
    reached = select(func.max(progress.c.at)).scalar_subquery()
    lost = select(lot_reservation.c.reservation_no).where(
        lot_reservation.c.status.in_(RESERVATION_OPEN),
        lot_reservation.c.status == "RESERVED",
        lot_reservation.c.until < reached,
    )
    async with engine.connect() as connection:
        numbers = sorted(await connection.scalars(lost))
    released = []
    for number in numbers:
        async with engine.begin() as connection:
            if await release(connection, number):
                released.append(number)
    return released
