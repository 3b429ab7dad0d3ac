"""The weight that a melt loses, and when it raises an alarm (rule MELT_LOSS_3_SIGMA_90_DAYS_1).

A loss raises an alarm if it lies outside the usual band of its form (domain sheet 3.5), or more than three standard
deviations from the mean of the form's melts of the last 90 days, if there are ten at least.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_decimal
from settlement.base.statistics import is_outlier
from settlement.tables.intake import melt

RULE: Final = "MELT_LOSS_3_SIGMA_90_DAYS_1"
BANDS_PPM: Final[Mapping[str, tuple[int, int]]] = {
    "KARAT_ALLOY": (1_000, 5_000),
    "SCRAP_JEWEL": (5_000, 20_000),
    "DORE": (500, 3_000),
}
"""Usual losses by weight: clean karat alloy 0.1 to 0.5%, mixed scrap 0.5 to 2%, dore 0.05 to 0.3%."""
SIGMAS: Final = 3
LEAST_HISTORY: Final = 10
_HISTORY_MS: Final = 90 * 86_400_000


def loss_ppm(before_mg: int, loss_mg: int) -> int:
    """Return a loss in parts per million of the weight before, rounded down."""
    return loss_mg * 1_000_000 // before_mg


def alarms(form: str, rate_ppm: int, history_ppm: Sequence[int]) -> list[str]:
    """Return the alarms of a loss of a form, each as a sentence, given the losses of the form's earlier melts."""
    found = []
    if form in BANDS_PPM:
        low, high = BANDS_PPM[form]
        if not low <= rate_ppm <= high:
            found.append(f"loss of {_percent(rate_ppm)} is outside {_percent(low)} to {_percent(high)} of {form}")
    if len(history_ppm) >= LEAST_HISTORY and is_outlier(rate_ppm, history_ppm, SIGMAS):
        mean = sum(history_ppm) // len(history_ppm)
        found.append(
            f"loss of {_percent(rate_ppm)} is more than {SIGMAS} deviations from the mean {_percent(mean)} of "
            f"{len(history_ppm)} melts of {form} in 90 days"
        )
    return found


def _percent(ppm: int) -> str:
    return format_decimal(ppm, 4) + "%"


async def history(connection: AsyncConnection, form: str, at: int) -> list[int]:
    """Return the losses of a form's melts in the 90 days up to ``at``, in ppm."""
    query = select(melt.c.parents_mg, melt.c.loss_mg).where(melt.c.form == form, melt.c.at > at - _HISTORY_MS)
    return [loss_ppm(row.parents_mg, row.loss_mg) for row in await connection.execute(query.order_by(melt.c.melt_no))]
