"""The archive of a shard: its two streams in files, each file hashed, all of them in one chain. Never deleted by GoldX.

A segment is one file, ``<number>-<stream>-<id of its last entry>.gxa``: a line with the format and the SHA-256 of the
header, the header as one line of JSON, and the entries (id and the bytes of the frame, as the server had them),
MessagePack compressed by zlib. The header says what is in the segment, the SHA-256 of its body and the *hash* of the
segment before it; a segment's hash is the SHA-256 of its header. So the hash of the last segment, kept elsewhere as an
anchor, proves everything before it.

A segment is written under another name, forced to the disk, read back, and renamed: a file that has its name is whole.
Retention is 20 years for orders and trades (domain sheet 5.6): segments are made read-only and only ever added.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias

import msgspec

from goldx.streams.entries import BEGINNING, Position, parse_entry_id

JOURNAL: Final = "journal"
EVENTS: Final = "events"
GENESIS: Final = "0" * 64
"""What the first segment names as the hash before it."""
MAX_BYTES: Final = 16 << 20
MAX_ENTRIES: Final = 50_000
"""How much one segment holds at most."""

_FORMAT = b"GOLDX-ARCHIVE-1"
_LONGEST_TITLE = 1 << 10
_NAME = re.compile(r"(\d{8,})-(journal|events)-(\d+-\d+)\.gxa")

Entry: TypeAlias = tuple[Position, bytes]


class BadArchive(RuntimeError):
    """The archive is incomplete or altered, or it is that of another stream; the message names the segment."""


class Archiving(RuntimeError):
    """Somebody else writes to this archive now."""


class Beside(msgspec.Struct, frozen=True):
    """What the shard keeps beside its streams, as it was when a segment was written: a restore puts it back."""

    epoch: int = 0
    runs: dict[str, int] = {}
    """Writer -> the number of its newest run."""
    sessions: dict[str, dict[str, str]] = {}
    """Gateway -> live session -> member."""


class Header(msgspec.Struct, frozen=True):
    """What a segment says of itself; ids as the server writes them."""

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
    beside: Beside

    @property
    def start(self) -> Position:
        return parse_entry_id(self.first.encode())

    @property
    def end(self) -> Position:
        return parse_entry_id(self.last.encode())

    @property
    def total(self) -> int:
        """Entries of this stream in the archive up to the end of this segment."""
        return self.before + self.count


class Segment(NamedTuple):
    """One file, as its name tells."""

    number: int
    stream: str
    last: Position
    path: Path


class Proof(NamedTuple):
    """What was proved of an archive. ``hash`` is that of the last segment: the anchor to keep elsewhere."""

    segments: int
    entries: Mapping[str, int]
    digests: Mapping[str, str]
    shard: str
    hash: str


def read_segment(path: Path) -> tuple[Header, str, list[Entry]]:
    """One segment in itself: its header, its hash, its entries. Raises BadArchive, OSError."""
    with path.open("rb") as file:
        header, found = _read_header(path, file)
        body = file.read()
    if hashlib.sha256(body).hexdigest() != header.body:
        raise BadArchive(f"{path.name} is torn or altered: its entries do not have the SHA-256 that its header gives")
    triples = _decode_entries(zlib.decompress(body))
    entries = [(Position(ms, counter), data) for ms, counter, data in triples]
    ids = [position for position, _ in entries]
    shown = (len(ids), str(ids[0]), str(ids[-1])) if ids else (0, "", "")
    if shown != (header.count, header.first, header.last) or any(a >= b for a, b in pairwise(ids)):
        raise BadArchive(f"{path.name} does not hold the entries that its header tells of")
    return header, found, entries


def _read_header(path: Path, file: BinaryIO) -> tuple[Header, str]:
    title, line = file.readline(_LONGEST_TITLE), file.readline()[:-1]
    found = hashlib.sha256(line).hexdigest()
    if title != b"%b %b\n" % (_FORMAT, found.encode()):
        raise BadArchive(f"{path.name} is torn or altered: its header does not have the SHA-256 that its title gives")
    try:
        header = _decode_header(line)
    except msgspec.MsgspecError as error:
        raise BadArchive(f"{path.name} has a header that cannot be read: {error}") from error
    named = _segment(path)
    if named is None or (named.number, named.stream, str(named.last)) != (header.number, header.stream, header.last):
        raise BadArchive(
            f"{path.name} holds segment {header.number} of the {header.stream} up to {header.last}: "
            "it does not belong under this name"
        )
    return header, found


_decode_header = msgspec.json.Decoder(Header, strict=True).decode
_decode_entries = msgspec.msgpack.Decoder(list[tuple[int, int, bytes]]).decode


def walk(paths: Iterable[Path]) -> Iterator[tuple[Header, str, list[Entry]]]:
    """Segments that must continue each other, stream by stream, from the first on. Raises BadArchive, OSError.

    Where one comes directly behind another, it must name that one's hash.
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


def _name(header: Header) -> str:
    return f"{header.number:08d}-{header.stream}-{header.last}.gxa"


def _segment(path: Path) -> Segment | None:
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    return Segment(int(found[1]), found[2], parse_entry_id(found[3].encode()), path)


