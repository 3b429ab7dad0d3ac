"""How sessions share the event loop: in each turn of the loop their requests get one slice of time.

So no session waits longer than a slice for the requests of others, however large or many they are.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

SLICE_SECONDS: Final = 0.005

Step = Callable[[], bool]
"""Does a small piece of work, and returns whether there is more."""


class Turns:
    """The work of all sessions of a gateway.

    ``call_soon`` calls a function in the next turn of the loop, ``call_later`` after some seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        call_soon: Callable[[Callable[[], None]], Any],
        call_later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        self.after = call_later
        self._clock = clock
        self._call_soon = call_soon
        self._until: float | None = None
        """The end of this turn's slice; None while no work was done in it."""
        self._waiting: deque[Step] = deque()

    def start(self, step: Step) -> None:
        """Call ``step`` until it has no more work: now, while the slice lasts, and then in the next turns."""
        until = self._begin()
        if not self._waiting:
            clock = self._clock
            while clock() < until:
                if not step():
                    return
        self._waiting.append(step)

    def later(self, step: Step) -> None:
        """Call ``step`` until it has no more work, from the next turn on."""
        self._begin()
        self._waiting.append(step)

    def _begin(self) -> float:
        if self._until is None:
            self._until = self._clock() + SLICE_SECONDS
            self._call_soon(self._turn)
        return self._until

    def _turn(self) -> None:
        """Begin a turn: do a piece of work of each session in turn, while the slice lasts."""
        if not self._waiting:
            self._until = None
            return
        self._until = until = self._clock() + SLICE_SECONDS
        self._call_soon(self._turn)
        waiting = self._waiting
        while waiting and self._clock() < until:
            step = waiting.popleft()
            if step():
                waiting.append(step)
