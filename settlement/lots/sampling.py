"""Samples: drawn from a lot under seal, one for each party and a reserve for the umpire (domain sheet 3.5).

Samples stay part of the lot: they lie with it under their seals when they are not at a laboratory, their weight stays
on the payable weight, and they leave with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import bulk
from settlement.base.arithmetic import format_cg
from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.base.spelling import fold
from settlement.base.texts import mark
from settlement.lots import lots
from settlement.tables.lots import PARTIES, sample

MUST_BE_MELTED: Final = ("SCRAP_JEWEL", "KARAT_ALLOY")
"""Forms that are not homogeneous enough to be sampled as they come (domain sheet 3.1)."""
LEAST_CG, MOST_CG = 50, 1_000
"""A sample weighs 0.50 to 10.00 g; laboratories usually ask for 5 to 10 g."""


class SealedSample(NamedTuple):
    """One sample: its party, the number of its seal, its weight in 0.01 g."""

    party: str
    seal: str
    weight_cg: int


async def draw(connection: AsyncConnection, by: str, drawn: Mapping[int, Sequence[SealedSample]]) -> None:
    """Draw the samples of all of these lots, or of none.

    Raises BadValue for a party, seal or weight that is not allowed, Refused for a form that must be melted first
    (MUST_BE_MELTED), samples as heavy as the lot (TOO_HEAVY), and a lot that is not to be sampled now (ILLEGAL_STEP).
    """
    known = await lots.find(connection, list(drawn), lock=True)
    rows = []
    for number, samples in drawn.items():
        row = known[number]
        if row.form in MUST_BE_MELTED and row.state == "SCREENED":
            raise Refused("MUST_BE_MELTED", f"lot {number}: {row.form} must be melted before it is sampled")
        _check(samples)
        if sum(found.weight_cg for found in samples) >= (row.melt_cg or row.gross_cg or 0):
            raise Refused("TOO_HEAVY", f"lot {number}: its samples weigh as much as it does, or more")
        rows += [{"lot_id": number, **found._asdict(), "at": now_ms(), "by": by} for found in samples]
    details = {
        number: {"samples": [f"{party} {seal} {format_cg(cg)} g" for party, seal, cg in samples]}
        for number, samples in drawn.items()
    }
    await lots.take(connection, by, "sample", list(drawn), details=details)
    if not rows:
        return
    try:
        async with connection.begin_nested():
            await bulk.insert(connection, sample, rows)
    except IntegrityError as error:
        raise BadValue("seal", [row["seal"] for row in rows][:3], "a seal that no other sample has") from error


def _check(samples: Sequence[SealedSample]) -> None:
    if not samples:
        raise BadValue("samples", [], "at least one sample")
    for found in samples:
        if found.party not in PARTIES:
            raise BadValue("party", found.party, "one of " + ", ".join(PARTIES))
        mark("seal", found.seal)
        if not LEAST_CG <= found.weight_cg <= MOST_CG:
            allowed = f"{format_cg(LEAST_CG)} to {format_cg(MOST_CG)} g"
            raise BadValue("weight", format_cg(found.weight_cg), allowed)
    for name, values in (
        ("party", [found.party for found in samples]),
        ("seal", [found.seal for found in samples]),
    ):
        if len(set(map(fold, values))) < len(values):
            raise BadValue(name, values, "different for each sample")


async def of_lots(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, dict[str, Row[Any]]]:
    """Return the samples that lots have now, by lot and party."""
    query = select(sample).where(among(sample.c.lot_id, lot_ids), sample.c.remelted_at.is_(None))
    found: dict[int, dict[str, Row[Any]]] = {number: {} for number in lot_ids}
    for row in await connection.execute(query.order_by(sample.c.sample_no)):
        found[row.lot_id][row.party] = row
    return found
