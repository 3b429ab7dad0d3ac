"""Progress reports of a service that takes long to start, for the process that waits for it."""

import time
from typing import Final

PREFIX: Final = "PROGRESS "
"""Begins a line on the standard output of a service that is not ready yet."""
EVERY_SECONDS: Final = 1.0


class Progress:
    """Prints the progress of a service at most every EVERY_SECONDS, and only if it has advanced.

    The process that started the service waits as long as such lines come (``goldx.hosting.service``).
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
