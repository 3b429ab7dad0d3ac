"""The events of timetables. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import Event


class TimetableHeld(Event, tag=25, frozen=True):
    """The timetable of an instrument is held from now on, or is no longer."""

    event: ClassVar[str] = "timetable.held"
    symbol: str
    held: bool


class TimetableDelayed(Event, tag=26, frozen=True):
    """The steps of an instrument that are planned from ``first_at`` to ``last_at`` are due ``delay_ms`` later."""

    event: ClassVar[str] = "timetable.delayed"
    symbol: str
    first_at: int
    last_at: int
    delay_ms: int


TimetableEvent: TypeAlias = TimetableHeld | TimetableDelayed
