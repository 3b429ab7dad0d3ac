"""What came of one command."""

from typing import TypeAlias

from goldx.protocol.events import AnyEvent

Outcome: TypeAlias = tuple[AnyEvent, ...]
"""The events of one command, in their order."""
