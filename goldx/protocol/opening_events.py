"""The event that says whether a trading day may open."""

from typing import ClassVar

from goldx.protocol.bases import Event


class DayOpeningDecided(Event, tag=64, frozen=True):
    """Whether the present trading day may open now: ``obstacle`` is what stands in the way, None if nothing does.

    ``trading_day`` is empty before the first one.
    """

    event: ClassVar[str] = "day.opening_decided"
    trading_day: str
    obstacle: str | None
    by: str
