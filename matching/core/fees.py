"""Fees, and what a buy has to reserve for them.

A fee is a rate in basis points of a trade's money, in whole fen. The rounding error is not lost: each order carries it,
in ten-thousandths of a fen, as its *residue* from one of its trades to the next. So the fees of an order always add up
to the rounded sum, and not to a sum of rounded fees (rule MONEY_HALF_UP, residue kept).

>>> from matching.core.fees import fee
>>> fee(0, 12_345, 1)  # 1.2345 fen
1
>>> fee(2_345, 12_345, 1)  # 0.2345 kept back + 1.2345
1
>>> fee(4_690, 12_345, 1)  # 0.4690 + 1.2345 = 1.7035
2

Besides price x quantity a buy reserves the highest fee that it could still be charged. Because it is the *sum* that is
rounded, a reservation can never fall short, whatever trades the order is filled in: fees paid so far + fee of the rest
<= what was reserved.
"""

from goldx.protocol.units import BASIS_POINTS, MG_PER_GRAM

_HALF = BASIS_POINTS // 2


def fee(residue: int, amount: int, basis_points: int) -> int:
    """Return the fee in fen for an amount of money (fen) at a rate, with the order's residue. It is never negative.

    The residue afterwards is ``residue + amount * basis_points - fee * 10_000``, from -5,000 to 4,999.
    """
    return (residue + amount * basis_points + _HALF) // BASIS_POINTS


def cost(price: int, quantity: int, residue: int, basis_points: int) -> int:
    """Return what a buy of a quantity (fine mg) at a price (fen per fine gram) costs, fee included, in fen."""
    amount = price * quantity // MG_PER_GRAM
    if basis_points or residue:
        return amount + (residue + amount * basis_points + _HALF) // BASIS_POINTS
    return amount


def affordable(cash: int, price: int, quantity: int, residue: int, basis_points: int, lot: int) -> int:
    """Return the most of a quantity, in whole lots, that cash pays for at a price, fee included. O(log lots)."""
    if cost(price, quantity, residue, basis_points) <= cash:
        return quantity
    low, high = 0, quantity // lot  # low lots are affordable, high lots are not
    while high - low > 1:
        middle = (low + high) // 2
        if cost(price, middle * lot, residue, basis_points) <= cash:
            low = middle
        else:
            high = middle
    return low * lot
