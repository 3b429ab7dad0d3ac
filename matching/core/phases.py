"""Phases of an instrument, and the two ways in which they change: by command, and by a volatility interruption.

==============  =====================  ============  ==================================================
phase           new limit orders       they trade    on entering it
==============  =====================  ============  ==================================================
closed          refused MARKET_CLOSED  no            an auction uncrosses
pre_open        rest                   no
auction         rest                   no            the indicative price is published
continuous      yes                    yes           what crosses uncrosses, then stops are looked at
halted          refused HALTED         no
==============  =====================  ============  ==================================================

Cancelling is possible in every phase. Orders that trade at once or never (market, IOC, FOK) and stops need continuous.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from matching.core import auction, stops
from matching.core.instrument import Instrument
from matching.core.state import NEVER, State


def set_phase(state: State, command: tuple[Any, ...]) -> None:
    """market.set_phase"""
    _, symbol, phase, _ = command
    instrument = state.instruments.get(symbol)
    if instrument is None:
        state.refuse("market.set_phase", "UNKNOWN_SYMBOL", None, symbol)
    elif not 0 <= phase < len(terms.PHASES):
        state.refuse("market.set_phase", "BAD_VALUE", None, symbol, "phase: no such phase")
    elif phase == instrument.phase:
        state.refuse("market.set_phase", "PHASE", None, symbol, "it is in that phase already")
    else:
        change(state, instrument, phase)


def change(state: State, instrument: Instrument, phase: int) -> None:
    """Moves an instrument into another phase, with what follows from that."""
    previous = _enter(state, instrument, phase)
    if phase == terms.CONTINUOUS or (phase == terms.CLOSED and previous == terms.AUCTION):
        auction.uncross(state, instrument)
    if phase == terms.CONTINUOUS and instrument.last:
        stops.reach(state, instrument, instrument.last, instrument.last)


def interrupt(state: State, instrument: Instrument) -> None:
    """Volatility interruption: instead of a trade outside the dynamic band there is a short auction."""
    _enter(state, instrument, terms.AUCTION)
    instrument.interrupted_until = state.now + instrument.interruption_ms
    state.schedule(instrument.interrupted_until, NEVER, instrument.symbol)


def refusal(instrument: Instrument, kind: int, time_in_force: int, is_stop: bool) -> str:
    """Why the phase does not allow a new order, or nothing."""
    phase = instrument.phase
    if phase == terms.CONTINUOUS:
        return ""
    if phase == terms.CLOSED:
        return "MARKET_CLOSED"
    if phase == terms.HALTED:
        return "HALTED"
    immediate = kind == terms.MARKET or time_in_force in (terms.IOC, terms.FOK)
    return "PHASE" if immediate or is_stop else ""


def _enter(state: State, instrument: Instrument, phase: int) -> int:
    previous = instrument.phase
    instrument.phase = phase
    instrument.interrupted_until = 0
    instrument.indicated = (None, None)
    if phase == terms.AUCTION:
        state.auctioning[instrument.symbol] = instrument
    state.emit(7, instrument.symbol, phase, previous)
    return previous
