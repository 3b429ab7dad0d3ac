"""Adjustments of holdings by the venue: ``holding.adjust`` and ``holding.settle``."""

from __future__ import annotations

from typing import Any, Final

from goldx.protocol.details import write_detail
from goldx.protocol.units import CASH, MAX_MONEY_FEN, MAX_SUM
from matching.core import claim_setting, holders, methods, regime
from matching.core.holdings import Balance
from matching.core.state import State
from matching.core.tags import HOLDING_ADJUSTED, HOLDING_SETTLED

MAX_TOTAL: Final = MAX_SUM
"""The largest balance that an adjustment may produce, in fen or fine mg."""


def adjust(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``holding.adjust``, once per reference. Money taken out reduces the claim that it names."""
    _, name, asset, amount, reference, _, deposit, claim = command
    if _is_known(state, reference):
        return state.refuse(methods.HOLDING_ADJUST, "DUPLICATE_ID", name, reference)
    reason, detail = _refusal(state, [(name, asset, amount)], deposit)
    if reason:
        return state.refuse(methods.HOLDING_ADJUST, reason, name, reference, detail)
    state.references[reference] = None
    collected = claim_setting.collectable(state, name, asset, amount, claim)
    state.emit(HOLDING_ADJUSTED, name, asset, amount, reference, *((collected,) if collected else ()))
    _move(state, name, asset, amount)
    if collected:
        claim_setting.collect(state, name, claim, collected)
    return None


def adjust_together(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``holding.settle``: several adjustments, all or none, once per reference."""
    _, reference, raw_legs, _, deposit = command
    legs = [(name, asset, amount) for name, asset, amount in raw_legs]
    if _is_known(state, reference):
        return state.refuse(methods.HOLDING_SETTLE, "DUPLICATE_ID", None, reference)
    reason, detail = _refusal(state, legs, deposit) if legs else ("BAD_VALUE", write_detail("legs", "at least one"))
    if reason:
        return state.refuse(methods.HOLDING_SETTLE, reason, None, reference, detail)
    state.references[reference] = None
    state.emit(HOLDING_SETTLED, reference, tuple(legs))
    for name, asset, amount in legs:
        _move(state, name, asset, amount)
    return None


def _is_known(state: State, reference: str) -> bool:
    return reference in state.references or reference in state.previous_references


def _refusal(state: State, legs: list[tuple[str, str, int]], deposit: bool) -> tuple[str, str]:
    """Return (reason, detail) why adjustments are not possible together, or two empty texts."""
    sums: dict[tuple[str, str], int] = {}
    for name, asset, amount in legs:
        if asset != CASH and asset not in state.instruments:
            return "UNKNOWN_SYMBOL", write_detail("asset", asset[:32])
        if name not in state.accounts:
            return "UNKNOWN_ACCOUNT", write_detail("account", name[:32])
        if amount == 0 or abs(amount) > MAX_MONEY_FEN:
            return "BAD_VALUE", write_detail("amount", "not zero, and at most 10**17 in the asset's unit")
        sums[name, asset] = sums.get((name, asset), 0) + amount
    if deposit:
        reason, detail = _refusal_of_deposit(
            state, [(name, asset, amount) for name, asset, amount in legs if amount > 0]
        )
        if reason:
            return reason, detail
    for (name, asset), amount in sums.items():
        balance = state.accounts[name].balances.get(asset) or Balance(name, asset)
        if balance.total + amount > MAX_TOTAL:
            return "BAD_VALUE", write_detail("amount", f"the total of {name} would be too large")
        if amount < 0 and -amount > balance.withdrawable():
            reason = "INSUFFICIENT_CASH" if asset == CASH else "INSUFFICIENT_GOLD"
            return reason, f"withdrawable from {name}: {balance.withdrawable()} of {asset} in its smallest unit"
    return "", ""


def _refusal_of_deposit(state: State, legs: list[tuple[str, str, int]]) -> tuple[str, str]:
    """Return (reason, detail) why a deposit is refused, or two empty texts."""
    detail = regime.refuses_new_business(state, "deposit") if legs else ""
    if detail:
        return "REGIME", detail
    for symbol, instrument in state.instruments.items():
        if instrument.max_holders:
            joining = [state.accounts[name] for name, asset, _ in legs if asset == symbol]
            if detail := holders.refuses_holders(state, instrument, joining):
                return "MAX_HOLDERS", detail
    return "", ""


def _move(state: State, name: str, asset: str, amount: int) -> None:
    balance = state.accounts[name].balance(asset)
    balance.total += amount
    state.touched.append(balance)
