"""Drives the core with Structs: commands in and events out, converted from and to the core's own plain forms."""

from typing import Any

import msgspec

from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import AnyEvent
from matching.core.engine import Engine

_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


def command_tuple(command: AnyCommand) -> tuple[Any, ...]:
    """Return the command as the journal hands it to the core: a tuple, with everything nested in it a list."""
    found: tuple[Any, ...] = _decode(_encode(command))
    return found


def apply(engine: Engine, at: int, command: AnyCommand) -> list[AnyEvent]:
    """Apply a command and return its events as Structs; a tuple that does not fit its Struct is an error."""
    return [read_event(event) for event in engine.apply(at, command_tuple(command))]


def read_event(event: tuple[Any, ...]) -> AnyEvent:
    """Return an event of the core as its Struct."""
    found: AnyEvent = msgspec.convert(event, AnyEvent)
    return found
