"""The terms of an instrument that one person may set alone, and those that take a second person.

A mistyped fee, tick or limit costs every member money from the first trade on. Up to these bounds one operator is
enough; beyond them ``instrument.define`` is only proposed until a second person sends the same command.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

DEFINITION_RULES: Final = 3
"""The version of this table that gateways send in ``InstrumentDefine.rules``. A change of it needs a new version.

Version 2 asks about ``reopening_steps`` that are taken away, version 3 about ``max_holders``.
"""
REFERENCE_RULES: Final = 1
"""The version of the rules for a reference price that gateways send in ``MarketSetReference.rules``."""

LARGEST: Final = {
    "maker_fee_bp": 10,
    "taker_fee_bp": 10,
    "price_limit_percent": 20,
    "dynamic_band_percent": 10,
    "interruption_ms": 3_600_000,
    "resale_lock_days": 5,
    "max_holders": 200,
}
"""The largest value that one person may set."""
LARGEST_PERCENT_OF_PRICE: Final = {"tick": 1, "market_protection": 10}
"""The largest value that one person may set, in percent of the last price (before the first trade: the reference)."""
LIMIT_PERCENT: Final = 20
"""How far from that price, in percent, one person may set ``lower_price_limit`` and ``upper_price_limit``."""
LARGEST_FACTOR: Final = 10
"""How many times larger or smaller one person may make a term of SCALED."""
SCALED: Final = ("tick", "lot", "max_quantity", "market_protection")
FIXED: Final = ("form", "min_fineness", "max_fineness", "price_rule", "same_day_reuse_percent")
"""Terms of a known instrument that one person may not change at all."""
PROTECTIONS: Final = (
    "max_quantity",
    "price_limit_percent",
    "lower_price_limit",
    "upper_price_limit",
    "market_protection",
    "dynamic_band_percent",
)
"""Terms of a known instrument that one person may not take away."""
PROTECTIONS_SINCE: Final = {"reopening_steps": 2, "max_holders": 3}
"""Such terms that are asked about from a version of this table on."""
FIRST_REFERENCE_FACTOR: Final = 2
"""How many times the price of every other instrument, or which part of it, one person may give as first reference."""


def dangerous_terms(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    price: int,
    other_prices: Iterable[int],
    rules: int = DEFINITION_RULES,
) -> tuple[str, ...]:
    """Return the names of the changed terms that take a second person, in the order of the terms.

    ``before`` is None for a new instrument. ``price`` is its last price, or else its reference, or 0; ``other_prices``
    are those of the other instruments, all in fen for a gram of fine gold. ``rules`` is the version of this table.
    """
    others = [other for other in other_prices if other]
    protections = (*PROTECTIONS, *(name for name, since in PROTECTIONS_SINCE.items() if since <= rules))
    return tuple(
        name
        for name, value in after.items()
        if (before is None or before[name] != value)
        and (
            (before is not None and value is None and name in protections)
            or _is_dangerous(name, None if before is None else before[name], value, before is not None, price, others)
        )
    )


def is_strange_first_reference(price: int, other_prices: Iterable[int]) -> bool:
    """Return whether the first reference price of an instrument is far from the prices of all others that have one."""
    others = [other for other in other_prices if other]
    factor = FIRST_REFERENCE_FACTOR
    return bool(others) and all(price > other * factor or price * factor < other for other in others)


def _is_dangerous(name: str, old: Any, new: Any, known: bool, price: int, others: list[int]) -> bool:
    if known and name in FIXED:
        return True
    if new is None:
        return False
    if name == "reference_price":
        return not known and is_strange_first_reference(new, others)
    if new > LARGEST.get(name, new):
        return True
    if price and name in LARGEST_PERCENT_OF_PRICE and new * 100 > price * LARGEST_PERCENT_OF_PRICE[name]:
        return True
    if price and name == "lower_price_limit":
        return not price * (100 - LIMIT_PERCENT) <= new * 100 <= price * 100
    if price and name == "upper_price_limit":
        return not price * 100 <= new * 100 <= price * (100 + LIMIT_PERCENT)
    return bool(name in SCALED and old and (new > old * LARGEST_FACTOR or new * LARGEST_FACTOR < old))
