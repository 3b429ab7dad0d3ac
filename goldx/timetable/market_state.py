"""The state of the market as the timetable needs it: the trading day, and each instrument's phase.

``MarketState`` is a fold of the event stream, without a clock. It is small, so that it can be kept as a checkpoint from
which a service continues.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from goldx.protocol import events, terms, timetable_events
from goldx.protocol.events import AnyEvent
from goldx.protocol.regime_events import RegimeChanged
from goldx.streams.frames import EventFrame

NO_DELAY: Final = (0, 0, 0)


class InstrumentState(msgspec.Struct):
    """One instrument. Times in ms since the epoch.

    ``changed_at``: when it was defined, or a person changed its phase: a step that was due before has been overtaken.
    ``planned_at``: the planned time of the newest step that was taken. ``delay``: the
    first and last planned time of the steps that are delayed, and by how many ms.
    """

    phase: int = terms.CLOSED
    changed_at: int = 0
    planned_at: int = 0
    held: bool = False
    retired: bool = False
    interrupted: bool = False
    delay: tuple[int, int, int] = NO_DELAY

    def delay_of(self, planned_at: int) -> int:
        """Return the delay of a step in ms."""
        first_at, last_at, delay_ms = self.delay
        return delay_ms if first_at <= planned_at <= last_at else 0


class MarketState(msgspec.Struct):
    """The state after the event ``sequence``. ``trading_day`` is an ISO date, or empty before the first.

    ``begun`` is the sequence of the event that began the trading day, 0 for the first one, and ``opened`` says whether
    a phase of trading has begun in it. ``regime`` is the legal one in force, if any, and ``sandbox_ends`` the
    last trading day of a sandbox. ``position`` is that of the journal entry behind the last event frame.
    """

    sequence: int = 0
    position: tuple[int, int] = (0, 0)
    trading_day: str = ""
    instruments: dict[str, InstrumentState] = {}
    begun: int = 0
    opened: bool = False
    regime: int | None = None
    sandbox_ends: str = ""

    def may_open(self) -> bool:
        """Return whether the legal regime allows an order book on the present trading day."""
        if self.regime == terms.SANDBOX:
            return self.trading_day <= self.sandbox_ends
        return self.regime in (None, terms.APPROVED)

    def apply(self, frame: EventFrame) -> bool:
        """Fold the next event frame; return whether it changed anything but the place in the stream."""
        changed = False
        for outcome in frame.outcomes:
            for number, event in enumerate(outcome):
                if type(event) in _KNOWN:
                    self._apply(event, outcome, number)
                    changed = True
            if outcome:
                self.sequence = outcome[-1].sequence
        self.position = frame.position
        return changed

    def _apply(self, event: AnyEvent, outcome: Sequence[AnyEvent], number: int) -> None:
        if isinstance(event, events.DayEnded):
            self.begun = event.sequence if self.trading_day else 0
            self.opened = False
            self.trading_day = event.next_trading_day
            for instrument in self.instruments.values():
                instrument.delay = NO_DELAY
        elif isinstance(event, events.InstrumentDefined):
            known = self.instruments.get(event.symbol)
            if known is None or known.retired:
                self.instruments[event.symbol] = InstrumentState(changed_at=event.at)
                if known is not None:
                    self.instruments[event.symbol].planned_at = known.planned_at
        elif isinstance(event, RegimeChanged):
            self.regime, self.sandbox_ends = event.regime, event.last_trading_day or ""
        elif isinstance(event, events.PhaseChanged):
            self._change_phase(event, first=number == 0 or isinstance(outcome[number - 1], events.PhaseChanged))
        elif isinstance(event, events.InstrumentRetired):
            self.instruments[event.symbol].retired = True
        elif isinstance(event, timetable_events.TimetableHeld):
            self.instruments[event.symbol].held = event.held
        elif isinstance(event, timetable_events.TimetableDelayed):
            span = (event.first_at, event.last_at, event.delay_ms)
            self.instruments[event.symbol].delay = span if event.delay_ms else NO_DELAY

    def _change_phase(self, event: events.PhaseChanged, *, first: bool) -> None:
        """Take a phase over. An interruption, and its end, overtake no step of the timetable.

        It begins in the middle of an order's events, and ends in continuous trading.
        """
        instrument = self.instruments[event.symbol]
        instrument.phase = event.phase
        self.opened = self.opened or event.phase not in (terms.CLOSED, terms.HALTED)
        begins = event.planned_at is None and not first and event.previous == terms.CONTINUOUS
        begins = begins and event.phase == terms.AUCTION
        ends = instrument.interrupted and event.planned_at is None and event.phase == terms.CONTINUOUS
        instrument.interrupted = begins
        if event.planned_at is not None:
            instrument.planned_at = event.planned_at
        elif not begins and not ends:
            instrument.changed_at = event.at


_KNOWN: Final = frozenset(
    (
        events.DayEnded,
        events.InstrumentDefined,
        events.InstrumentRetired,
        events.PhaseChanged,
        RegimeChanged,
        timetable_events.TimetableDelayed,
        timetable_events.TimetableHeld,
    )
)
