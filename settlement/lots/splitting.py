"""The decision between two laboratories: splitting limit, mean and umpire (domain sheet 3.5).

Fineness in e5. Up to the limit, inclusive, the two results are averaged. Beyond it the umpire decides by
the rule that the class names, and the party whose result is farther from the umpire's pays for it; if both are as far,
each pays half.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from settlement.base.arithmetic import half_even

SPLIT_LIMIT_E5: Final[Mapping[str, int]] = {
    "SCRAP_JEWEL": 50,
    "KARAT_ALLOY": 50,
    "DORE": 50,
    "GRAIN": 50,
    "NONAPPROVED_BAR": 20,
}
"""0.05% of gold in gold material, as laboratories usually agree (domain sheet 3.5); 0.02% for bars, which are nearly
pure, by the venue's own rule."""
MEAN_RULE: Final = "SPLIT_WITHIN_LIMIT_MEAN_1"
NEAREST_MEAN: Final = "NEAREST_MEAN"
MIDDLE: Final = "MIDDLE"
UMPIRE_RULES: Final = (NEAREST_MEAN, MIDDLE)
"""NEAREST_MEAN: the mean of the umpire's and the nearer party's result, the umpire's alone if both are as near.
MIDDLE: the middle one of the three."""


class SplitDecision(NamedTuple):
    """The final fineness in e5, the rule that gave it, and who pays the umpire: A, B, BOTH or, without one, None."""

    final_e5: int
    rule: str
    umpire_paid_by: str | None = None


def within(a_e5: int, b_e5: int, limit_e5: int) -> bool:
    """Return whether two results are to be averaged."""
    return abs(a_e5 - b_e5) <= limit_e5


def mean(a_e5: int, b_e5: int) -> int:
    """Return the mean, rounded half to even (GB/T 8170)."""
    return half_even(a_e5 + b_e5, 2)


def agree(a_e5: int, b_e5: int) -> SplitDecision:
    """Return the decision within the limit: the mean."""
    return SplitDecision(mean(a_e5, b_e5), MEAN_RULE)


def umpire(a_e5: int, b_e5: int, umpire_e5: int, rule: str) -> SplitDecision:
    """Return the decision beyond the limit, by the named rule."""
    from_a, from_b = abs(a_e5 - umpire_e5), abs(b_e5 - umpire_e5)
    payer = "BOTH" if from_a == from_b else "A" if from_a > from_b else "B"
    if rule == MIDDLE:
        return SplitDecision(sorted((a_e5, b_e5, umpire_e5))[1], MIDDLE, payer)
    if from_a == from_b:
        return SplitDecision(umpire_e5, NEAREST_MEAN, payer)
    return SplitDecision(mean(a_e5 if from_a < from_b else b_e5, umpire_e5), NEAREST_MEAN, payer)
