"""Heartbeats to a client: a notification whenever nothing else was sent for a time that the client has chosen.

A member sees by it that the connection and the gateway live, and by its sequence whether the feed does.
"""

from collections.abc import Callable
from typing import Any, Final

from api.edge.rpc import encode

HEARTBEAT: Final = "session.heartbeat"
"""The method that asks for the notifications, and the notification."""
MOST_SECONDS: Final = 60


class ClientHeartbeat:
    """The heartbeats of one connection, which are off at first.

    ``send`` sends a message, ``sent_at`` returns the time of the newest write to the client, and ``content`` what a
    heartbeat says. ``clock`` gives seconds, ``call_later`` calls a function after some seconds.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        sent_at: Callable[[], float],
        content: Callable[[], dict[str, Any]],
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        self.seconds = 0
        """The time without a message after which one is sent; 0: none is."""
        self._send = send
        self._sent_at = sent_at
        self._content = content
        self._clock = clock
        self._call_later = call_later
        self._handle: Any = None

    def set(self, seconds: int) -> None:
        """Send one whenever nothing was sent for ``seconds``, or with 0 none any more."""
        self.halt()
        self.seconds = seconds
        if seconds:
            self._ask(seconds)

    def halt(self) -> None:
        """Send none any more: the session has ended."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ask(self, seconds: float) -> None:
        self._handle = self._call_later(seconds, self._look)

    def _look(self) -> None:
        left = self._sent_at() + self.seconds - self._clock()
        if left > 0:
            self._ask(max(left, 0.001))
            return
        self._ask(self.seconds)
        self._send(encode({"jsonrpc": "2.0", "method": HEARTBEAT, "params": self._content()}))
