"""The end of a command: what follows from it, once its own business is done."""

from __future__ import annotations

from matching.core import auction, stops
from matching.core.state import Events, State


def complete(state: State) -> Events:
    """Run triggered stops, publish indicative prices and holdings, and return the events of the command."""
    if state.triggered:
        stops.run_triggered(state)
    if state.changed_auctions:
        auction.indicate(state)
    if state.touched:
        state.publish_holdings()
    events = state.events
    state.events = []
    return events
