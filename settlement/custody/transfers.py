"""Transfers (调拨): lots travel from one warehouse to another.

The states are those of domain sheet 2.1 (made, shipped out, received, cancelled). Lots on the way stay in the pool and
are locked (TRANSFER); their warehouse is the one they left until they arrive.

**Across the customs border** metal gets another class, since a class takes metal of one customs status
(``settlement.lots.customs``). So only lots without a live receipt cross it (``settlement.custody.receipt_cancels``
first, a new receipt afterwards), by a permit (domain sheet 5.8) that serves at most PERMIT_USES shipments.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import proposals
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.documents.custody import TRANSFER
from settlement.lots import customs, locks, lots, warehouses
from settlement.tables.custody import transfer, transfer_lot
from settlement.tables.ledger import instrument
from settlement.tables.lots import lot

PERMIT_USES = 12
"""Declarations that one multi-batch import permit covers (domain sheet 5.8)."""


async def propose(
    connection: AsyncConnection,
    by: str,
    lot_ids: Sequence[int],
    to_warehouse: str,
    reason: str,
    *,
    permit: str | None = None,
    new_symbol: str | None = None,
) -> int:
    """Propose to move lots that lie in one warehouse; return the proposal's number.

    Raises BadValue for what is unknown, Refused where a lot is locked (LOCKED), promised or not registered
    (ILLEGAL_STEP), where the customs status would change without permit and class (PERMIT_NEEDED) or with a live
    receipt (RECEIPT_LIVE), where the new class does not take a lot (OUTSIDE_BAND), or a permit is used up
    (PERMIT_USED_UP).
    """
    if not lot_ids:
        raise BadValue("lots", list(lot_ids), "at least one lot")
    printable("reason", reason, 64)
    chosen = await lots.find(connection, lot_ids, lock=True)
    origins = sorted({row.warehouse for row in chosen.values()})
    if len(origins) != 1:
        raise BadValue("lots", sorted(chosen), f"lots of one warehouse; these lie in {', '.join(origins)}")
    places = await warehouses.all_customs(connection)
    if to_warehouse not in places or to_warehouse == origins[0]:
        raise BadValue("to_warehouse", to_warehouse, f"a warehouse other than {origins[0]}")
    crossing = places[to_warehouse] != places[origins[0]]
    if crossing:
        await _check_crossing(connection, chosen, places[to_warehouse], permit, new_symbol)
    elif permit is not None or new_symbol is not None:
        raise BadValue("permit", permit, f"absent: {origins[0]} and {to_warehouse} are both {places[to_warehouse]}")
    row = {
        "from_warehouse": origins[0],
        "to_warehouse": to_warehouse,
        "reason": reason,
        "status": "PROPOSED",
        "permit": permit,
        "new_symbol": new_symbol,
    }
    number = int(
        (await connection.execute(insert(transfer).values(row).returning(transfer.c.transfer_no))).scalar_one()
    )
    await connection.execute(insert(transfer_lot), [{"transfer_no": number, "lot_id": lot_id} for lot_id in chosen])
    await locks.lay(connection, by, "TRANSFER", list(chosen), f"to {to_warehouse}", number)
    summary = {**row, "transfer": number, "lots": list(chosen)}
    return await proposals.propose(connection, by, "transfer", [number], summary)


async def _check_crossing(
    connection: AsyncConnection, chosen: Mapping[int, Row[Any]], goes_to: str, permit: str | None, symbol: str | None
) -> None:
    if permit is None or symbol is None:
        text = f"metal becomes {goes_to}: that needs a permit and the class that it belongs to afterwards"
        raise Refused("PERMIT_NEEDED", text)
    printable("permit", permit, 64)
    grade = (await connection.execute(select(instrument).where(instrument.c.symbol == symbol))).first()
    if grade is None or (await customs.of_classes(connection, [symbol]))[symbol] != goes_to:
        raise BadValue("new_symbol", symbol, f"a class that takes {goes_to} metal")
    for row in chosen.values():
        if row.state != "REGISTERED":
            text = (
                f"lot {row.lot_id} is {row.state}: only a registered lot without a receipt crosses the customs border"
            )
            raise Refused("RECEIPT_LIVE", text)
        if row.form != grade.form or not grade.min_fineness <= row.fineness_e5 <= grade.max_fineness:
            raise Refused("OUTSIDE_BAND", f"lot {row.lot_id}: {symbol} does not take its form and fineness")
    used = select(func.count()).where(transfer.c.permit == permit, transfer.c.status != "CANCELLED")
    if (await connection.scalar(used) or 0) >= PERMIT_USES:
        raise Refused("PERMIT_USED_UP", f"permit {permit} has served {PERMIT_USES} transfers, which is all it may")


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Allow the warehouse to let the lots go. Raises Refused (LOCKED) where one was frozen or held meanwhile."""
    await advance(connection, transfer, TRANSFER, by, "approve", subjects)
    for number in subjects:
        await locks.check_not_held(connection, await lots_of(connection, number))


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Free the lots, which stay."""
    await advance(connection, transfer, TRANSFER, by, "decline", subjects)
    for number in subjects:
        await locks.lift(connection, by, "TRANSFER", number)


async def cancel(connection: AsyncConnection, by: str, number: int) -> None:
    """End a transfer whose lots have not left."""
    await advance(connection, transfer, TRANSFER, by, "cancel", [number])
    await locks.lift(connection, by, "TRANSFER", number)


async def ship(connection: AsyncConnection, by: str, number: int, seal: str, carrier: str) -> list[int]:
    """Record that the lots leave under a seal with a carrier; return their numbers. Refused (LOCKED) if one is held."""
    printable("seal", seal, 64)
    printable("carrier", carrier, 64)
    values = {"seal": seal, "carrier": carrier, "shipped_by": by, "shipped_at": now_ms()}
    await advance(connection, transfer, TRANSFER, by, "ship", [number], values)
    ids = await lots_of(connection, number)
    await locks.check_not_held(connection, ids)
    detail = {"transfer": number, "seal": seal, "carrier": carrier}
    await lots.record_event(connection, by, "ship", ids, detail)
    return ids


async def receive(connection: AsyncConnection, by: str, number: int, seal: str) -> bool:
    """Record that the lots arrive in their new warehouse and, across the border, with their new class.

    Return whether the seal is the one they left under; under another one they arrive frozen. Raises Refused for who
    shipped them (SAME_PERSON).
    """
    printable("seal", seal, 64)
    values = {"received_by": by, "received_at": now_ms()}
    row = (await advance(connection, transfer, TRANSFER, by, "receive", [number], values))[number]
    ids = await lots_of(connection, number)
    moved = {"warehouse": row.to_warehouse} | ({} if row.new_symbol is None else {"symbol": row.new_symbol})
    await connection.execute(update(lot).where(among(lot.c.lot_id, ids)).values(moved))
    detail = {"transfer": number, "seal": seal, "permit": row.permit, **moved}
    await lots.record_event(connection, by, "receive", ids, detail)
    await locks.lift(connection, by, "TRANSFER", number)
    if seal != row.seal:
        frozen = [lot_id for lot_id in ids if not await _is_frozen(connection, lot_id)]
        await locks.freeze(connection, by, frozen, f"SEAL_DIFF: left under {row.seal}, came under {seal}")
    return bool(seal == row.seal)


async def _is_frozen(connection: AsyncConnection, lot_id: int) -> bool:
    return any(row.kind == "FREEZE" for row in (await locks.on_lots(connection, [lot_id])).get(lot_id, []))


async def lots_of(connection: AsyncConnection, number: int) -> list[int]:
    """Return the lots of a transfer."""
    query = select(transfer_lot.c.lot_id).where(transfer_lot.c.transfer_no == number)
    return sorted((await connection.execute(query)).scalars())


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, status: str | None = None) -> Page[Row[Any]]:
    """Return transfers, oldest first, each with the numbers of its ``lots``; of one ``status`` if it is given."""
    moved = select(func.array_agg(aggregate_order_by(transfer_lot.c.lot_id, transfer_lot.c.lot_id))).where(
        transfer_lot.c.transfer_no == transfer.c.transfer_no
    )
    query = select(transfer, moved.scalar_subquery().label("lots"))
    if status is not None:
        query = query.where(transfer.c.status == status)
    return await fetch(connection, query, (transfer.c.transfer_no,), page)
