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


class LotsFound(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The finding of a gateway in the register about named lots, in a command that gives them to another account.

    ``lots`` are the numbers of their receipts, ``fine`` is their fine weight together in mg. ``reservation`` is the
    number under which settlement keeps them for this command, 0 where the command reserves none. The core takes the
    command until ``until`` (ms, by the journal's time) and not later: what it has not taken by then, settlement frees.
    """

    lots: tuple[int, ...]
    fine: int
    reservation: int
    until: int


class Event(msgspec.Struct, array_like=True, tag_field="$kind", gc=False, frozen=True):
    """Base of all events; ``event`` is the protocol's name."""

    event: ClassVar[str]
    sequence: int
    at: int
