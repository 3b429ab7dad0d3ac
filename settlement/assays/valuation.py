"""Valuation of certified lots on stated terms: one formula for all forms, each figure with its rule (domain sheet 3.2).

  fine x payable ratio, or fine less a minimum deduction if that is lower  -> payable, rounded down to the mg
  payable x (price + adjustments)                                          -> value, one line, half up to the fen
  less refining charge on the stated weight, less assay fee                -> net

Money is fen, weights mg, rates fen per gram. A valuation is kept with its terms; it moves neither metal nor money.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import FINENESS_ONE, MAX_PRICE_FEN, BadValue
from settlement.base import audit
from settlement.base.arithmetic import FINE_RULE, payable_weight, value_fen
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.lots import lots
from settlement.tables.assays import valuation

PAYABLE_RATIO: Final = "PAYABLE_RATIO_DOWN_MG_1"
PAYABLE_DEDUCTION: Final = "PAYABLE_MIN_DEDUCTION_1"
MONEY_RULE: Final = "MONEY_HALF_UP"
BASES: Final = ("received", "melt", "fine")
"""The weight that a refining charge is per gram of; it must be stated (domain sheet 3.2)."""


class ValuationTerms(NamedTuple):
    """Terms of a valuation. ``payable_e5``: parts per 100,000; ``min_deduction_mg``: the least fine gold not paid."""

    price_fen_per_g: int
    payable_e5: int = FINENESS_ONE
    min_deduction_mg: int = 0
    adjustment_fen_per_g: int = 0
    refining_fen_per_g: int = 0
    refining_base: str = "received"
    assay_fee_fen: int = 0


class Figure(NamedTuple):
    """One figure, mg for weights, fen for money, with the rule that rounded or chose it."""

    name: str
    amount: int
    unit: str
    rule: str


def payable(fine_mg: int, terms: ValuationTerms) -> Figure:
    """Return the lower of ratio and deduction, never below zero."""
    by_ratio = payable_weight(fine_mg, terms.payable_e5)
    deducted = max(fine_mg - terms.min_deduction_mg, 0)
    if deducted < by_ratio:
        return Figure("payable", deducted, "mg", PAYABLE_DEDUCTION)
    return Figure("payable", by_ratio, "mg", PAYABLE_RATIO)


def figures(received_mg: int, melt_mg: int, fine_mg: int, terms: ValuationTerms) -> list[Figure]:
    """Return every figure of a valuation, ``net`` last, which is exactly the sum of the lines of money."""
    paid = payable(fine_mg, terms)
    weight = {"received": received_mg, "melt": melt_mg, "fine": fine_mg}[terms.refining_base]
    lines = [
        Figure("value", value_fen(paid.amount, terms.price_fen_per_g), "fen", MONEY_RULE),
        Figure("adjustment", value_fen(paid.amount, terms.adjustment_fen_per_g), "fen", MONEY_RULE),
        Figure("refining", -value_fen(weight, terms.refining_fen_per_g), "fen", MONEY_RULE),
        Figure("assay_fee", -terms.assay_fee_fen, "fen", MONEY_RULE),
    ]
    net = Figure("net", sum(line.amount for line in lines), "fen", "SUM_OF_LINES")
    return [Figure("fine", fine_mg, "mg", FINE_RULE), paid, *lines, net]


def check(terms: ValuationTerms) -> None:
    """Raise BadValue for terms that are not allowed."""
    for field, value, largest in (
        ("payable", terms.payable_e5, FINENESS_ONE),
        ("price", terms.price_fen_per_g, MAX_PRICE_FEN),
        ("refining", terms.refining_fen_per_g, MAX_PRICE_FEN),
        ("min_deduction", terms.min_deduction_mg, 10**9),
        ("assay_fee", terms.assay_fee_fen, 10**9),
    ):
        if not 0 <= value <= largest:
            raise BadValue(field, value, f"0 to {largest}")
    if terms.refining_base not in BASES:
        raise BadValue("refining_base", terms.refining_base, "one of " + ", ".join(BASES))


async def write(connection: AsyncConnection, by: str, lot_id: int, terms: ValuationTerms) -> list[Figure]:
    """Value a certified lot and keep the valuation. Raises BadValue, Refused for a lot without fine weight."""
    check(terms)
    row = (await lots.find(connection, [lot_id]))[lot_id]
    if row.fine_mg is None:
        raise Refused("ILLEGAL_STEP", f"lot {lot_id} is {row.state}; to be valued it must be certified")
    found = figures(row.gross_cg * 10, (row.melt_cg or row.gross_cg) * 10, row.fine_mg, terms)
    kept: dict[str, Any] = {"terms": terms._asdict(), "figures": [figure._asdict() for figure in found]}
    await connection.execute(insert(valuation).values(lot_id=lot_id, **kept, at=now_ms(), by=by))
    await audit.record(connection, audit.Act(by, "lot.value", f"lot:{lot_id}", {"net_fen": found[-1].amount}))
    return found
