"""Chains of frames: each frame carries the hash of the one before it, so a lost or altered frame is noticed.

**Command frames.** Every run of a writer (a gateway, settlement, the leader's clock) has a chain of its own: a frame
carries the hash of the newest frame of that run that its writer knew to be in the journal. No writer knows what the
others append meanwhile, so there is no chain across them. A frame that the server had acknowledged and then lost, as
after a failover to a copy that lagged, is noticed at the next frame of the same writer.

**Event frames** have one writer at a time, who reads the last one before writing: one chain through all epochs.

The hash is the beginning of SHA-256: it is computed in hardware nearly everywhere, and unlike a checksum it proves the
whole history to anybody who has kept the newest hash.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

from goldx.protocol.commands import AnyCommand
from goldx.streams.frames import CommandFrame, EventFrame, RawCommandFrame, encode

HASH_BYTES: Final = 16
NO_FRAME: Final = bytes(HASH_BYTES)
"""The previous hash of the very first event frame."""
REMEMBERED: Final = 8
"""How many newest frames of a run a new frame may refer to: as many as may be under way at once."""


def frame_hash(data: bytes) -> bytes:
    """Return the first 16 bytes of the SHA-256 of an encoded frame."""
    return sha256(data).digest()[:HASH_BYTES]


class FrameWriter:
    """Makes the frames of one run of a writer: numbered from 1, each with the hash of the one before it."""

    def __init__(self, writer: str) -> None:
        self.writer = writer
        self.number = 0
        self._made = b""
        self._known = b""

    def make(self, commands: tuple[AnyCommand, ...]) -> bytes:
        """Return the next frame, encoded."""
        self.number += 1
        self._made = encode(CommandFrame(self.writer, self.number, commands, self._known))
        return self._made

    def arrived(self) -> None:
        """Record that the frame made last is in the journal, so that the next one carries its hash.

        No frame carries the hash of one that never arrived.
        """
        self._known = frame_hash(self._made)


class Head(NamedTuple):
    """The state of the newest run of one service instance: its name, its last frame's number, its last hashes."""

    writer: str
    number: int
    hashes: tuple[bytes, ...]


class CommandChains:
    """Checks the command frames of a journal: ``check`` takes every frame, in the journal's order."""

    def __init__(self, heads: Iterable[Sequence[Any]] = ()) -> None:
        self._runs: dict[str, tuple[str, int, deque[bytes]]] = {}
        for writer, number, hashes in heads:
            self._runs[_instance(writer)] = (writer, number, deque(hashes, REMEMBERED))

    @property
    def heads(self) -> list[Head]:
        """The state of every run, from which another reader can go on."""
        return [Head(writer, number, tuple(hashes)) for writer, number, hashes in self._runs.values()]

    def check(self, data: bytes, frame: CommandFrame | RawCommandFrame) -> str | None:
        """Return why a frame does not follow the earlier ones of its run, or None if it does."""
        instance = _instance(frame.writer)
        run = self._runs.get(instance)
        if run is None or run[0] != frame.writer:
            # A run's first frame, or the first that this reader sees of it.
            self._runs[instance] = (frame.writer, frame.number, deque((frame_hash(data),), REMEMBERED))
            return None
        _, number, hashes = run
        wrong = None
        if frame.number <= number:
            wrong = f"frame {frame.number} of {frame.writer} comes after its frame {number}"
        elif frame.previous and frame.previous not in hashes:
            wrong = (
                f"frame {frame.number} of {frame.writer} names a frame with the hash {frame.previous.hex()}, which the "
                f"journal does not have before it: a frame of this writer is lost or altered, the last one is {number}"
            )
        hashes.append(frame_hash(data))
        self._runs[instance] = (frame.writer, frame.number, hashes)
        return wrong


def _instance(writer: str) -> str:
    """Return the instance of a writer: ``gateway-1`` for ``gateway-1.17``."""
    return writer.rpartition(".")[0] or writer


# An event frame ends with its epoch (unsigned 64 bits) and its predecessor's hash (16 bytes), in MessagePack of fixed
# length. The bytes before them follow from the journal alone.
_UINT64, _BIN16 = b"\xcf", b"\xc4\x10"
_TRAILER: Final = len(_UINT64) + 8 + len(_BIN16) + HASH_BYTES
_ARRAY_OF_FOUR: Final = b"\x94"
"""First byte of an event frame, which is an array of four elements."""

EventBody: TypeAlias = bytes
"""An encoded event frame without epoch and previous hash: the part that the journal determines."""


def event_body(position: tuple[int, int], count: int, outcomes: Iterable[bytes]) -> EventBody:
    """Return an event frame's body from the outcomes of ``count`` commands, in pieces made by ``encode_outcomes``."""
    return b"".join((_ARRAY_OF_FOUR, encode(position), _array_head(count), *outcomes))


def encode_outcomes(outcomes: Sequence[Sequence[Any]]) -> bytes:
    """Return the outcomes of some consecutive commands, encoded as a piece of an event frame."""
    return encode(outcomes)[len(_array_head(len(outcomes))) :]


def _array_head(count: int) -> bytes:
    """Return the bytes that MessagePack puts before the elements of an array."""
    if count < 1 << 4:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


def event_frame(body: EventBody, epoch: int, previous: bytes) -> bytes:
    """Return the frame as it is published; ``previous`` is the hash of the one before, NO_FRAME for the first."""
    return body + _UINT64 + epoch.to_bytes(8, "big") + _BIN16 + previous


def extract_body(frame: bytes) -> EventBody:
    """Return the body of a published frame."""
    return frame[:-_TRAILER]


class EventChain:
    """Checks published event frames in their order: from the hash ``previous`` on, or from the first frame given."""

    def __init__(self, previous: bytes | None = None) -> None:
        self.previous = previous
        self.epoch = 0

    def check(self, data: bytes, frame: EventFrame) -> str | None:
        """Return why a frame does not follow the one before it, or None if it does."""
        expected, newest = self.previous, self.epoch
        self.previous, self.epoch = frame_hash(data), max(newest, frame.epoch)
        if expected is not None and frame.previous != expected:
            return f"it names {frame.previous.hex()!r} as the hash of the frame before, which is {expected.hex()!r}"
        if frame.epoch < newest:
            return f"it is of epoch {frame.epoch}, but follows one of epoch {newest}"
        return None
