"""Segments: the files of the archive. Each is hashed, and each names the hash of the one before it.

A segment is one file, ``<number>-<stream>-<id of its last entry>.gxa``: a line with the format and the SHA-256 of the
header, the header as one line of JSON, and the entries (id and the bytes of the frame, as the server had them) in
MessagePack, compressed by zlib. The header describes the segment and holds the SHA-256 of its body and the *hash* of
the segment before it; a segment's hash is the SHA-256 of its header. So the hash of the last segment, kept elsewhere as
an anchor, proves every segment before it.

A segment is written under another name, forced to the disk, read back, and renamed: a file with its final name is
complete.
"""

import contextlib
import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias

import msgspec

from goldx.streams.entries import BEGINNING, Position, parse_entry_id

JOURNAL: Final = "journal"
EVENTS: Final = "events"
GENESIS: Final = "0" * 64
"""The previous hash of the first segment."""

_FORMAT = b"GOLDX-ARCHIVE-1"
_LONGEST_TITLE = 1 << 10
_NAME = re.compile(r"(\d{8,})-(journal|events)-(\d+-\d+)\.gxa")

Entry: TypeAlias = tuple[Position, bytes]


class BadArchive(RuntimeError):
    """The archive is incomplete or altered, or it is that of another stream; the message names the segment."""


class ShardState(msgspec.Struct, frozen=True):
    """The shard's state outside its streams, as it was when a segment was written; a restore writes it back."""

    epoch: int = 0
    runs: dict[str, int] = {}
    """Service instance -> the number of its newest run."""
    sessions: dict[str, dict[str, str]] = {}
    """Gateway -> live session -> member."""


class Header(msgspec.Struct, frozen=True):
    """The header of a segment; ids as the server writes them."""

    shard: str
    stream: str
    number: int
    """Counts the segments of both streams from 1."""
    first: str
    last: str
    count: int
    before: int
    """Entries of this stream in the segments before."""
    until: int
    """Time of the last entry in ms: for events, that of the journal entry behind them."""
    body: str
    """SHA-256 of the compressed entries."""
    previous: str
    """Hash of the segment before, or GENESIS."""
    digests: dict[str, str]
    """Journal position -> ``<sequence> <SHA-256 of the state>``, as published since the segment before."""
    shard_state: ShardState = msgspec.field(name="beside")

    @property
    def start(self) -> Position:
        """The id of the first entry."""
        return parse_entry_id(self.first.encode())

    @property
    def end(self) -> Position:
        """The id of the last entry."""
        return parse_entry_id(self.last.encode())

    @property
    def total(self) -> int:
        """Entries of this stream in the archive up to the end of this segment."""
        return self.before + self.count

    @property
    def file_name(self) -> str:
        """The name of the segment's file."""
        return f"{self.number:08d}-{self.stream}-{self.last}.gxa"


_decode_header = msgspec.json.Decoder(Header, strict=True).decode
_decode_entries = msgspec.msgpack.Decoder(list[tuple[int, int, bytes]]).decode


class Segment(NamedTuple):
    """A segment, as the name of its file describes it."""

    number: int
    stream: str
    last: Position
    path: Path


def parse_file_name(path: Path) -> Segment | None:
    """Return the segment in a file, or None for a file of another kind."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    return Segment(int(found[1]), found[2], parse_entry_id(found[3].encode()), path)


def read_header(path: Path, file: BinaryIO) -> tuple[Header, str]:
    """Return the header of a segment that has just been opened, and the segment's hash. Raises BadArchive, OSError."""
    title, line = file.readline(_LONGEST_TITLE), file.readline()[:-1]
    found = hashlib.sha256(line).hexdigest()
    if title != b"%b %b\n" % (_FORMAT, found.encode()):
        raise BadArchive(f"{path.name} is torn or altered: its header does not have the SHA-256 that its title gives")
    try:
        header = _decode_header(line)
    except msgspec.MsgspecError as error:
        raise BadArchive(f"{path.name} has a header that cannot be read: {error}") from error
    named = parse_file_name(path)
    if named is None or (named.number, named.stream, str(named.last)) != (header.number, header.stream, header.last):
        raise BadArchive(
            f"{path.name} holds segment {header.number} of the {header.stream} up to {header.last}: "
            "it does not belong under this name"
        )
    return header, found


def read_segment(path: Path) -> tuple[Header, str, list[Entry]]:
    """Return the header, the hash and the entries of a segment, checked by itself. Raises BadArchive, OSError."""
    with path.open("rb") as file:
        header, found = read_header(path, file)
        body = file.read()
    if hashlib.sha256(body).hexdigest() != header.body:
        raise BadArchive(f"{path.name} is torn or altered: its entries do not have the SHA-256 that its header gives")
    triples = _decode_entries(zlib.decompress(body))
    entries = [(Position(ms, counter), data) for ms, counter, data in triples]
    ids = [position for position, _ in entries]
    extent = (len(ids), str(ids[0]), str(ids[-1])) if ids else (0, "", "")
    if extent != (header.count, header.first, header.last) or any(a >= b for a, b in pairwise(ids)):
        raise BadArchive(f"{path.name} does not hold the entries that its header gives")
    return header, found, entries


def read_chain(paths: Iterable[Path]) -> Iterator[tuple[Header, str, list[Entry]]]:
    """Yield segments like ``read_segment``, checking that each stream goes on in the next one from its beginning.

    Where a segment directly follows another one, it must have that one's hash. Raises BadArchive, OSError.
    """
    shard, number, previous = "", 0, GENESIS
    totals = {JOURNAL: 0, EVENTS: 0}
    ends = {JOURNAL: BEGINNING, EVENTS: BEGINNING}
    for path in paths:
        header, found, entries = read_segment(path)
        shard = shard or header.shard
        fits = header.shard == shard and header.before == totals[header.stream]
        if not fits or header.start <= ends[header.stream]:
            raise BadArchive(
                f"{path.name} does not continue the {header.stream} of shard {shard}: {header.before} entries come "
                f"before it, and {totals[header.stream]} are here"
            )
        if header.number == number + 1 and header.previous != previous:
            raise BadArchive(
                f"{path.name} does not follow the segment before it: it names the hash {header.previous}, and that one "
                f"has {previous}"
            )
        number, previous = header.number, found
        totals[header.stream] = header.total
        ends[header.stream] = header.end
        yield header, found, entries


def encode_body(entries: Sequence[Entry]) -> bytes:
    """Return the body of a segment."""
    return zlib.compress(msgspec.msgpack.encode([(*position, data) for position, data in entries]))


def write_segment(folder: Path, header: Header, body: bytes) -> None:
    """Write a segment; when this returns, it is on the disk and has been read back. Raises OSError."""
    line = msgspec.json.encode(header)
    content = b"%b %b\n%b\n%b" % (_FORMAT, hashlib.sha256(line).hexdigest().encode(), line, body)
    path = folder / header.file_name
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o400)
        if partial.read_bytes() != content:
            raise OSError(f"{partial} does not read back as it was written")
        partial.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
