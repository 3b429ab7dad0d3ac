"""The areas of breaks, by scope and kind: what differs, and so who has to deal with it and how it can end."""

from typing import Final

ENGINE: Final = "ENGINE"
LEDGER: Final = "LEDGER"
WAREHOUSE: Final = "WAREHOUSE"
BANK: Final = "BANK"
FEE: Final = "FEE"

_OF_ENGINE: Final = ("HOLDING", "POOL_ENGINE")
_OF_FEES: Final = ("FEES", "TRADE_FEE", "ACCRUAL", "BILL")
BOOKS: Final = "books"
"""Scope of the runs that compare ledger, receipts and engine."""
BANK_SCOPE: Final = "bank"
DAY_END_SCOPE: Final = "day_end"
"""Scope of the differences between engine and ledger at the ends of days that two people have taken over."""
DAY_END: Final = "DAY_END"
"""The kind of these breaks."""


def area_of(scope: str, kind: str) -> str:
    """Return the area of a break: ENGINE, LEDGER, WAREHOUSE, BANK or FEE."""
    if scope == BANK_SCOPE:
        return BANK
    if scope == DAY_END_SCOPE:
        return ENGINE
    if scope != BOOKS:
        return WAREHOUSE
    if kind in _OF_ENGINE:
        return ENGINE
    return FEE if kind in _OF_FEES else LEDGER
