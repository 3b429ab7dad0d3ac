"""The display of the demonstration: the whole screen of a terminal, or lines where the output is none."""

import sys
import time
from typing import Final, Protocol, TextIO

from goldx.demo.state import DisplayState
from goldx.demo.terminal import TerminalDisplay

FIGURES_SECONDS: Final = 2.0
"""How often a plain display prints the figures of the trading."""


class Display(Protocol):
    """Draws the state of the demonstration, within ``with``."""

    def __enter__(self) -> "Display": ...

    def __exit__(self, *error: object) -> None: ...

    def refresh(self) -> None: ...


class PlainDisplay:
    """Lines, for a file or a pipe: each step once, and the figures every two seconds while trading."""

    def __init__(self, state: DisplayState, out: TextIO) -> None:
        self._state = state
        self._out = out
        self._printed = (-1, "")
        self._results_printed = 0
        self._next_figures = 0.0

    def __enter__(self) -> "PlainDisplay":
        return self

    def __exit__(self, *error: object) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Print what has changed since the last call."""
        state = self._state
        for number in range(self._results_printed, state.step):
            if result := state.results.get(number):
                self._print(f"      {result}")
        self._results_printed = max(self._results_printed, state.step)
        if (state.step, state.note) != self._printed:
            self._printed = (state.step, state.note)
            count = len(state.steps)
            self._print(f"[{min(state.step + 1, count)}/{count}] {state.current} {state.note}".rstrip())
        state.sample()
        if state.trading_since is not None and time.monotonic() >= self._next_figures:
            self._next_figures = time.monotonic() + FIGURES_SECONDS
            requests, trades = state.rates()
            self._print(
                f"      {state.trades:,} trades ({trades:,.0f}/s), {requests:,.0f} requests/s, {state.latency()}"
            )

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)


def open_display(state: DisplayState, *, to_stderr: bool) -> Display:
    """Return the display for where the output goes; ``to_stderr`` leaves standard output to a program that reads it."""
    if to_stderr:
        return PlainDisplay(state, sys.stderr)
    return TerminalDisplay(state) if sys.stdout.isatty() else PlainDisplay(state, sys.stdout)
