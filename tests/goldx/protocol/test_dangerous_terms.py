"""Which terms of an instrument one person may set alone."""

from typing import Any

import pytest

from goldx.protocol.dangerous_terms import dangerous_terms
from goldx.protocol.events import InstrumentDefined

TERMS = InstrumentDefined.__struct_fields__[3:]
PRICE = 60_000
NOW: dict[str, Any] = {
    "name": "",
    "name_zh": "",
    "form": "DORE",
    "min_fineness": 30_000,
    "max_fineness": 99_900,
    "tick": 5,
    "lot": 1_000,
    "max_quantity": 100_000,
    "price_limit_percent": 10,
    "lower_price_limit": 54_000,
    "upper_price_limit": 66_000,
    "market_protection": 600,
    "reference_price": PRICE,
    "maker_fee_bp": 1,
    "taker_fee_bp": 3,
    "price_rule": 0,
    "dynamic_band_percent": 2,
    "interruption_ms": 300_000,
    "resale_lock_days": 0,
    "same_day_reuse_percent": 100,
    "reopening_steps": 3,
    "bust_window_ms": None,
    "max_holders": 100,
    "deal_report_ms": None,
    "deal_delay_ms": None,
}

BOUNDS = [
    # term, what one person may set, what takes two
    ("maker_fee_bp", (0, 10), (11, 1_000)),
    ("taker_fee_bp", (0, 10), (11, 1_000)),
    ("tick", (1, 50), (51, 601)),
    ("lot", (100, 10_000), (99, 10_001)),
    ("max_quantity", (10_000, 1_000_000), (9_999, 1_000_001, None)),
    ("price_limit_percent", (1, 20), (21, 99, None)),
    ("dynamic_band_percent", (1, 10), (11, None)),
    ("lower_price_limit", (48_000, 60_000), (47_999, 60_001, None)),
    ("upper_price_limit", (60_000, 72_000), (59_999, 72_001, None)),
    ("market_protection", (60, 6_000), (59, 6_001, None)),
    ("interruption_ms", (1_000, 3_600_000), (3_600_001,)),
    ("resale_lock_days", (0, 5), (6,)),
    ("same_day_reuse_percent", (100,), (99, 0)),
    ("form", ("DORE",), ("GRAIN",)),
    ("min_fineness", (30_000,), (1, 30_001)),
    ("max_fineness", (99_900,), (99_899,)),
    ("price_rule", (0,), (1,)),
    ("name", ("", "Dore"), ()),
    ("name_zh", ("", "合质金"), ()),
    ("reopening_steps", (1, 9), (None,)),
    ("bust_window_ms", (None, 0, 86_400_000), ()),  # an annulment itself takes two
    ("max_holders", (1, 200), (201, None)),
    ("deal_report_ms", (None, 0, 86_400_000), ()),  # no money depends on it
    ("deal_delay_ms", (None, 0, 86_400_000), ()),
    ("reference_price", (PRICE, 1), ()),  # market.set_reference asks
]


def test_every_term_has_bounds_or_needs_none() -> None:
    assert {name for name, _, _ in BOUNDS} == set(TERMS) == set(NOW)


@pytest.mark.parametrize(("name", "alone", "together"), BOUNDS, ids=[name for name, _, _ in BOUNDS])
def test_the_bounds_of_a_known_instrument(name: str, alone: tuple[Any, ...], together: tuple[Any, ...]) -> None:
    for value in alone:
        assert dangerous_terms(NOW, NOW | {name: value}, PRICE, []) == (), value
    for value in together:
        assert dangerous_terms(NOW, NOW | {name: value}, PRICE, []) == (name,), value


def test_what_the_first_version_of_the_table_did_not_ask_is_not_asked_by_it() -> None:
    assert dangerous_terms(NOW, NOW | {"reopening_steps": None}, PRICE, [], 1) == ()


def test_a_value_that_stays_is_not_asked_again() -> None:
    far = NOW | {"maker_fee_bp": 500, "tick": 700}
    assert dangerous_terms(far, far | {"name": "new"}, PRICE, []) == ()


def test_a_new_instrument() -> None:
    """It may come without limits, in any form; its figures have the bounds that need no present value."""
    plain = NOW | dict.fromkeys(("max_quantity", "price_limit_percent", "lower_price_limit"))
    assert dangerous_terms(None, plain, PRICE, []) == ()
    assert dangerous_terms(None, plain | {"tick": 601, "taker_fee_bp": 30}, PRICE, []) == ("tick", "taker_fee_bp")


@pytest.mark.parametrize(
    ("others", "asked"),
    [((), False), ((0,), False), ((120_000,), False), ((30_000,), False), ((120_001, 29_999), True)],
)
def test_a_first_reference_is_held_against_the_other_instruments(others: tuple[int, ...], asked: bool) -> None:
    assert (dangerous_terms(None, NOW, PRICE, others) == ("reference_price",)) is asked
    assert dangerous_terms(None, NOW, PRICE, (*others, PRICE)) == (), "one that is near is enough"
