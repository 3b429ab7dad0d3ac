"""Folds the frames of the event stream into the view of a gateway, and gives way to its sessions meanwhile."""

import asyncio
from collections.abc import Callable, Sequence

from api.edge.outcome import Outcome
from api.view.view import PART_EVENTS, View
from goldx.streams.entries import Position
from goldx.streams.frames import EventFrame


class Folding:
    """``take_waiting`` returns the callbacks that wait for a frame (see ``View.parts``)."""

    def __init__(
        self, view: View, take_waiting: Callable[[Position, int], Sequence[Callable[[Outcome], object]]]
    ) -> None:
        self._view = view
        self._take_waiting = take_waiting
        self._folded = 0
        """The events folded since sessions last had a turn."""

    async def fold(self, frame: EventFrame) -> None:
        """Fold a frame, and give way after every PART_EVENTS events or so. Raises Gap."""
        parts = self._view.parts(frame, self._take_waiting)
        try:
            for folded in parts:
                self._folded += folded
                if self._folded >= PART_EVENTS:
                    self._folded = 0
                    await asyncio.sleep(0)
        finally:
            # The rest of a frame is folded even if the gateway stops meanwhile: a half folded view is of no use.
            for _ in parts:
                pass
