"""State = fold of the journal: the core, and how far into the journal it has got.

Whoever needs the state of a shard (the leading engine, recovery, verification) feeds journal entries to a Fold, one by
one and in their order, and takes the frame of events that each of them makes.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from msgspec.structs import astuple

from goldx.protocol.commands import BY_METHOD, AnyCommand, HoldingSettle
from goldx.streams.chains import CommandChains, EventBody, encode_outcomes, event_body
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.frames import CommandFrame, decode_commands, encode
from matching.core.engine import Engine

log = structlog.get_logger()

_decode_plain = msgspec.msgpack.Decoder(tuple[Any, ...]).decode

_TAGS = {command: (command.__struct_config__.tag,) for command in BY_METHOD.values()}

AT_ONCE: Final = 32
"""Commands that are applied before their events are encoded: few enough that these are still in the processor's cache,
many enough that encoding them together pays."""


class CoreFailed(RuntimeError):
    """The core raised on a command. Its state can no longer be trusted; the message names the command's place."""


class Produced(NamedTuple):
    """The events of one journal entry."""

    position: Position
    first: int
    """Sequence of its first event."""
    last: int
    """Sequence of its last event, which is the entry's id in the event stream."""
    body: EventBody
    """What is published, but for the leader's epoch and the chain's hash: it follows from the journal alone. Empty if
    not wanted (``Fold.published``)."""


def read_frame(data: bytes) -> CommandFrame | None:
    """A journal entry, or None for bytes that are not a command frame.

    Checked against the commands' types, which brings the commands to their full length, whatever version of the program
    wrote them.
    """
    try:
        return decode_commands(data)
    except msgspec.MsgspecError:
        return None


def plain(command: AnyCommand) -> tuple[Any, ...]:
    """A command as the core takes it: as MessagePack would give it back without its type."""
    if type(command) is HoldingSettle:
        return _decode_plain(encode(command))
    return _TAGS[type(command)] + astuple(command)


class Fold:
    """``engine`` after every entry up to and including ``position``, the ``entries``-th of the journal.

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
        self.broken: str | None = None
        """What was wrong with the place of the newest such frame that did not fit behind those of the same writer."""
        self.breaks = 0
        """How many such frames this object has met."""
        self.published = 0
        """Events before this one are known to be published: what they would be published as is not made again."""
        self.total = total
        self.commands = 0

    def apply(self, position: Position, data: bytes) -> Produced | None:
        """Applies the next journal entry; returns what it made, None when nothing happened.

        An entry that is not a command frame is passed over with a logged error, by every reader alike, because it says
        the same at every replay and one broken writer must not end the market. So it is with a frame that its writer's
        frames do not lead up to: what the journal has lost, stopping would not bring back. Raises CoreFailed.
        """
        frame = read_frame(data)
        if frame is None:
            log.error("a journal entry is not a command frame and is passed over", position=str(position))
        elif wrong := self.chains.check(data, frame):
            self.broken = wrong
            self.breaks += 1
            log.error("a frame is out of its writer's chain", position=str(position), reason=wrong)
        commands = () if frame is None else frame.commands
        engine, before = self.engine, self.engine.sequence
        # Whether the events of a frame that begins before what is published are wanted shows at its end.
        at_once = AT_ONCE if before >= self.published else max(1, len(commands))
        encoded: list[bytes] = []
        for start in range(0, len(commands), at_once):
            outcomes = self._apply_some(position, commands, start, start + at_once)
            if engine.sequence >= self.published:
                encoded.append(encode_outcomes(outcomes))
        self.position = position
        self.entries += 1
        self.commands += len(commands)
        self.total += len(commands)
        if engine.sequence == before:
            return None
        body = event_body(position, len(commands), encoded) if encoded else b""
        return Produced(position, before + 1, engine.sequence, body)

    def _apply_some(
        self, position: Position, commands: Sequence[AnyCommand], start: int, end: int
    ) -> list[list[tuple[Any, ...]]]:
        outcomes: list[list[tuple[Any, ...]]] = []
        try:
            # What came before a failure stays in the list and counts the commands that went well.
            self.engine.apply_all(position.ms, map(plain, commands[start:end]), outcomes)
        except Exception as error:
            number = start + len(outcomes)
            raise CoreFailed(
                f"the core failed on command {number + 1} ({commands[number].method}) of journal entry {position}: "
                f"{error!r}"
            ) from error
        return outcomes
