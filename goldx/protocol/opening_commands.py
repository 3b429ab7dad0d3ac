"""The command by which settlement lets a trading day open."""

from typing import ClassVar

from goldx.protocol.bases import VenueCommand


class MarketPermitOpening(VenueCommand, tag=63, frozen=True):
    """Says whether the present trading day may open: ``obstacle`` is what stands in the way, None if nothing does.

    From the first such command on, every trading day after the present one opens only when it is permitted, and a
    permission may be taken back until the day has opened. Journals without it are those of an exchange whose days open
    by phases alone.
    """

    method: ClassVar[str] = "market.permit_opening"
    trading_day: str
    obstacle: str | None = None
    by: str = ""
