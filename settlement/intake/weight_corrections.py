"""Corrections of a gross weight: the lot is weighed again by one person, and another one approves the new weight.

A weight can be corrected until its lot is melted or certified: a melt weighs the lot again, and a certificate fixes its
fine gold permanently. The history keeps both weights.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import proposals
from settlement.base.arithmetic import format_cg
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.documents.lots import WEIGHT_OPEN
from settlement.lots import lots, sampling, scales
from settlement.lots.scales import GrossWeight, Weighing
from settlement.tables.lots import lot

STEP = "correct_weight"


async def propose(connection: AsyncConnection, by: str, lot_id: int, found: GrossWeight, reason: str) -> int:
    """Propose another gross weight for a lot and return the proposal's number.

    Raises BadValue; Refused: ILLEGAL_STEP for a lot that is not weighed, or is melted or certified; TOO_HEAVY if its
    samples weigh as much; and as ``scales.check`` does.
    """
    row = (await lots.find(connection, [lot_id], lock=True))[lot_id]
    was, now = _check(row), format_cg(found.weight.cg)
    if was == now:
        raise BadValue("weight", now, "another weight than the lot has")
    await scales.check(connection, [Weighing(lot_id, row.warehouse, found.scale, found.weight)])
    await _check_samples(connection, lot_id, found.weight.cg)
    summary = {
        "lot": lot_id,
        "was_g": was,
        "gross_g": now,
        "declared_g": format_cg(row.declared_gross_cg),
        "scale": found.scale,
        "reason": printable("reason", reason, 200),
    }
    return await proposals.propose(connection, by, "weight_correction", [lot_id], summary)


def _check(row: Row[Any]) -> str:
    """Return the present weight of a lot. Raises Refused (ILLEGAL_STEP) if it cannot be corrected."""
    if row.state not in WEIGHT_OPEN or row.melt_cg is not None:
        melted = "melted" if row.melt_cg is not None else row.state
        text = f"lot {row.lot_id} is {melted}; its weight is corrected while it is {' or '.join(WEIGHT_OPEN)}, unmelted"
        raise Refused("ILLEGAL_STEP", text)
    return format_cg(row.gross_cg)


async def _check_samples(connection: AsyncConnection, lot_id: int, gross_cg: int) -> None:
    drawn = (await sampling.of_lots(connection, [lot_id]))[lot_id].values()
    if sum(one.weight_cg for one in drawn) >= gross_cg:
        raise Refused("TOO_HEAVY", f"lot {lot_id}: its samples weigh as much as it would, or more")


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Set the new weight.

    Raises Refused if the lot has meanwhile been melted or certified (ILLEGAL_STEP), or weighed again (WEIGHT_CHANGED).
    """
    agreed = await proposals.newest(connection, "weight_correction", subjects)
    for lot_id, row in (await lots.find(connection, subjects, lock=True)).items():
        was = _check(row)
        if was != agreed.summary["was_g"]:
            text = f"lot {lot_id} weighs {was} g by now, not {agreed.summary['was_g']} g: propose the correction again"
            raise Refused("WEIGHT_CHANGED", text)
        weight = scales.parse_shown_weight("gross_g", agreed.summary["gross_g"])
        await _check_samples(connection, lot_id, weight.cg)
        await connection.execute(update(lot).where(lot.c.lot_id == lot_id).values(gross_cg=weight.cg))
        detail = {name: agreed.summary[name] for name in ("was_g", "gross_g", "scale", "reason")}
        await lots.record_event(connection, by, STEP, [lot_id], {**detail, "weighed_by": agreed.proposed_by})


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Leave the weights as they are."""
