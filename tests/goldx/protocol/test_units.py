"""Decimal strings are read and written without loss, and nothing but their one written form is accepted."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldx.protocol import units
from goldx.protocol.units import BadValue

fen = st.integers(1, units.MAX_PRICE_FEN)
milligrams = st.integers(0, units.MAX_WEIGHT_MG)
money = st.integers(-units.MAX_MONEY_FEN, units.MAX_MONEY_FEN)

PARSERS = (units.parse_price, units.parse_weight, units.parse_signed_weight, units.parse_money)


@given(fen)
def test_a_written_price_reads_back(price: int) -> None:
    assert units.parse_price(units.format_price(price)) == price
    assert Decimal(units.format_price(price)) * 100 == price


@given(milligrams)
def test_a_written_weight_reads_back(weight: int) -> None:
    assert units.parse_weight(units.format_weight(weight)) == weight
    assert Decimal(units.format_weight(weight)) * 1_000 == weight


@given(money, st.sampled_from([units.CASH, "AU9999"]))
def test_a_written_amount_reads_back_in_the_unit_of_its_asset(amount: int, asset: str) -> None:
    if asset == units.CASH or abs(amount) <= units.MAX_WEIGHT_MG:
        assert units.parse_amount(units.format_amount(amount, asset), asset) == amount


@pytest.mark.parametrize(
    ("text", "expected"),
    [("612.35", 61_235), ("612.3", 61_230), ("612", 61_200), ("0.01", 1), ("10000000", units.MAX_PRICE_FEN)],
)
def test_prices_are_read(text: str, expected: int) -> None:
    assert units.parse_price(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "1.",
        ".5",
        "01",
        "00",
        "1.001",
        "-1",
        "+1",
        "1e3",
        "1,000",
        " 1",
        "1 ",
        "1\n",
        "NaN",
        "inf",
        "0x1",
        "1_000",
        "１２",
        "²",
        "1.２",
        "0",
        "0.00",
        "10000000.01",
        "9" * 18,
        "9" * 5_000,
        1,
        1.5,
        True,
        None,
        b"1",
        ["1"],
        {"1": 1},
    ],
)
def test_any_other_form_of_a_price_is_refused_and_the_field_named(text: object) -> None:
    with pytest.raises(BadValue, match="stop_price") as caught:
        units.parse_price(text, "stop_price")
    assert caught.value.field == "stop_price"
    assert len(str(caught.value)) < 250


@given(st.one_of(st.text(max_size=30), st.text("0123456789.-+e ", max_size=30), st.integers(), st.floats(), st.none()))
def test_a_parser_returns_the_exact_number_or_raises_bad_value(text: object) -> None:
    scale = {units.parse_price: 100, units.parse_money: 100}
    for parse in PARSERS:
        try:
            number = parse(text)
        except BadValue:
            continue
        assert isinstance(text, str)
        assert Fraction(text) * scale.get(parse, 1_000) == number


def test_the_bounds_of_a_number_stand_in_the_message() -> None:
    assert units.parse_decimal("points", "-12", 0, -12, 12, "points") == -12
    with pytest.raises(BadValue, match="points from -12 to 12"):
        units.parse_decimal("points", "13", 0, -12, 12, "points")
    with pytest.raises(BadValue, match="points as a decimal string without decimals"):
        units.parse_decimal("points", "1.0", 0, -12, 12, "points")
    with pytest.raises(BadValue, match=r"fine grams from 0\.000 to 1000000000\.000"):
        units.parse_weight("1000000000.001")


def test_leading_zeros_are_allowed_where_they_are_said_to_be() -> None:
    assert units.parse_decimal("w", "007.50", 2, 1, 1_000, "grams", leading_zeros=True) == 750
    with pytest.raises(BadValue):
        units.parse_decimal("w", "007.50", 2, 1, 1_000, "grams")


@given(st.integers(-(10**18), 10**18), st.integers(0, 7))
def test_a_written_decimal_is_exact_and_has_all_its_places(number: int, places: int) -> None:
    text = units.format_decimal(number, places)
    assert Decimal(text).scaleb(places) == number
    assert len(text.partition(".")[2]) == places


@pytest.mark.parametrize(
    ("parse", "format_", "lowest", "largest"),
    [
        (units.parse_price, units.format_price, 1, units.MAX_PRICE_FEN),
        (units.parse_weight, units.format_weight, 0, units.MAX_WEIGHT_MG),
        (units.parse_signed_weight, units.format_weight, -units.MAX_WEIGHT_MG, units.MAX_WEIGHT_MG),
        (units.parse_money, units.format_money, -units.MAX_MONEY_FEN, units.MAX_MONEY_FEN),
    ],
    ids=["price", "weight", "signed weight", "money"],
)
def test_the_bounds_of_each_unit(
    parse: Callable[[object], int], format_: Callable[[int], str], lowest: int, largest: int
) -> None:
    for number in (lowest, largest):
        assert parse(format_(number)) == number
    for number in (lowest - 1, largest + 1):
        with pytest.raises(BadValue):
            parse(format_(number))


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-100, "-1.00"), (-195, "-1.95"), (123_456, "1234.56")]
)
def test_money_is_written_with_two_decimals(fen: int, text: str) -> None:
    assert units.format_money(fen) == text


@pytest.mark.parametrize(("mg", "text"), [(0, "0"), (1, "0.001"), (120, "0.12"), (1_000, "1"), (100_000, "100")])
def test_weights_are_written_without_trailing_zeros(mg: int, text: str) -> None:
    assert units.format_weight(mg) == text


@pytest.mark.parametrize("text", ["A", "x" * 32, "a.b_C-9"])
def test_identifiers_are_read(text: str) -> None:
    assert units.parse_identifier(text, "symbol") == text


@pytest.mark.parametrize("text", ["", "a b", "ü", "x" * 33, "a/b", "a\n", 7, None, b"a"])
def test_identifiers_are_short_and_plain(text: object) -> None:
    with pytest.raises(BadValue):
        units.parse_identifier(text, "symbol")


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**9))
def test_half_up_rounds_halves_away_from_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    rounded = units.half_up(numerator, denominator)
    assert abs(exact - rounded) <= Fraction(1, 2)
    if abs(exact - rounded) == Fraction(1, 2):
        assert abs(rounded) > abs(exact), "a half goes away from zero"


@pytest.mark.parametrize("text", ["0.5", "1.5", "2.5", "-0.5", "-2.5", "380.205", "0.4999", "-0.4999", "7"])
def test_half_up_is_the_rounding_of_the_domain_sheet(text: str) -> None:
    numerator, denominator = Fraction(text).as_integer_ratio()
    assert units.half_up(numerator, denominator) == Decimal(text).quantize(Decimal(1), ROUND_HALF_UP)


def test_domain_vectors_of_money() -> None:
    """A scrap lot: 188.501 g payable at 800.00, refining at 1.50 per received gram (253.47 g), assay 300.00."""
    payable_mg, received_mg = 188_501, 253_470
    value = units.half_up(payable_mg * 80_000, units.MG_PER_GRAM)
    refining = units.half_up(received_mg * 150, units.MG_PER_GRAM)
    assert (value, refining) == (15_080_080, 38_021), "380.205 rounds half up to 380.21"
    assert units.format_money(value - refining - 30_000) == "150120.59"


def test_a_fine_weight_vector() -> None:
    """253.47 g at 751.2 per mille is 190.406664 g of fine gold: rounded down to the milligram."""
    assert 253_470 * 75_120 // units.FINENESS_ONE == 190_406


def test_the_largest_order_stays_inside_64_bits() -> None:
    assert units.MAX_PRICE_FEN * units.MAX_WEIGHT_MG // units.MG_PER_GRAM < 2**63
