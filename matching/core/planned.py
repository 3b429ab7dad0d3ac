"""Phases by the timetable: each planned step is taken once, not before its time, and never when it is stale.

A step is identified by its instrument and the time it was planned for. The core remembers the newest one that it took,
so a step that comes again, from a second service or after an append of unknown outcome, is refused, and so is every one
that was planned before. An operator may hold an instrument's timetable or delay a part of it: the core then refuses
steps until they are due, even from a service that does not know of it.
"""

from __future__ import annotations

from typing import Any, Final

from goldx.protocol import terms
from goldx.protocol.details import write_detail
from matching.core import day_opening, methods, phases, regime
from matching.core.instrument import Instrument
from matching.core.state import State
from matching.core.tags import TIMETABLE_DELAYED, TIMETABLE_HELD

LONGEST_DELAY_MS: Final = 86_400_000


def take_step(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``timetable.step``.

    A halted instrument stays halted. Only the step that closes it is taken: without an uncross, and it is held then, so
    that it does not open again before an operator releases it.
    """
    _, symbol, phase, planned_at, latest_at, _ = command
    method = methods.TIMETABLE_STEP
    instrument = _find(state, method, symbol)
    if instrument is None:
        return
    halted = instrument.phase == terms.HALTED
    if not 0 <= phase < len(terms.PHASES) or phase == terms.HALTED:
        state.refuse(method, "BAD_VALUE", None, symbol, write_detail("phase", "no such phase of a timetable"))
    elif planned_at <= instrument.planned_at:
        state.refuse(method, "STEP_TAKEN", None, symbol, f"the step of {instrument.planned_at} was taken")
    elif state.now > latest_at:
        state.refuse(method, "TOO_LATE", None, symbol, f"it was to be taken until {latest_at}")
    elif state.now < (due := planned_at + delay_of(instrument, planned_at)):
        state.refuse(method, "TOO_EARLY", None, symbol, f"it is due at {due}")
    elif instrument.held:
        state.refuse(method, "HELD", None, symbol)
    elif halted and phase != terms.CLOSED:
        state.refuse(method, "HALTED", None, symbol)
    elif detail := regime.refuses_phase(state, phase):
        state.refuse(method, "REGIME", None, symbol, detail)
    elif detail := day_opening.refuses_phase(state, phase):
        state.refuse(method, day_opening.REASON, None, symbol, detail)
    else:
        instrument.planned_at = planned_at
        phases.change(state, instrument, phase, planned_at)
        if halted:
            instrument.held = True
            state.emit(TIMETABLE_HELD, symbol, True)


def hold(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``timetable.hold``: hold an instrument's timetable, or release it."""
    _, symbol, held, _ = command
    instrument = _find(state, methods.TIMETABLE_HOLD, symbol)
    if instrument is None:
        return
    if instrument.held == held:
        words = "it is held already" if held else "it is not held"
        state.refuse(methods.TIMETABLE_HOLD, "BAD_VALUE", None, symbol, words)
    else:
        instrument.held = held
        state.emit(TIMETABLE_HELD, symbol, held)


def delay(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``timetable.delay``: the steps planned from ``first_at`` to ``last_at`` are due ``delay_ms`` later.

    It takes the place of an earlier delay of the instrument; 0 ms takes that back. The day's end forgets it.
    """
    _, symbol, first_at, last_at, delay_ms, _ = command
    method = methods.TIMETABLE_DELAY
    instrument = _find(state, method, symbol)
    if instrument is None:
        return
    if first_at > last_at or not 0 <= delay_ms <= LONGEST_DELAY_MS:
        text = f"first_at not after last_at, and delay_ms from 0 to {LONGEST_DELAY_MS}"
        state.refuse(method, "BAD_VALUE", None, symbol, text)
    elif first_at <= instrument.planned_at:
        state.refuse(method, "STEP_TAKEN", None, symbol, f"the step of {instrument.planned_at} was taken")
    else:
        instrument.delay = (first_at, last_at, delay_ms) if delay_ms else (0, 0, 0)
        state.emit(TIMETABLE_DELAYED, symbol, first_at, last_at, delay_ms)


def delay_of(instrument: Instrument, planned_at: int) -> int:
    """Return the delay of an instrument's step in ms."""
    first_at, last_at, delay_ms = instrument.delay
    return delay_ms if first_at <= planned_at <= last_at else 0


def _find(state: State, method: str, symbol: str) -> Instrument | None:
    """Return an instrument that is in use, or refuse the command and return None."""
    instrument = state.instruments.get(symbol)
    if instrument is None:
        state.refuse(method, "UNKNOWN_SYMBOL", None, symbol)
    elif instrument.retired:
        state.refuse(method, "RETIRED", None, symbol, "instrument.define brings it back")
        return None
    return instrument
