"""The timer of a session that cancels its orders unless the session starts it anew (``session.cancel_after``).

One timer serves a session, however often it is started: a start moves the time at which it runs out, and the call that
the event loop has been asked for looks at that time when it comes.

It never runs out early. The time is measured when the request is handled, by the clock itself, because the time of an
event loop stands still while the loop is held. And a request that the gateway has received, or that waits in the socket
while the loop is held, is handled before the timer runs out.
"""

from collections.abc import Callable
from typing import Any, Final

CANCEL_AFTER: Final = "session.cancel_after"
"""The method that starts the timer and stops it, and the notification that it has run out."""
LAST_LOOK_SECONDS: Final = 0.002
"""The pause between the end of the time and the last look for a request: the loop reads its sockets meanwhile."""


def _nothing() -> None:
    """Do nothing: a session without a log-on has no orders."""


class CancelTimer:
    """A timer that is off. ``clock`` gives seconds, ``call_later`` calls a function after some seconds.

    ``is_renewed`` says whether a request that starts it was received and is not handled yet. ``expired`` is called
    once, when it has run out; it then counts as running until ``stop`` is called, so that who ends the session
    meanwhile cancels its orders.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Any],
        is_renewed: Callable[[], bool],
    ) -> None:
        self.ms = 0
        """The time that it was started with; 0 while it is off."""
        self.due_at: int | None = None
        """When it runs out, in ms since the epoch."""
        self.expired: Callable[[], None] = _nothing
        self._clock = clock
        self._call_later = call_later
        self._is_renewed = is_renewed
        self._due = 0.0
        """When it runs out, by the clock."""
        self._handle: Any = None
        """The call that the loop was asked for."""
        self._asked_for = 0.0
        """The time, by the clock, of that call."""

    def start(self, ms: int, now_ms: int) -> None:
        """Let it run out ``ms`` from now, which is ``now_ms`` since the epoch, and not at the time set before."""
        self.ms = ms
        self.due_at = now_ms + ms
        self._due = self._clock() + ms / 1_000
        if self._handle is not None and self._asked_for <= self._due:
            return  # that call will see that the time has moved
        self.halt()
        self._ask(ms / 1_000, self._look)

    def stop(self) -> None:
        """Switch it off."""
        self.ms, self.due_at = 0, None
        self.halt()

    def halt(self) -> None:
        """Let it not run out, and keep what it was set to: the session has ended."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ask(self, seconds: float, call: Callable[[], None]) -> None:
        self._asked_for = self._clock() + seconds
        self._handle = self._call_later(seconds, call)

    def _look(self) -> None:
        """Wait on if the time has moved, or is not over by the clock."""
        self._handle = None
        left = self._due - self._clock()
        if left > 0:
            self._ask(max(left, 0.001), self._look)
        else:
            self._ask(LAST_LOOK_SECONDS, self._last_look)

    def _last_look(self) -> None:
        self._handle = None
        if self._due > self._clock():
            self._look()
        elif self._is_renewed():
            self._ask(LAST_LOOK_SECONDS, self._last_look)
        else:
            self.expired()
