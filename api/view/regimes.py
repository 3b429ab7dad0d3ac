"""The legal regimes of the venue, as the gateway's view keeps them."""

from collections.abc import Callable
from typing import Any

from goldx.protocol.regime_events import RegimeChanged, RegimeProposed


class Regimes:
    """The regimes, and the one that only one person has asked for on this trading day."""

    def __init__(self) -> None:
        self.history: list[RegimeChanged] = []
        """Oldest first; the last one is in force."""
        self.proposed: RegimeProposed | None = None

    def handlers(self) -> dict[type[Any], Callable[[Any], None]]:
        """Return the functions that fold the events of regimes, by type."""
        return {RegimeProposed: self.propose, RegimeChanged: self.change}

    def propose(self, event: RegimeProposed) -> None:
        """Keep a proposal until a regime is set or the trading day ends."""
        self.proposed = event

    def change(self, event: RegimeChanged) -> None:
        """Put a new regime in force."""
        self.history.append(event)
        self.proposed = None

    def begin_day(self) -> None:
        """Forget what was proposed."""
        self.proposed = None
