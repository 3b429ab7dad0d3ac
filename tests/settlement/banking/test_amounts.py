"""Amounts as banks write them."""

from decimal import Decimal

import pytest

from goldx.protocol.units import MAX_MONEY_FEN, BadValue, format_money
from settlement.banking.statements import fen_of


@pytest.mark.parametrize(
    ("number", "fen"),
    [
        ("10.000", 1000),
        ("0012.50", 1250),
        ("000", 0),
        ("5.", 500),
        (".5", 50),
        ("+5", 500),
        ("-12.5", -1250),
        ("-0", 0),
        (format_money(MAX_MONEY_FEN), MAX_MONEY_FEN),
        (Decimal("1E+3"), 100_000),
        (Decimal("-0.10"), -10),
    ],
)
def test_the_ways_of_banks_to_write_an_amount_are_read(number: Decimal | str, fen: int) -> None:
    assert fen_of("amount", number) == fen


@pytest.mark.parametrize(
    "number",
    [
        "",
        ".",
        "-",
        "+-5",
        "0-5",
        "5-",
        "1,5",
        "1 000",
        "1e3",
        "٥",
        "0.001",
        "5.001",
        "NaN",
        Decimal("NaN"),
        Decimal("1E-3"),
    ],
)
def test_what_is_no_amount_of_whole_fen_is_refused_and_named(number: Decimal | str) -> None:
    with pytest.raises(BadValue, match=r"amount: .* it must be an amount of money"):
        fen_of("amount", number)


def test_an_amount_beyond_the_largest_is_refused_with_the_largest() -> None:
    with pytest.raises(BadValue, match=f"to {format_money(MAX_MONEY_FEN)}"):
        fen_of("amount", format_money(MAX_MONEY_FEN + 1))
