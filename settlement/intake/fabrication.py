"""A whole list of measured lots taken through every step at once, from pre-advice to the register."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.assays import assay
from settlement.assays.assay import Result
from settlement.intake import intake, melting, pre_advice
from settlement.intake.bar_list import Measured
from settlement.intake.bar_rows import BarKey
from settlement.intake.melting import MeltWeight
from settlement.lots import sampling
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import GrossWeight
from settlement.workbooks.cells import BadFile, RowError


class Processed(NamedTuple):
    """The lots that were registered, and those that were certified and wait, each with its obstacle."""

    registered: list[int]
    waiting: dict[int, str]


async def problems(connection: AsyncConnection, rows: Sequence[Measured]) -> list[RowError]:
    """Return the rows whose lot is not in the register, or has come already."""
    found = await pre_advice.find_by_key(connection, [row.key for row in rows])
    unknown = [row for row in rows if row.key.compared not in found]
    others = await pre_advice.find_other_years(connection, [row.key for row in unknown])
    errors = [RowError(row.line, "serial", _not_there(row.key, others.get(row.key.compared))) for row in unknown]
    known = [(row, found[row.key.compared]) for row in rows if row.key.compared in found]
    arrived = [(row, there) for row, there in known if there.state != "PRE_ADVISED"]
    return errors + [
        RowError(row.line, "serial", f"{row.key}, lot {there.lot_id}, is {there.state}; it must be PRE_ADVISED")
        for row, there in arrived
    ]


def _not_there(key: BarKey, other: BarKey | None) -> str:
    return f"{key} is not in the register" + (f"; {other} is, with another year" if other else "")


async def process(connection: AsyncConnection, by: str, rows: Sequence[Measured]) -> Processed:
    """Take pre-advised lots through every step by their measured values, all or none.

    Raises BadFile for lots that are not in the register, and what the steps raise.
    """
    if errors := await problems(connection, rows):
        raise BadFile(errors)
    found = await pre_advice.find_by_key(connection, [row.key for row in rows])
    measured = {int(found[row.key.compared].lot_id): row for row in rows}
    await intake.arrive(connection, by, {number: row.seal for number, row in measured.items()})
    await intake.weigh(connection, by, {n: GrossWeight(row.scale, row.weighed) for n, row in measured.items()})
    await intake.screen(connection, by, {number: row.xrf_e5 for number, row in measured.items()})
    melted = {n: MeltWeight(row.scale, row.melted) for n, row in measured.items() if row.melted is not None}
    await melting.melt_each(connection, by, melted)
    drawn = {number: [SealedSample("A", row.sample_seal, row.sample_cg)] for number, row in measured.items()}
    await sampling.draw(connection, by, drawn)
    results = {n: Result(row.laboratory, row.replicates_ppm, row.sample_seal) for n, row in measured.items()}
    await assay.fire_assay(connection, by, results)
    await intake.certify(connection, by, list(measured))
    waiting = await intake.obstacles(connection, list(measured))
    registered = [number for number in sorted(measured) if number not in waiting]
    await intake.register(connection, by, registered)
    return Processed(registered, waiting)
