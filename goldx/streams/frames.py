"""Frames: what one entry of the journal or of the event stream holds, and its encoding in MessagePack."""

from typing import Any

import msgspec

from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import AnyEvent


class CommandFrame(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The commands that one writer appends to the journal in one step.

    ``writer`` names a service instance and the number of its run (``gateway-1.17``); ``number`` counts the run's
    frames from 1; ``previous`` is the hash of the run's newest frame that the writer knew to be in the journal, empty
    if there was none (``goldx.streams.chains``).
    """

    writer: str
    number: int
    commands: tuple[AnyCommand, ...]
    previous: bytes = b""


class RawCommandFrame(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A command frame whose commands are decoded to plain tuples, as the matching core takes them."""

    writer: str
    number: int
    commands: tuple[tuple[Any, ...], ...]
    previous: bytes = b""


class EventFrame(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The events of one journal frame, whose entry id is ``position``: ``outcomes[i]`` belong to its i-th command.

    ``epoch`` is that of the leader that published it, ``previous`` the hash of the event frame before it.
    """

    position: tuple[int, int]
    outcomes: tuple[tuple[AnyEvent, ...], ...]
    epoch: int = 0
    previous: bytes = b""


encode = msgspec.msgpack.Encoder().encode
decode_commands = msgspec.msgpack.Decoder(CommandFrame).decode
decode_raw_commands = msgspec.msgpack.Decoder(RawCommandFrame).decode
decode_events = msgspec.msgpack.Decoder(EventFrame).decode
