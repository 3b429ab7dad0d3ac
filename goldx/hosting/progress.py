"""Progress of a service that takes long to be ready, for the process that waits for it."""

import time
from typing import Final

PREFIX: Final = "PROGRESS "
"""Begins a line on the standard output of a service that is not ready yet."""
EVERY_SECONDS: Final = 1.0


class Progress:
    """Prints how far a service has come, at most every EVERY_SECONDS, and only if it has come further.

    Whoever has started the service waits as long as there are such lines (``goldx.hosting.service``).
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._said: object = None
        self._next = time.monotonic() + EVERY_SECONDS

    def report(self, reached: object) -> None:
        """Print ``reached``, such as a sequence or a position."""
        now = time.monotonic()
        if now >= self._next and reached != self._said:
            self._next = now + EVERY_SECONDS
            self._said = reached
            print(f"{PREFIX}{self._service} {reached}", flush=True)
