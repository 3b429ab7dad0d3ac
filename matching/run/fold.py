"""State = fold of the journal: the core, and how far into the journal it has got.

Each program that needs the state of a shard (the leading engine, recovery, verification) applies journal entries to a
``Fold``, one by one in their order, and receives the frame of events that follows from each.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, get_args

import msgspec
import structlog
from msgspec.structs import astuple

from goldx.protocol.commands import COMMANDS, AnyCommand
from goldx.protocol.tags import tag_of
from goldx.streams.chains import CommandChains, EventBody, encode_outcomes, event_body
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.frames import CommandFrame, decode_commands, encode
from matching.core.engine import Engine

log = structlog.get_logger()

_decode_tuple = msgspec.msgpack.Decoder(tuple[Any, ...]).decode

_TAGS = {command: (tag_of(command),) for command in COMMANDS}


def _has_records(kind: Any) -> bool:
    """Return whether a type is a record, or is made of some."""
    return (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) or any(map(_has_records, get_args(kind)))


_NESTED = {kind for kind in COMMANDS if any(_has_records(field.type) for field in msgspec.structs.fields(kind))}
"""The commands that have records within the record."""

COMMANDS_PER_BATCH: Final = 32
"""Commands that are applied before their events are encoded: few enough that these are still in the processor's cache,
many enough that encoding them together is quicker."""


class CoreFailed(RuntimeError):
    """The core raised on a command. Its state can no longer be trusted; the message names the command's place."""


class EntryEvents(NamedTuple):
    """The events that follow from one journal entry."""

    position: Position
    first: int
    """The sequence of the first event."""
    last: int
    """The sequence of the last event, which is the id of the entry in the event stream."""
    body: EventBody
    """The part of the event frame that follows from the journal alone: without the leader's epoch and the chain's hash.
    Empty if it is not wanted (``Fold.published``)."""


def read_frame(data: bytes) -> CommandFrame | None:
    """Decode a journal entry; return None for bytes that are not a command frame.

    Decoding it as the commands' types brings each command to its full length, whichever version of the program wrote
    it.
    """
    try:
        return decode_commands(data)
    except msgspec.MsgspecError:
        return None


def command_tuple(command: AnyCommand) -> tuple[Any, ...]:
    """Return a command in the plain form of the core: what MessagePack decodes to without the type."""
    kind = type(command)
    if kind in _NESTED:
        return _decode_tuple(encode(command))
    return _TAGS[kind] + astuple(command)


class Fold:
    """The core after every journal entry up to and including ``position``, which is the ``entries``-th.

    ``total`` counts the commands since the journal's beginning, ``commands`` those that this object has applied.
    """

    def __init__(
        self,
        engine: Engine,
        position: Position = BEGINNING,
        entries: int = 0,
        total: int = 0,
        chains: CommandChains | None = None,
    ) -> None:
        self.engine = engine
        self.position = position
        self.entries = entries
        self.chains = chains or CommandChains()
        self.chain_error: str | None = None
        """The description of the newest frame that did not follow those of the same writer."""
        self.chain_breaks = 0
        """The number of such frames that this object has met."""
        self.published = 0
        """The events before this sequence are known to be published; the bodies of their frames are not made again."""
        self.total = total
        self.commands = 0

    def apply(self, position: Position, data: bytes) -> EntryEvents | None:
        """Apply the next journal entry; return the events that follow from it, or None if there are none.

        An entry that is not a command frame is passed over with a logged error, by every reader alike: it is the same
        at every replay, and one broken writer must not end the market. A frame that does not follow its writer's frames
        is applied with a logged error, because stopping would not bring back what the journal has lost. Raises
        CoreFailed.
        """
        frame = read_frame(data)
        if frame is None:
            log.error("a journal entry is not a command frame and is passed over", position=str(position))
        elif error := self.chains.check(data, frame):
            self.chain_error = error
            self.chain_breaks += 1
            log.error("a frame is out of its writer's chain", position=str(position), reason=error)
        commands = () if frame is None else frame.commands
        engine, before = self.engine, self.engine.sequence
        # For a frame that begins among the published events, only its end shows whether its events are wanted.
        size = COMMANDS_PER_BATCH if before >= self.published else max(1, len(commands))
        encoded: list[bytes] = []
        for start in range(0, len(commands), size):
            outcomes = self._apply_batch(position, commands, start, start + size)
            if engine.sequence >= self.published:
                encoded.append(encode_outcomes(outcomes))
        self.position = position
        self.entries += 1
        self.commands += len(commands)
        self.total += len(commands)
        if engine.sequence == before:
            return None
        body = event_body(position, len(commands), encoded) if encoded else b""
        return EntryEvents(position, before + 1, engine.sequence, body)

    def _apply_batch(
        self, position: Position, commands: Sequence[AnyCommand], start: int, end: int
    ) -> list[list[tuple[Any, ...]]]:
        outcomes: list[list[tuple[Any, ...]]] = []
        try:
            self.engine.apply_all(position.ms, map(command_tuple, commands[start:end]), outcomes)
        except Exception as error:
            # The outcomes that are there belong to the commands that went well.
            number = start + len(outcomes)
            raise CoreFailed(
                f"the core failed on command {number + 1} ({commands[number].method}) of journal entry {position}: "
                f"{error!r}"
            ) from error
        return outcomes
