"""The opening of a trading day: once settlement has demanded it, no day opens without its permission.

The demand begins with the first ``market.permit_opening``. From then on a trading day that ends is followed by one that
waits: nothing enters a phase of trading, and no deal and no request for quotes is made or accepted. The first trading
day of an exchange waits for nothing, and a day in which a phase of trading has begun, or a trade was made, stays open
(domain sheet 8.4). Orders, holdings, and the close of what is open are not concerned.
"""

from __future__ import annotations

from typing import Any, Final

from goldx.protocol.details import write_detail
from goldx.protocol.terms import CLOSED, HALTED
from matching.core import methods
from matching.core.state import State
from matching.core.tags import DAY_OPENING_DECIDED

NOT_DEMANDED: Final = 0
WAITS: Final = 1
PERMITTED: Final = 2
OPENED: Final = 3
REASON: Final = "DAY_WAITS"


def permit(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``market.permit_opening``: permit the present trading day, or name what stands in its way.

    A day that has opened stays open. What is in force already is not published again.
    """
    _, trading_day, obstacle, by = command
    if trading_day != state.trading_day:
        present = f"the present one, {state.trading_day}" if state.trading_day else "none has begun"
        detail = write_detail("trading_day", present)
        return state.refuse(methods.MARKET_PERMIT_OPENING, "BAD_VALUE", None, trading_day, detail)
    if state.opening == OPENED:
        return None
    opening = WAITS if obstacle else PERMITTED
    if state.opening == NOT_DEMANDED and any(_trades(each.phase) for each in state.instruments.values()):
        opening, obstacle = OPENED, None
    if (opening, obstacle or "") != (state.opening, state.obstacle):
        state.opening, state.obstacle = opening, obstacle or ""
        state.emit(DAY_OPENING_DECIDED, trading_day, obstacle or None, by)
    return None


def begin_day(state: State) -> None:
    """Let the trading day that follows the present one wait where settlement demands it; the first one does not."""
    if state.opening != NOT_DEMANDED:
        state.opening = WAITS if state.trading_day else PERMITTED
        state.obstacle = ""


def refuses_phase(state: State, phase: int) -> str:
    """Return why an instrument may not enter a phase now, or an empty text."""
    if state.opening != WAITS or not _trades(phase):
        return ""
    obstacle = state.obstacle or f"settlement has not permitted {state.trading_day} yet"
    return f"{obstacle}; `goldx day why` shows who can clear it"


def note(state: State) -> None:
    """Note that a phase of trading begins, or that a trade is made: the trading day has opened."""
    if state.opening == PERMITTED:
        state.opening = OPENED


def note_phase(state: State, phase: int) -> None:
    """Note the phase that an instrument enters."""
    if _trades(phase):
        note(state)


def _trades(phase: int) -> bool:
    """Return whether a phase is one of trading: every one but CLOSED and HALTED."""
    return phase not in (CLOSED, HALTED)
