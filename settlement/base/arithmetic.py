"""The venue's arithmetic of gold (domain sheet 4.3): integers, and one rounding per published figure.

Weights as read from a balance are whole 0.01 g (``cg``), fineness parts per 100,000 (``e5``), replicate results parts
per million (``ppm``), fine weight mg, money fen. Each rule that rounds has a name, which is stored with its figure.
"""

from typing import Final, NamedTuple

from goldx.protocol import units
from goldx.protocol.units import FINENESS_ONE, MG_PER_GRAM, half_up

FINE_RULE: Final = "FINE_ROUND_DOWN_MG_1"
"""Fine weight = weight x fineness, rounded down to the mg (against the depositor), the residue kept."""
FINENESS_RULE: Final = "FINENESS_GBT8170_HALF_EVEN_1"
"""Reported fineness = mean of the replicates, rounded half to even (GB/T 8170) to 0.1 per mille below 990, to 0.01
per mille at and above it."""

SGE_RULE: Final = "FINENESS_SGE_2003_HAIRCUT_1"
"""Reported fineness by SGE's notice of 2003: the mean less 0.002%, cut to 0.01% (domain sheet 4.2)."""
FINENESS_RULES: Final = (FINENESS_RULE, SGE_RULE)
"""How a class may have its laboratories' replicates reported; the first is the venue's own."""

HIGH_PPM = 990_000
"""From 990 per mille on, fineness is reported to 0.01 per mille."""
MAX_WEIGHT_CG = 100_000_000
"""One tonne: no lot is heavier."""

_PARTS_PER_MG = 10_000


class Fine(NamedTuple):
    """Fine gold in whole mg, and the residue that was cut off, in 1e-7 g."""

    mg: int
    residue_1e7: int


def fine_weight(weight_cg: int, fineness_e5: int) -> Fine:
    """Apply rule FINE_ROUND_DOWN_MG_1, exact: ``mg * 10_000 + residue_1e7 == weight_cg * fineness_e5``."""
    return Fine(*divmod(weight_cg * fineness_e5, _PARTS_PER_MG))


def payable_weight(fine_mg: int, payable_e5: int) -> int:
    """Return the payable mg of fine mg at a payable ratio in parts per 100,000, rounded down."""
    return fine_mg * payable_e5 // FINENESS_ONE


def value_fen(mg: int, fen_per_g: int) -> int:
    """Return the money in fen for a weight at a rate per gram: one invoice line, rounded half up (MONEY_HALF_UP)."""
    return half_up(mg * fen_per_g, MG_PER_GRAM)


def half_even(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded half to even. Neither may be negative."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def reported_fineness(replicates_ppm: list[int]) -> int:
    """Return the fineness in e5 by rule FINENESS_GBT8170_HALF_EVEN_1: rounded once, from the exact mean."""
    total, count = sum(replicates_ppm), len(replicates_ppm)
    if total < HIGH_PPM * count:
        return half_even(total, 100 * count) * 10
    return half_even(total, 10 * count)


def sge_fineness(replicates_ppm: list[int]) -> int:
    """Return the fineness in e5 by rule FINENESS_SGE_2003_HAIRCUT_1: rounded once, from the exact mean.

    A third decimal of the mean in per cent of 2 or more leaves the second as it is; below 2 it lowers the second by
    one. The result is never below the smallest fineness there is.
    """
    total, count = sum(replicates_ppm), len(replicates_ppm)
    return max((total - 20 * count) // (100 * count) * 10, 1)


def report(rule: str, replicates_ppm: list[int]) -> int:
    """Return the reported fineness in e5 by one of FINENESS_RULES."""
    return sge_fineness(replicates_ppm) if rule == SGE_RULE else reported_fineness(replicates_ppm)


def parse_padded_decimal(field: str, text: str, places: int, lowest: int, largest: int, what: str) -> int:
    """Return a decimal string as a whole number of its last place, by the grammar of ``units.parse_decimal``.

    Leading zeros are allowed: balances print them. Raises BadValue, which names the field.
    """
    return units.parse_decimal(field, text, places, lowest, largest, what, leading_zeros=True)


def parse_scale_weight(field: str, text: str) -> int:
    """Return grams with at most two decimals as 0.01 g. Raises BadValue."""
    return parse_padded_decimal(field, text, 2, 1, MAX_WEIGHT_CG, "grams")


def format_cg(cg: int) -> str:
    """Return 0.01 g as grams with two decimals."""
    return units.format_decimal(cg, 2)


def format_fineness(e5: int) -> str:
    """Return parts per 100,000 as per mille with two decimals."""
    return units.format_decimal(e5, 2)
