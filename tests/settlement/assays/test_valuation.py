"""Valuations by the vectors of domain sheet 3.3, the terms that are not allowed, and a lot from the command line."""

from hypothesis import given
from hypothesis import strategies as st

from settlement.assays.valuation import (
    MONEY_RULE,
    PAYABLE_DEDUCTION,
    PAYABLE_RATIO,
    Figure,
    ValuationTerms,
    figures,
    payable,
)
from settlement.base.arithmetic import fine_weight, report


def test_tv1_scrap() -> None:
    """Domain sheet 3.3, TV1: 253.47 g at 751.2 per mille, 99%, 800.00, refining 1.50 on received, assay 300.00."""
    fine = fine_weight(25_347, 75_120).mg
    terms = ValuationTerms(80_000, 99_000, refining_fen_per_g=150, assay_fee_fen=30_000)
    assert figures(253_470, 253_470, fine, terms) == [
        Figure("fine", 190_406, "mg", "FINE_ROUND_DOWN_MG_1"),
        Figure("payable", 188_501, "mg", PAYABLE_RATIO),
        Figure("value", 15_080_080, "fen", MONEY_RULE),
        Figure("adjustment", 0, "fen", MONEY_RULE),
        Figure("refining", -38_021, "fen", MONEY_RULE),
        Figure("assay_fee", -30_000, "fen", MONEY_RULE),
        Figure("net", 15_012_059, "fen", "SUM_OF_LINES"),
    ]


def test_tv2_dore() -> None:
    """Domain sheet 3.3, TV2: 12,468.10 g at 88.40%, 99.5% payable: 10,966.691 g."""
    fine = fine_weight(1_246_810, 88_400).mg
    assert payable(fine, ValuationTerms(80_000, 99_500)) == Figure("payable", 10_966_691, "mg", PAYABLE_RATIO)


def test_the_lower_of_ratio_and_minimum_deduction_is_paid() -> None:
    """Domain sheet 3.2: fine x ratio, or fine less a minimum deduction; the lower."""
    assert payable(100_000, ValuationTerms(1, 99_000, 1_000)) == Figure("payable", 99_000, "mg", PAYABLE_RATIO)
    assert payable(100_000, ValuationTerms(1, 99_000, 1_001)) == Figure("payable", 98_999, "mg", PAYABLE_DEDUCTION)
    assert payable(500, ValuationTerms(1, 99_000, 1_000)) == Figure("payable", 0, "mg", PAYABLE_DEDUCTION)


def test_the_refining_charge_is_on_the_stated_weight() -> None:
    """Domain sheet 3.2: per gram of received, melt or fine weight."""
    found = {
        base: figures(3_000, 2_000, 1_000, ValuationTerms(1, refining_fen_per_g=100, refining_base=base))[4].amount
        for base in ("received", "melt", "fine")
    }
    assert found == {"received": -300, "melt": -200, "fine": -100}


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.integers(-1_000, 1_000), st.integers(0, 100_000))
def test_the_lines_sum_to_the_net(fine: int, price: int, adjustment: int, ratio: int) -> None:
    found = figures(fine, fine, fine, ValuationTerms(price, ratio, 0, adjustment, 7, "fine", 30_000))
    assert sum(figure.amount for figure in found[2:-1]) == found[-1].amount
    assert found[1].amount <= fine


def test_the_reported_fineness_of_sge() -> None:
    """Domain sheet 4.2 [S-QUAL03]: the third decimal of the per cent, from 2 on, keeps the second; below, lowers it."""
    for percent_e4, reported in (
        (999_825, 99_980),
        (999_885, 99_980),
        (999_815, 99_970),
        (999_820, 99_980),
        (999_819, 99_970),
    ):
        assert report("FINENESS_SGE_2003_HAIRCUT_1", [percent_e4, percent_e4]) == reported
    assert report("FINENESS_SGE_2003_HAIRCUT_1", [999_819, 999_820]) == 99_970, "cut once, from the exact mean"
    assert report("FINENESS_SGE_2003_HAIRCUT_1", [1, 1]) == 1
