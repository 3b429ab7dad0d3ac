"""The core driven with Structs: a command in, events out, in the plain forms that the core itself takes and gives."""

from typing import Any

import msgspec

from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import AnyEvent
from matching.core.engine import Engine

_encode = msgspec.msgpack.Encoder().encode
_plain: Any = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


def plain(command: AnyCommand) -> tuple[Any, ...]:
    """The command as the journal hands it to the core: a tuple, with everything nested in it a list."""
    found: tuple[Any, ...] = _plain(_encode(command))
    return found


def apply(engine: Engine, at: int, command: AnyCommand) -> list[AnyEvent]:
    """The events of one command, as Structs; a tuple that does not fit its Struct is an error."""
    return [read_event(event) for event in engine.apply(at, plain(command))]


def read_event(event: tuple[Any, ...]) -> AnyEvent:
    found: AnyEvent = msgspec.convert(event, AnyEvent)
    return found
