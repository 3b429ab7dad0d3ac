"""Drives the core with Structs: commands in and events out, converted from and to the core's own plain forms.

A broken core may loop for ever. So every command that a test applies has a limit of processor time; a test that reaches
the limit fails.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from goldx.protocol.commands import AnyCommand
from goldx.protocol.deal_commands import DealCommand
from goldx.protocol.details import ABOUT_FIELDS, read_detail, write_detail
from goldx.protocol.events import AnyEvent, CommandRejected
from goldx.protocol.quote_commands import LimitCommand
from goldx.protocol.rfq_commands import RfqCommand
from goldx.protocol.wire import CODECS
from matching.core.engine import Engine
from matching.core.state import Events

LONGEST_COMMAND_S: Final = 3.0
"""Processor time after which a command counts as endless: about a hundred times that of the longest command."""

_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


def command_tuple(command: AnyCommand) -> tuple[Any, ...]:
    """Return the command as the journal hands it to the core: a tuple, with everything nested in it a list."""
    found: tuple[Any, ...] = _decode(_encode(command))
    return found


@contextmanager
def must_end(seconds: float = LONGEST_COMMAND_S) -> Iterator[None]:
    """Raise AssertionError in the block when it has used this processor time. Only in the main thread."""
    signal.signal(signal.SIGVTALRM, _give_up)
    outer, _ = signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, outer)


def _give_up(_signal: int, _frame: object) -> None:
    raise AssertionError("the core does not finish a command")


def apply_plain(engine: Engine, at: int, command: tuple[Any, ...]) -> Events:
    """Apply a command in its plain form and return its events in theirs. Raises AssertionError if it does not end."""
    with must_end():
        return engine.apply(at, command)


def apply(engine: Engine, at: int, command: AnyCommand) -> list[AnyEvent]:
    """Apply a command and return its events as Structs; a tuple that does not fit its Struct is an error.

    So is a refusal whose detail does not name a field, where gateways read the field from it.
    """
    found = [read_event(event) for event in apply_plain(engine, at, command_tuple(command))]
    if isinstance(command, DealCommand | RfqCommand | LimitCommand):
        for event in found:
            if isinstance(event, CommandRejected) and event.method == command.method:
                check_detail(event)
    return found


def check_detail(event: CommandRejected) -> None:
    """Check that a detail is absent, for people alone by its reason, or names a field that the protocol has."""
    if event.detail is not None and event.reason in ABOUT_FIELDS:
        detail = read_detail(event.reason, event.detail)
        assert detail is not None, event
        assert detail.field in CODECS, event
        assert write_detail(*detail) == event.detail


def read_event(event: tuple[Any, ...]) -> AnyEvent:
    """Return an event of the core as its Struct."""
    found: AnyEvent = msgspec.convert(event, AnyEvent)
    return found
