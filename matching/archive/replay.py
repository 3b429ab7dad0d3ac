"""``goldx replay``: commands in, events out, without a server.

An auditor replays a trading day with it, and the rules are tested with it. The input has one command a line,
``{"at": ms, "method": ..., "params": {...}}``; the output one event a line. The same input gives the same bytes. Lines
are streamed: a day of any length needs no more memory than its state.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from goldx.protocol import wire
from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import AnyEvent
from goldx.protocol.units import BadValue
from goldx.streams.frames import encode
from goldx.streams.segments import JOURNAL, read_chain
from matching.core.engine import Engine
from matching.run.fold import command_tuple, read_frame

log = structlog.get_logger()

_decode_json = msgspec.json.Decoder().decode
_decode_event = msgspec.msgpack.Decoder(AnyEvent).decode
_read_at = wire.CODECS["expire_at"].read


class BadLine(ValueError):
    """A line that is not a command; ``number`` counts lines from 1."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}")
        self.number = number


class TimedCommand(NamedTuple):
    """A command and its time, ms since the epoch."""

    at: int
    command: AnyCommand


def read_line(line: bytes, not_before: int) -> TimedCommand:
    """Read one line of a journal in its readable form. Raises BadValue, also if time runs backwards."""
    try:
        found = _decode_json(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadValue("line", line.decode(errors="replace").rstrip(), f"one JSON object ({error})") from None
    if not isinstance(found, dict):
        raise BadValue("line", found, "one JSON object")
    for name in found:
        if name not in ("at", "method", "params"):
            raise BadValue(name, found[name], "one of the members at, method, params")
    at = _read_at("at", found.get("at"))
    if at < not_before:
        raise BadValue("at", at, f"not before the line above it ({not_before})")
    return TimedCommand(at, wire.read_command(found.get("method"), found.get("params")))


def write_line(at: int, command: AnyCommand) -> bytes:
    """Return the readable form of a command, compact JSON and a newline, which ``read_line`` reads."""
    return msgspec.json.encode({"at": at, **wire.write_command(command)}) + b"\n"


def event_line(event: tuple[Any, ...]) -> bytes:
    """Return the line of output for an event of the core."""
    return wire.write_event_line(_decode_event(encode(event)))


class Replay:
    """A replay on a fresh core. ``engine`` has the state so far, ``lines`` is how many lines were read."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.lines = 0

    def run_archived(self, segments: Iterable[Path]) -> Iterator[bytes]:
        """Yield the events of each command of an archive, joined; a command counts as a line.

        ``segments`` must continue each other from the first on; those of the event stream are only checked. Raises
        BadArchive and OSError.
        """
        for header, _, entries in read_chain(segments):
            for position, data in entries if header.stream == JOURNAL else ():
                frame = read_frame(data)
                if frame is None:
                    log.error("a journal entry is not a command frame and is passed over", position=str(position))
                    continue
                for command in frame.commands:
                    self.lines += 1
                    yield b"".join(
                        [event_line(event) for event in self.engine.apply(position.ms, command_tuple(command))]
                    )

    def run(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the events of each line, joined. Raises BadLine, after the events of the lines before it."""
        at = 0
        for number, line in enumerate(lines, start=self.lines + 1):
            try:
                at, command = read_line(line, at)
            except BadValue as error:
                raise BadLine(number, str(error)) from None
            self.lines = number
            yield self._apply(at, command)

    def _apply(self, at: int, command: AnyCommand) -> bytes:
        return b"".join([event_line(event) for event in self.engine.apply(at, command_tuple(command))])

    def reread(self, path: Path | None) -> None:
        """Write the state to a file (None: a temporary one) and continue from what is read back."""
        with tempfile.TemporaryFile() if path is None else path.open("w+b") as file:
            file.write(self.engine.snapshot())
            file.seek(0)
            self.engine = Engine.restore(file.read())
