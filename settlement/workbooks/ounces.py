"""Troy ounces by the rules of the London market (domain sheet 4.1), in whole thousandths of an ounce (``moz``).

Large bars are weighed in steps of 0.025 oz, rounded down with the turn of the scale. Small bars have agreed fine
weights, which follow no one rounding, so they are looked up and never computed.
"""

from collections.abc import Mapping
from typing import Final

from goldx.protocol.units import FINENESS_ONE, BadValue, format_decimal, half_up

GRAMS_1E7: Final = 311_034_768
"""One troy ounce is 31.1034768 g exactly (LBMA Good Delivery Rules, annex C)."""
STEP_MOZ: Final = 25
"""Gross weights of large bars are multiples of 0.025 oz."""
TURN_MOZ: Final = 2
"""A bar must turn the scale: a weight less than 0.002 oz above a multiple counts as the multiple below (annex B)."""
LARGE_FROM_MOZ: Final = 100_000
"""From 100 oz on a weight in ounces must be one of those multiples; below it, bars are made to grams."""
MAX_CG: Final = 100_000_000
"""One tonne, in 0.01 g."""
MAX_MOZ: Final = 32_150_747
"""One tonne, in thousandths of an ounce."""

SMALL_BARS: Final[Mapping[tuple[int, int], int]] = {
    (100_000, 99_500): 31_990,
    (100_000, 99_900): 32_119,
    (100_000, 99_990): 32_148,
    (25_000, 99_500): 7_998,
    (5_000, 99_900): 1_607,
    (1_000, 99_500): 321,
}
"""Agreed fine weight in moz by weight in 0.01 g and fineness in e5: those of LBMA's constants that have a source."""


def to_cg(moz: int) -> int:
    """Return thousandths of an ounce in 0.01 g (rule OUNCES_TO_CG_HALF_UP_1), for declared weights alone."""
    return half_up(moz * GRAMS_1E7, 10**8)


def from_cg(cg: int) -> int:
    """Return 0.01 g in thousandths of an ounce, half up: the weight of a small bar."""
    return half_up(cg * 10**8, GRAMS_1E7)


def london_weight(cg: int) -> int:
    """Return a large bar's gross weight in moz: a multiple of 0.025 oz below which the scale still turns."""
    steps, rest = divmod(cg * 10**8, GRAMS_1E7 * STEP_MOZ)
    return (steps - (rest < TURN_MOZ * GRAMS_1E7)) * STEP_MOZ


def fine_weights(gross_moz: int, fineness_e5: int) -> tuple[int, int]:
    """Return the fine moz of a large bar, rounded down and half up.

    The published example fits both, so a list may use either.
    """
    product = gross_moz * fineness_e5
    return product // FINENESS_ONE, half_up(product, FINENESS_ONE)


def check_fine(field: str, stated_moz: int, gross_moz: int | None, gross_cg: int, fineness_e5: int) -> None:
    """Raise BadValue unless a list's fine ounces follow from its own gross weight and assay.

    ``gross_moz`` is the gross weight in ounces where the list states it so, else None.
    """
    agreed = _agreed(gross_moz, gross_cg, fineness_e5)
    if agreed is not None:
        allowed = {agreed}
    elif (gross := london_weight(gross_cg) if gross_moz is None else gross_moz) >= LARGE_FROM_MOZ:
        allowed = set(fine_weights(gross, fineness_e5))
    else:
        unknown = "left out: no agreed fine weight is known for a small bar like this"
        raise BadValue(field, format_ounces(stated_moz), unknown)
    if stated_moz not in allowed:
        right = " or ".join(format_ounces(moz) for moz in sorted(allowed))
        raise BadValue(field, format_ounces(stated_moz), f"{right} fine ounces")


def _agreed(gross_moz: int | None, gross_cg: int, fineness_e5: int) -> int | None:
    if gross_moz is None:
        return SMALL_BARS.get((gross_cg, fineness_e5))
    same = (moz for (cg, e5), moz in SMALL_BARS.items() if e5 == fineness_e5 and from_cg(cg) == gross_moz)
    return next(same, None)


def format_ounces(moz: int) -> str:
    """Return thousandths of an ounce as ounces with three decimals."""
    return format_decimal(moz, 3)
