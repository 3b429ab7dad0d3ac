"""The balances of the warehouses: capacity, resolution and calibration of each.

A weight is accepted only if the balance can have shown it: as many decimals as its resolution has, a multiple of it,
within its capacity, while its calibration is valid. Up to 10 kg a balance must read to 0.01 g, above that to 0.1 g at
least (domain sheet 4.3).
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, parse_identifier
from settlement.base import audit
from settlement.base.arithmetic import MAX_WEIGHT_CG, format_cg, parse_padded_decimal
from settlement.base.database import among
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.working_days import today
from settlement.lots import warehouses
from settlement.tables.lots import scale

RESOLUTIONS_CG = (1, 2, 5, 10, 20, 50, 100)
FINE_UP_TO_CG, FINEST_CG, COARSEST_CG = 1_000_000, 1, 10
"""Up to 10 kg the resolution must be 0.01 g, above it 0.1 g or finer."""


class Weight(NamedTuple):
    """A weight as read, in 0.01 g, with the number of decimals written (None: the source keeps no trailing zeros)."""

    cg: int
    places: int | None

    @property
    def mg(self) -> int:
        """Return the weight in mg."""
        return self.cg * 10

    def __str__(self) -> str:
        whole, decimals = format_cg(self.cg).split(".")
        shown = decimals if self.places is None else decimals[: self.places]
        return f"{whole}.{shown}" if shown else whole


class GrossWeight(NamedTuple):
    """The weight of a lot on arrival, and the balance that showed it."""

    scale: str
    weight: Weight


class Weighing(NamedTuple):
    """A weight read on a balance, of a lot in a warehouse."""

    lot_id: int
    warehouse: str
    scale: str
    weight: Weight


_TOLERANCES: Final = ((100_000, 2), (500_000, 5))
"""Up to which weight two readings may differ by how much, in 0.01 g."""
_LARGEST_TOLERANCE: Final = 10


def tolerance_cg(gross_cg: int) -> int:
    """Return the largest difference of two readings of one balance, in 0.01 g (domain sheet 8.3).

    That is 0.02 g up to 1 kg, 0.05 g up to 5 kg, and 0.1 g above.
    """
    return next((most for up_to, most in _TOLERANCES if gross_cg <= up_to), _LARGEST_TOLERANCE)


def tolerance_sql(gross_cg: str) -> str:
    """Return the expression of SQL for the tolerance of a weight, which is an expression itself."""
    cases = " ".join(f"WHEN {gross_cg} <= {up_to} THEN {most}" for up_to, most in _TOLERANCES)
    return f"CASE {cases} ELSE {_LARGEST_TOLERANCE} END"


def parse_shown_weight(field: str, text: str) -> Weight:
    """Return a weight in grams as a balance shows it, with at most two decimals. Raises BadValue."""
    cg = parse_padded_decimal(field, text, 2, 1, MAX_WEIGHT_CG, "grams")
    return Weight(cg, len(text.partition(".")[2]))


async def add(
    connection: AsyncConnection,
    by: str,
    code: str,
    place: str,
    resolution_cg: int,
    capacity_cg: int,
    calibration: str,
    until: date,
) -> None:
    """Register a balance of a warehouse with its calibration certificate. Raises BadValue."""
    if resolution_cg not in RESOLUTIONS_CG:
        raise BadValue("resolution", format_cg(resolution_cg), "one of " + ", ".join(map(format_cg, RESOLUTIONS_CG)))
    if not 0 < capacity_cg <= MAX_WEIGHT_CG or capacity_cg % resolution_cg:
        raise BadValue("capacity", format_cg(capacity_cg), "grams up to one tonne, in whole steps of the resolution")
    await warehouses.customs_of(connection, place)
    row = {
        "scale": parse_identifier(code, "scale"),
        "warehouse": place,
        "resolution_cg": resolution_cg,
        "capacity_cg": capacity_cg,
        "calibration": _calibration(calibration),
        "calibrated_until": until,
    }
    added = insert_or(scale).values(row).on_conflict_do_nothing().returning(scale.c.scale)
    if (await connection.execute(added)).first() is None:
        raise BadValue("scale", code, "a code that is not taken")
    await audit.record(connection, audit.Act(by, "scale.add", code, {**row, "calibrated_until": until.isoformat()}))


async def calibrate(connection: AsyncConnection, by: str, code: str, calibration: str, until: date) -> None:
    """Record a new calibration certificate. Raises BadValue for an unknown balance."""
    values = {"calibration": _calibration(calibration), "calibrated_until": until}
    changed = update(scale).where(scale.c.scale == code).values(values).returning(scale.c.scale)
    if (await connection.execute(changed)).first() is None:
        raise BadValue("scale", code, "a registered balance")
    detail = {"calibration": calibration, "until": until.isoformat()}
    await audit.record(connection, audit.Act(by, "scale.calibrate", code, detail))


def _calibration(text: str) -> str:
    if not 1 <= len(text) <= 64 or not text.isprintable():
        raise BadValue("calibration", text, "the certificate's number, printable text of 1 to 64 characters")
    return text


async def check(connection: AsyncConnection, weighings: Iterable[Weighing]) -> None:
    """Refuse the first weighing that its balance cannot have shown.

    Raises BadValue for an unknown balance; Refused: ELSEWHERE, CALIBRATION_EXPIRED, OVER_CAPACITY, WRONG_RESOLUTION.
    """
    wanted = list(weighings)
    codes = {weighing.scale for weighing in wanted}
    known = {row.scale: row for row in await connection.execute(select(scale).where(among(scale.c.scale, codes)))}
    day = today()
    for weighing in wanted:
        row = known.get(weighing.scale)
        if row is None:
            raise BadValue("scale", weighing.scale, "a registered balance")
        _check(weighing, row, day)


def _check(weighing: Weighing, row: Row[tuple[object, ...]], day: date) -> None:
    weight, step = weighing.weight, format_cg(row.resolution_cg)
    what = f"lot {weighing.lot_id}: {weight} g on {row.scale}"
    if row.warehouse != weighing.warehouse:
        raise Refused("ELSEWHERE", f"{what}: the balance is in {row.warehouse}, the lot in {weighing.warehouse}")
    if row.calibrated_until < day:
        raise Refused("CALIBRATION_EXPIRED", f"{what}: its calibration was valid until {row.calibrated_until}")
    if weight.cg > row.capacity_cg:
        raise Refused("OVER_CAPACITY", f"{what}: it weighs up to {format_cg(row.capacity_cg)} g")
    needed = FINEST_CG if weight.cg <= FINE_UP_TO_CG else COARSEST_CG
    if row.resolution_cg > needed:
        raise Refused("WRONG_RESOLUTION", f"{what}: it reads to {step} g; such a weight needs {format_cg(needed)} g")
    decimals = len(step.rstrip("0").partition(".")[2])
    if weight.places is not None and weight.places != decimals:
        how = "finer" if weight.places > decimals else "coarser"
        raise Refused("WRONG_RESOLUTION", f"{what}: that is {how} than it reads, which is to {step} g")
    if weight.cg % row.resolution_cg:
        raise Refused("WRONG_RESOLUTION", f"{what}: it reads in steps of {step} g")


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the balances of the warehouses by code."""
    return await fetch(connection, select(scale), (scale.c.scale,), page)
