"""The bases of all commands and events (``goldx.protocol.commands``, ``goldx.protocol.events``)."""

from typing import ClassVar

import msgspec


class Command(msgspec.Struct, array_like=True, tag_field="$kind", gc=False, frozen=True):
    """Base of all commands. ``method`` is the protocol's name of the command; its tag comes first in the array."""

    method: ClassVar[str]


class MemberCommand(Command, frozen=True):
    """Base of the commands that members send."""


class VenueCommand(Command, frozen=True):
    """Base of the commands that the venue and its own services send."""


class OperatorCommand(VenueCommand, frozen=True):
    """Base of the commands that an operator's key may send. Metal and money move through settlement alone."""


class Event(msgspec.Struct, array_like=True, tag_field="$kind", gc=False, frozen=True):
    """Base of all events; ``event`` is the protocol's name."""

    event: ClassVar[str]
    sequence: int
    at: int
