"""The two results of a command: its events, or a refusal."""

from typing import Any, TypeAlias

from goldx.protocol.events import AnyEvent

Outcome: TypeAlias = tuple[AnyEvent, ...]
"""The events of one command, in their order."""


class Refusal(Exception):
    """Raised when a well-formed request is refused.

    ``reason`` is one of ``goldx.protocol.reasons``. ``data`` is sent beside it, for programs.
    """

    def __init__(self, reason: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.reason = reason
        self.data = data
