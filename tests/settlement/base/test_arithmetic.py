"""The vectors of the domain sheet, each with its place there, and the rules they are examples of."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldx.protocol.units import BadValue
from settlement.base.arithmetic import (
    Fine,
    fine_weight,
    format_cg,
    half_even,
    parse_padded_decimal,
    parse_scale_weight,
    payable_weight,
    reported_fineness,
    value_fen,
)


def test_tv1_scrap_from_weight_to_money() -> None:
    """Domain sheet 3.3, TV1: 253.47 g of scrap at 751.2 per mille."""
    fine = fine_weight(25_347, 75_120)
    assert fine == Fine(190_406, 6_640), "190.406664 g: rounded down to the mg, the residue kept"
    payable = payable_weight(fine.mg, 99_000)
    assert payable == 188_501
    value = value_fen(payable, 80_000)
    assert value == 15_080_080
    refining = value_fen(253_470, 150)
    assert refining == 38_021, "380.205 CNY, half up"
    assert value - refining - 30_000 == 15_012_059


def test_tv2_dore_within_the_splitting_limit() -> None:
    """Domain sheet 3.3, TV2: the mean of 88.42% and 88.38%, on 12,468.10 g after melting."""
    fineness = reported_fineness([884_200, 883_800])
    assert fineness == 88_400
    fine = fine_weight(1_246_810, fineness)
    assert fine.mg == 11_021_800
    assert payable_weight(fine.mg, 99_500) == 10_966_691


@pytest.mark.parametrize(
    ("replicates", "reported"),
    [
        ([751_200, 751_200], 75_120),
        ([751_250, 751_250], 75_120),
        ([751_350, 751_350], 75_140),
        ([751_251, 751_250], 75_130),
        ([989_949, 989_950], 98_990),
        ([989_960, 989_990], 99_000),
        ([990_005, 990_005], 99_000),
        ([990_015, 990_015], 99_002),
        ([999_512, 999_510, 999_514], 99_951),
        ([1_000_000, 1_000_000], 100_000),
    ],
)
def test_reported_fineness(replicates: list[int], reported: int) -> None:
    """Domain sheet 4.3: half to even (GB/T 8170), to 0.1 per mille below 990 and to 0.01 from there on."""
    assert reported_fineness(replicates) == reported


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=6))
def test_reported_fineness_is_the_exact_mean_rounded_once(replicates: list[int]) -> None:
    mean = Fraction(sum(replicates), len(replicates) * 10)
    step = 10 if mean < 99_000 else 1
    assert reported_fineness(replicates) == round(mean / step) * step


@given(st.integers(0, 10**15), st.integers(1, 10**9))
def test_half_even_is_rounding_of_fractions(numerator: int, denominator: int) -> None:
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.integers(1, 10**8), st.integers(1, 100_000))
def test_nothing_is_lost_in_fine_weight(weight_cg: int, fineness_e5: int) -> None:
    fine = fine_weight(weight_cg, fineness_e5)
    assert fine.mg * 10_000 + fine.residue_1e7 == weight_cg * fineness_e5
    assert 0 <= fine.residue_1e7 < 10_000


@pytest.mark.parametrize(
    ("text", "cg"), [("0.01", 1), ("100", 10_000), ("10000.00", 1_000_000), ("12480.3", 1_248_030)]
)
def test_weights_as_read_from_a_balance(text: str, cg: int) -> None:
    assert parse_scale_weight("gross_g", text) == cg


@pytest.mark.parametrize("text", ["", "0", "-1", "1e3", "1,5", "1.005", "1000000.1", "NaN", "１"])
def test_weights_that_no_balance_shows(text: str) -> None:
    with pytest.raises(BadValue, match="gross_g"):
        parse_scale_weight("gross_g", text)


@given(st.integers(1, 10**8))
def test_weights_read_back(cg: int) -> None:
    assert parse_padded_decimal("w", format_cg(cg), 2, 1, 10**8, "grams") == cg
