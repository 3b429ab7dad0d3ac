"""Amounts as the tests compute them, apart from the product."""

from goldx.protocol import units


def value_of(price_fen: int, weight_mg: int) -> int:
    """Return the money in whole fen, rounded down, for a weight that need not come to whole fen, as of named lots."""
    return price_fen * weight_mg // units.MG_PER_GRAM


def money_of(price_fen: int, weight_mg: int) -> int:
    """Return the money in fen for a weight at a price; whole lots come to whole fen."""
    money, rest = divmod(price_fen * weight_mg, units.MG_PER_GRAM)
    assert rest == 0, f"{weight_mg} mg at {price_fen} fen a gram is no whole number of fen"
    return money
