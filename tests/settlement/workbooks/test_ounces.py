"""Ounces by London's rules: domain sheet 4.1, LBMA Good Delivery Rules, annexes B and C."""

import pytest

from goldx.protocol.units import BadValue
from settlement.workbooks import ounces


def test_the_published_example() -> None:
    """401.125 oz at 995.8 is 399.440 fine, rounded down or half up."""
    assert ounces.fine_weights(401_125, 99_580) == (399_440, 399_440)
    ounces.check_fine("fine_oz", 399_440, 401_125, ounces.to_cg(401_125), 99_580)
    with pytest.raises(BadValue, match=r"fine_oz.*399\.440"):
        ounces.check_fine("fine_oz", 399_441, 401_125, ounces.to_cg(401_125), 99_580)


def test_where_rounding_down_and_half_up_differ_a_list_may_use_either() -> None:
    assert ounces.fine_weights(400_025, 99_990) == (399_984, 399_985)


@pytest.mark.parametrize(
    ("cg", "weight"), [(1_247_638, 401_100), (1_247_644, 401_100), (1_247_645, 401_125), (1_247_715, 401_125)]
)
def test_a_bar_must_turn_the_scale(cg: int, weight: int) -> None:
    """401.125 oz is 12476.382 g, 401.127 oz 12476.444 g and 401.150 oz 12477.159 g."""
    assert ounces.to_cg(401_125) == 1_247_638
    assert ounces.london_weight(cg) == weight


@pytest.mark.parametrize(
    ("cg", "e5", "moz"),
    [
        (100_000, 99_500, 31_990),
        (100_000, 99_900, 32_119),
        (100_000, 99_990, 32_148),
        (25_000, 99_500, 7_998),
        (5_000, 99_900, 1_607),
        (1_000, 99_500, 321),
    ],
)
def test_small_bars_are_looked_up(cg: int, e5: int, moz: int) -> None:
    """Domain sheet 4.1: the last three follow no direct rounding."""
    ounces.check_fine("fine_oz", moz, None, cg, e5)
    for wrong in (moz - 1, moz + 1):
        with pytest.raises(BadValue):
            ounces.check_fine("fine_oz", wrong, None, cg, e5)


def test_a_small_bar_without_an_agreed_weight_is_not_computed() -> None:
    with pytest.raises(BadValue, match="no agreed fine weight"):
        ounces.check_fine("fine_oz", 3_215, None, 10_000, 99_990)


def test_an_ounce_is_exact() -> None:
    assert ounces.to_cg(1_000) == 3_110
    assert ounces.to_cg(ounces.MAX_MOZ) <= ounces.MAX_CG + 1
