"""Transfers (调拨): lots travel from one warehouse to another.

The states are those of domain sheet 2.1 (made, shipped out, received, cancelled). Lots on the way stay in the pool and
are locked (TRANSFER); until they arrive, their warehouse is the one that they left. Each lot is weighed on arrival. If
seal or weight differs (the weight by more than two readings of one balance may), lots arrive frozen, and neither the
person who received them nor the one who shipped them may end that.

**Across the customs border** metal gets another class, since a class takes metal of one customs status
(``settlement.lots.customs``). So only lots without a live receipt cross it (``settlement.custody.receipt_cancels``
first, a new receipt afterwards), by a permit (domain sheet 5.8) that serves at most PERMIT_USES shipments.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import proposals
from settlement.base.arithmetic import format_cg
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.spelling import fold, same
from settlement.base.steps import advance
from settlement.base.texts import mark, printable
from settlement.custody import receipts
from settlement.documents.custody import TRANSFER
from settlement.documents.lots import LOCKABLE
from settlement.lots import acceptance, customs, locks, lots, scales, warehouses
from settlement.lots.scales import GrossWeight, Weighing
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

    Raises BadValue for unknown names; Refused if a lot is locked (LOCKED), promised or not registered (ILLEGAL_STEP),
    if the customs status would change without permit and class (PERMIT_NEEDED), with a live receipt (RECEIPT_LIVE) or a
    proposed one (RECEIPT_EXISTS),
    if the class does not take a lot there (NOT_ACCEPTED, OUTSIDE_BAND), or if a permit is used up (PERMIT_USED_UP).
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
    await _check_accepted(connection, chosen, to_warehouse, new_symbol)
    row = {
        "from_warehouse": origins[0],
        "to_warehouse": to_warehouse,
        "reason": reason,
        "status": TRANSFER.steps["propose"].after,
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
    known = await connection.scalar(select(instrument.c.symbol).where(instrument.c.symbol == symbol))
    if known is None or (await customs.of_classes(connection, [symbol]))[symbol] != goes_to:
        raise BadValue("new_symbol", symbol, f"a class that takes {goes_to} metal")
    for row in chosen.values():
        if row.state != "REGISTERED":
            text = (
                f"lot {row.lot_id} is {row.state}: only a registered lot without a receipt crosses the customs border"
            )
            raise Refused("RECEIPT_LIVE", text)
    await receipts.check_none(connection, list(chosen))
    used = select(func.count()).where(func.folded(transfer.c.permit) == fold(permit), transfer.c.status != "CANCELLED")
    if (await connection.scalar(used) or 0) >= PERMIT_USES:
        raise Refused("PERMIT_USED_UP", f"permit {permit} has served {PERMIT_USES} transfers, which is all it may")


async def _check_accepted(
    connection: AsyncConnection, chosen: Mapping[int, Row[Any]], to_warehouse: str, new_symbol: str | None
) -> None:
    """Refuse the first lot that its class, or the new one, does not take in the other warehouse."""
    classes = await acceptance.terms(connection)
    for row in chosen.values():
        if row.fine_mg is not None:
            taken = classes[new_symbol or row.symbol]
            acceptance.refuse(taken, row, row.fineness_e5, row.fine_mg, to_warehouse)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Allow the warehouse to ship the lots.

    Raises Refused if a lot was frozen or held meanwhile (LOCKED), or its class no longer takes it there.
    """
    rows = await advance(connection, transfer, TRANSFER, by, "approve", subjects)
    for number, row in rows.items():
        ids = await lots_of(connection, number)
        await locks.check_not_held(connection, ids)
        await _check_accepted(connection, await lots.find(connection, ids), row.to_warehouse, row.new_symbol)


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
    """Record that the lots leave under a seal with a carrier; return their numbers.

    Raises BadValue; Refused if one is frozen or held (LOCKED), or quarantined (ILLEGAL_STEP).
    """
    mark("seal", seal)
    printable("carrier", carrier, 64)
    values = {"seal": seal, "carrier": carrier, "shipped_by": by, "shipped_at": now_ms()}
    await advance(connection, transfer, TRANSFER, by, "ship", [number], values)
    ids = await lots_of(connection, number)
    await locks.check_not_held(connection, ids)
    for held in (await lots.find(connection, ids, lock=True)).values():
        if held.state not in LOCKABLE:
            text = f"lot {held.lot_id} is {held.state}; to be shipped it must be {' or '.join(LOCKABLE)}"
            raise Refused("ILLEGAL_STEP", text)
    detail = {"transfer": number, "seal": seal, "carrier": carrier}
    await lots.record_event(connection, by, "ship", ids, detail)
    return ids


