"""Snapshots of the core with their place in the journal, as bytes and back, checked when they are read.

A digest is a snapshot without the state itself. Snapshots shorten recovery and never define the truth: one that is
torn, altered or of another version is passed over for the one before it, and in the end for the whole journal.
"""

import hashlib
import zlib

import msgspec

from goldx.hosting import collector
from goldx.streams.chains import CommandChains, Head
from goldx.streams.entries import Position
from matching.core.engine import Engine
from matching.run.fold import Fold

VERSION = 2


class SnapshotFailed(RuntimeError):
    """A snapshot could not be taken, or is not valid; the message says why."""


class Snapshot(msgspec.Struct, array_like=True, frozen=True):
    """The state after the ``entries``-th journal entry, which is at ``position``, and ``total`` commands.

    ``chains`` are the heads of the journal's writers there. ``body`` is the core's own snapshot, compressed by zlib,
    and empty in a digest; ``checksum`` is the SHA-256 of ``body``, ``digest`` that of the state, in hexadecimal.
    """

    version: int
    position: tuple[int, int]
    entries: int
    total: int
    sequence: int
    digest: str
    checksum: str
    chains: list[Head]
    body: bytes

    @property
    def published(self) -> str:
        """The text that is published about the state at ``position``."""
        return f"{self.sequence} {self.digest}"


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Snapshot).decode


def take(fold: Fold, *, with_state: bool = True) -> Snapshot:
    """Take a snapshot now, in this process; without the state it is a digest."""
    engine = fold.engine
    state = engine.snapshot()
    body = zlib.compress(state, 1) if with_state else b""
    return Snapshot(
        version=VERSION,
        position=fold.position,
        entries=fold.entries,
        total=fold.total,
        sequence=engine.sequence,
        digest=hashlib.sha256(state).hexdigest(),
        checksum=hashlib.sha256(body).hexdigest(),
        chains=fold.chains.heads,
        body=body,
    )


def restore(data: bytes) -> Fold:
    """Return the state of a stored snapshot. Raises SnapshotFailed if it is torn, altered or of another version."""
    try:
        found = decode(data)
    except msgspec.MsgspecError as error:
        raise SnapshotFailed(f"it cannot be read: {error}") from error
    if found.version != VERSION:
        raise SnapshotFailed(f"it has version {found.version}; this program reads version {VERSION}")
    if hashlib.sha256(found.body).hexdigest() != found.checksum:
        raise SnapshotFailed("its checksum is wrong: it is torn or altered")
    try:
        with collector.paused():
            engine = Engine.restore(zlib.decompress(found.body))
    except Exception as error:
        raise SnapshotFailed(f"the core does not take it: {error!r}") from error
    if engine.sequence != found.sequence or engine.digest() != found.digest:
        raise SnapshotFailed("the state in it has another sequence or digest than it claims")
    return Fold(engine, Position(*found.position), found.entries, found.total, CommandChains(found.chains))


def is_whole(data: bytes) -> bool:
    """Return whether a stored snapshot is readable and not torn. Much cheaper than ``restore``, and checks less."""
    try:
        found = decode(data)
    except msgspec.MsgspecError:
        return False
    return found.version == VERSION and hashlib.sha256(found.body).hexdigest() == found.checksum
