"""How a legal regime comes into force: ``venue.set_regime``, which takes two persons."""

from __future__ import annotations

from typing import Any

from goldx.protocol.details import write_detail
from goldx.protocol.terms import CLOSED, NEGOTIATED, ORDER_BOOK, REGIMES
from matching.core import holders, methods, phases, rfq_ends
from matching.core.regime import mode_of
from matching.core.regime_terms import Regime
from matching.core.state import State
from matching.core.tags import REGIME_CHANGED, REGIME_PROPOSED


def set_regime(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``venue.set_regime``: the first person proposes, the second one sets it.

    A regime that no longer allows the order book cancels all open orders in order of their numbers, and closes every
    instrument, without an uncross.
    """
    _, *given, by = command
    given[-1] = tuple(given[-1])
    values = tuple(given)
    regime = Regime(values)
    detail = regime.wrong_term() or _misfit(state, regime)
    subject = REGIMES[regime.kind] if 0 <= regime.kind < len(REGIMES) else None
    if detail:
        return state.refuse(methods.VENUE_SET_REGIME, "BAD_VALUE", None, subject, detail)
    if state.regime is not None and state.regime.values() == values:
        return state.refuse(methods.VENUE_SET_REGIME, "BAD_VALUE", None, subject, "it is in force already")
    first: str | None = None
    if state.sequence or regime.kind != NEGOTIATED:
        proposed, first = state.proposed_regime or ((), by)
        if proposed != values or first == by:
            state.proposed_regime = (values, by)
            return state.emit(REGIME_PROPOSED, *values, by)
        state.proposed_regime = None
    state.regime = regime
    state.emit(REGIME_CHANGED, *values, by, first)
    for instrument in state.instruments.values():
        instrument.regulate(regime)
    end_centralised(state)
    return None


def end_centralised(state: State) -> None:
    """Cancel all open orders and close every instrument, if the regime does not allow the order book any more.

    Anonymous requests for quotes end, too.
    """
    regime = state.regime
    if regime is None or regime.allows(ORDER_BOOK, state.trading_day):
        return
    for order in list(state.orders.values()):
        state.cancel(order, "REGIME")
    for instrument in state.instruments.values():
        if mode_of(instrument.phase) >= 0:
            phases.change(state, instrument, CLOSED)
    rfq_ends.end_forbidden(state)


def _misfit(state: State, regime: Regime) -> str:
    """Return why a regime does not go with what the venue has now, or an empty text."""
    if regime.has_lapsed(state.trading_day):
        return write_detail("last_trading_day", f"not before {state.trading_day}")
    count = 0 if regime.max_clients is None else len(holders.clients(state))
    if regime.max_clients is not None and count > regime.max_clients:
        return write_detail("max_clients", f"there are {count} clients already")
    unknown = [name for name in regime.buyers if name not in state.members]
    return write_detail("buyers", f"there is no member {unknown[0]}") if unknown else ""
