"""The phases of an instrument, which change by command or by a volatility interruption.

==============  =====================  ============  ====================================================
phase           new limit orders       they trade    on entering it
==============  =====================  ============  ====================================================
closed          refused MARKET_CLOSED  no            an auction uncrosses
pre_open        rest                   no
auction         rest                   no            the indicative price is published
continuous      yes                    yes           what crosses uncrosses; then the stops that the last
                                                     price has reached trigger
halted          refused HALTED         no
==============  =====================  ============  ====================================================

Cancelling is possible in every phase. Orders that trade at once or never (market, IOC, FOK) and stops are refused in
every phase but continuous.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from goldx.protocol.details import write_detail
from matching.core import auction, day_opening, methods, pending_stops, regime
from matching.core.instrument import Instrument
from matching.core.state import NO_ORDER, State
from matching.core.tags import AUCTION_EXTENDED, PHASE_CHANGED


def set_phase(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``market.set_phase``."""
    _, symbol, phase, _ = command
    instrument = state.instruments.get(symbol)
    if instrument is None:
        state.refuse(methods.MARKET_SET_PHASE, "UNKNOWN_SYMBOL", None, symbol)
    elif instrument.retired:
        state.refuse(methods.MARKET_SET_PHASE, "RETIRED", None, symbol, "instrument.define brings it back")
    elif not 0 <= phase < len(terms.PHASES):
        state.refuse(methods.MARKET_SET_PHASE, "BAD_VALUE", None, symbol, write_detail("phase", "no such phase"))
    elif phase == instrument.phase:
        state.refuse(methods.MARKET_SET_PHASE, "PHASE", None, symbol, "it is in that phase already")
    elif detail := regime.refuses_phase(state, phase):
        state.refuse(methods.MARKET_SET_PHASE, "REGIME", None, symbol, detail)
    elif detail := day_opening.refuses_phase(state, phase):
        state.refuse(methods.MARKET_SET_PHASE, day_opening.REASON, None, symbol, detail)
    else:
        change(state, instrument, phase)


def change(state: State, instrument: Instrument, phase: int, planned_at: int = 0) -> None:
    """Move an instrument into another phase, and let what crosses trade where the phase says so.

    ``planned_at`` is the planned time of the timetable's step, 0 for any other change.
    """
    previous = _enter(state, instrument, phase, planned_at)
    if phase == terms.CONTINUOUS or (phase == terms.CLOSED and previous == terms.AUCTION):
        auction.uncross(state, instrument)
    if phase == terms.CONTINUOUS and instrument.last:
        pending_stops.trigger_reached(state, instrument, instrument.last, instrument.last)


def interrupt(state: State, instrument: Instrument) -> None:
    """Start a volatility interruption: a short auction in place of a trade outside the dynamic price band."""
    _enter(state, instrument, terms.AUCTION)
    if instrument.reopening_steps:
        instrument.reopening_centre = instrument.last or instrument.reference
    instrument.interrupted_until = state.now + instrument.interruption_ms
    state.schedule(instrument.interrupted_until, NO_ORDER, instrument.symbol)


def end_interruption(state: State, instrument: Instrument) -> None:
    """End the auction of an interruption, or extend it where its price would lie outside the corridor.

    The corridor is the dynamic price band around the last price before the interruption; with each extension it widens
    by as much again. After the last one any price will do.
    """
    taken = instrument.extensions
    price, _ = auction.uncrossing(instrument)
    if price and taken < instrument.reopening_steps and instrument.reopening_centre:
        lower, upper = corridor(instrument, taken + 1)
        if not lower <= price <= upper:
            instrument.extensions = taken + 1
            instrument.interrupted_until += instrument.interruption_ms
            state.schedule(instrument.interrupted_until, NO_ORDER, instrument.symbol)
            if taken + 1 < instrument.reopening_steps:
                state.emit(
                    AUCTION_EXTENDED, instrument.symbol, instrument.interrupted_until, *corridor(instrument, taken + 2)
                )
            else:
                state.emit(AUCTION_EXTENDED, instrument.symbol, instrument.interrupted_until)
            return
    change(state, instrument, terms.CONTINUOUS)


def corridor(instrument: Instrument, width: int) -> tuple[int, int]:
    """Return the lowest and the highest price of a corridor that is so many bands wide, rounded inward."""
    centre, percent = instrument.reopening_centre, instrument.band * width
    return max(1, -(-centre * (100 - percent) // 100)), centre * (100 + percent) // 100


def refusal(instrument: Instrument, kind: int, time_in_force: int, is_stop: bool) -> str:
    """Return the reason why the phase does not allow a new order, or an empty text."""
    phase = instrument.phase
    if phase == terms.CONTINUOUS:
        return ""
    if phase == terms.CLOSED:
        return "MARKET_CLOSED"
    if phase == terms.HALTED:
        return "HALTED"
    immediate = kind == terms.MARKET or time_in_force in (terms.IOC, terms.FOK)
    return "PHASE" if immediate or is_stop else ""


def _enter(state: State, instrument: Instrument, phase: int, planned_at: int = 0) -> int:
    """Change the phase and publish that; return the previous one."""
    previous = instrument.phase
    instrument.phase = phase
    instrument.interrupted_until = 0
    instrument.indicated = (None, None)
    instrument.reopening_centre = 0
    instrument.extensions = 0
    day_opening.note_phase(state, phase)
    if phase == terms.AUCTION:
        state.changed_auctions[instrument.symbol] = instrument
    if planned_at:
        state.emit(PHASE_CHANGED, instrument.symbol, phase, previous, planned_at)
    else:
        state.emit(PHASE_CHANGED, instrument.symbol, phase, previous)
    return previous