class Arrival(NamedTuple):
    """Whether lots arrived under the seal of their departure, and, by lot, why some are frozen."""

    seal_whole: bool
    frozen: Mapping[int, str]


async def receive(
    connection: AsyncConnection, by: str, number: int, seal: str, weighed: Mapping[int, GrossWeight]
) -> Arrival:
    """Record that the lots have arrived and were weighed; across the border they get their new class.

    If the seal differs all of them arrive frozen; a lot whose weight differs from the register arrives frozen. Raises
    BadValue unless each lot is weighed; Refused for the person who shipped them (SAME_PERSON), and as ``scales.check``
    does.
    """
    mark("seal", seal)
    values = {"received_by": by, "received_at": now_ms()}
    row = (await advance(connection, transfer, TRANSFER, by, "receive", [number], values))[number]
    ids = await lots_of(connection, number)
    if sorted(weighed) != ids:
        raise BadValue("weights", sorted(weighed), f"one of each lot of the transfer: {', '.join(map(str, ids))}")
    await scales.check(
        connection, [Weighing(lot_id, row.to_warehouse, *found) for lot_id, found in sorted(weighed.items())]
    )
    held = await lots.find(connection, ids, lock=True)
    moved = {"warehouse": row.to_warehouse} | ({} if row.new_symbol is None else {"symbol": row.new_symbol})
    await connection.execute(update(lot).where(among(lot.c.lot_id, ids)).values(moved))
    detail = {"transfer": number, "seal": seal, "permit": row.permit, **moved}
    details = {
        lot_id: {**detail, "weighed_g": str(found.weight), "scale": found.scale} for lot_id, found in weighed.items()
    }
    await lots.record_events(connection, by, "receive", details)
    await locks.lift(connection, by, "TRANSFER", number)
    frozen = _doubts(held, weighed, row.seal, seal)
    already = {lot_id for lot_id, kinds in (await locks.on_lots(connection, ids)).items() if _has_freeze(kinds)}
    for lot_id, reason in frozen.items():
        if lot_id in already:
            await locks.add_doubt(connection, by, lot_id, reason, number)
        else:
            await locks.freeze(connection, by, [lot_id], reason, number)
    return Arrival(same(seal, row.seal), frozen)


def _doubts(
    held: Mapping[int, Row[Any]], weighed: Mapping[int, GrossWeight], left_under: str, seal: str
) -> dict[int, str]:
    """Return why lots are frozen on arrival, by lot."""
    found = {}
    for lot_id, row in held.items():
        recorded = row.melt_cg or row.gross_cg
        weight = weighed[lot_id].weight
        if not same(seal, left_under):
            found[lot_id] = f"SEAL_DIFF: left under {left_under}, came under {seal}"
        elif abs(weight.cg - recorded) > scales.tolerance_cg(recorded):
            found[lot_id] = f"WEIGHT_DIFF: {format_cg(recorded)} g in the register, {weight} g on arrival"
    return found


def _has_freeze(kinds: Sequence[Row[Any]]) -> bool:
    return any(row.kind == "FREEZE" for row in kinds)


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