class Archive:
    """The archive in ``folder``: one shard's. Its methods raise BadArchive and OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: dict[str, list[Segment]] = {}
        self._loaded: tuple[Path, list[Entry]] | None = None

    def segments(self) -> list[Segment]:
        """All segments in their order, as the names tell. None may be missing between the first and the last."""
        try:
            paths = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        found = sorted(segment for path in paths if (segment := _segment(path)) is not None)
        for expected, segment in enumerate(found, 1):
            if segment.number != expected:
                what = "is missing" if segment.number > expected else "is there twice"
                raise BadArchive(
                    f"segment {min(expected, segment.number)} of the archive in {self.folder} {what}: "
                    f"{segment.path.name} stands where segment {expected} is expected"
                )
        return found

    def headers(self, *, newest_first: bool = False) -> Iterator[tuple[Header, str]]:
        """Every header with its segment's hash; the chain is not checked."""
        for segment in reversed(self.segments()) if newest_first else self.segments():
            with segment.path.open("rb") as file:
                found = _read_header(segment.path, file)
            yield found

    def newest(self, stream: str) -> Header | None:
        """The header of the last segment of a stream."""
        return next((header for header, _ in self.headers(newest_first=True) if header.stream == stream), None)

    def prove(self, anchors: Sequence[str] = ()) -> Proof:
        """Reads everything. ``anchors``: hashes that were printed earlier; each must be met.

        Raises BadArchive that names the first segment with which something is wrong.
        """
        previous, shard = GENESIS, ""
        totals = {JOURNAL: 0, EVENTS: 0}
        digests: dict[str, str] = {}
        missing = set(anchors)
        segments = self.segments()
        for header, found, _ in walk(segment.path for segment in segments):
            shard = header.shard
            totals[header.stream] = header.total
            digests |= header.digests
            missing.discard(found)
            previous = found
        if missing:
            raise BadArchive(
                f"the archive in {self.folder} has no segment of the hash {', '.join(sorted(missing))}: it ends before "
                "it, or is another archive"
            )
        return Proof(len(segments), totals, digests, shard, previous)

    def entries(self, stream: str, oldest: Position = BEGINNING) -> Iterator[Entry]:
        """The entries of a stream from an id on, in order; each segment is checked in itself."""
        for segment in self.segments():
            if segment.stream == stream and segment.last >= oldest:
                yield from (entry for entry in read_segment(segment.path)[2] if entry[0] >= oldest)

    def count_before(self, stream: str, position: Position) -> int:
        """How many entries of a stream come before an id."""
        for header, _ in self.headers(newest_first=True):
            if header.stream == stream and header.end < position:
                return header.total
            if header.stream == stream and header.start < position:
                path = self.folder / _name(header)
                return header.before + sum(entry[0] < position for entry in read_segment(path)[2])
        return 0

    def read(self, stream: str, after: Position, before: Position, count: int) -> list[Entry]:
        """Up to ``count`` entries of a stream after one id and before another."""
        listed = self._listed.get(stream, [])
        if not listed or listed[-1].last <= after:
            self._listed = {name: [s for s in self.segments() if s.stream == name] for name in (JOURNAL, EVENTS)}
            listed = self._listed[stream]
        index = bisect_right(listed, after, key=lambda segment: segment.last)
        if index == len(listed):
            return []
        path, loaded = listed[index].path, self._loaded
        if loaded is None or loaded[0] != path:
            # One assignment: readers in several threads share the last segment, each with its own hold on it.
            self._loaded = loaded = (path, read_segment(path)[2])
        entries = loaded[1]
        start = bisect_right(entries, after, key=lambda entry: entry[0])
        return [entry for entry in entries[start : start + count] if entry[0] < before]

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Held by who appends; what an earlier writer left unfinished is swept away. Raises Archiving."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Archiving(f"another process writes to the archive in {self.folder} now") from None
            for partial in self.folder.glob("*.partial"):
                partial.unlink()
            yield

    def append(
        self, shard: str, stream: str, entries: Sequence[Entry], until: int, digests: dict[str, str], beside: Beside
    ) -> Header:
        """Writes the next segment, under ``writing``; when this returns, it is on the disk and has been read back."""
        last = next(self.headers(newest_first=True), None)
        newest = self.newest(stream)
        if last is not None and last[0].shard != shard:
            raise BadArchive(f"the archive in {self.folder} is that of shard {last[0].shard}, not of shard {shard}")
        body = zlib.compress(msgspec.msgpack.encode([(*position, data) for position, data in entries]))
        header = Header(
            shard=shard,
            stream=stream,
            number=1 if last is None else last[0].number + 1,
            first=str(entries[0][0]),
            last=str(entries[-1][0]),
            count=len(entries),
            before=0 if newest is None else newest.total,
            until=until,
            body=hashlib.sha256(body).hexdigest(),
            previous=GENESIS if last is None else last[1],
            digests=digests,
            beside=beside,
        )
        self._write(header, body)
        return header

    def _write(self, header: Header, body: bytes) -> None:
        line = msgspec.json.encode(header)
        content = b"%b %b\n%b\n%b" % (_FORMAT, hashlib.sha256(line).hexdigest().encode(), line, body)
        path = self.folder / _name(header)
        partial = path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.chmod(0o444)
            if partial.read_bytes() != content:
                raise OSError(f"{partial} does not read back as it was written")
            partial.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
