"""The archive of a shard: its two streams in a folder of segments (``goldx.streams.segments``).

Retention is 20 years for orders and trades (domain sheet 5.6): segments are read-only, and GoldX only ever adds some.
"""

import contextlib
import fcntl
import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from goldx.streams.entries import BEGINNING, Position
from goldx.streams.segments import (
    EVENTS,
    GENESIS,
    JOURNAL,
    BadArchive,
    Entry,
    Header,
    Segment,
    ShardState,
    encode_body,
    parse_file_name,
    read_chain,
    read_header,
    read_segment,
    write_segment,
)

MAX_BYTES: Final = 16 << 20
MAX_ENTRIES: Final = 50_000
"""How much one segment holds at most."""


class ArchiveInUse(RuntimeError):
    """Another process writes to this archive now."""


class Proof(NamedTuple):
    """The result of ``Archive.prove``. ``hash`` is that of the last segment: the anchor to keep elsewhere."""

    segments: int
    entries: Mapping[str, int]
    digests: Mapping[str, str]
    shard: str
    hash: str


class Archive:
    """The archive in ``folder``, of one shard. Its methods raise BadArchive and OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: dict[str, list[Segment]] = {}
        self._loaded: tuple[Path, list[Entry]] | None = None

    def segments(self) -> list[Segment]:
        """Return all segments in their order, by the names of their files. None may be missing before the last."""
        try:
            paths = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        found = sorted(segment for path in paths if (segment := parse_file_name(path)) is not None)
        for expected, segment in enumerate(found, 1):
            if segment.number != expected:
                what = "is missing" if segment.number > expected else "is there twice"
                raise BadArchive(
                    f"segment {min(expected, segment.number)} of the archive in {self.folder} {what}: "
                    f"{segment.path.name} stands where segment {expected} is expected"
                )
        return found

    def headers(self, *, newest_first: bool = False) -> Iterator[tuple[Header, str]]:
        """Yield every header with its segment's hash; the chain is not checked."""
        for segment in reversed(self.segments()) if newest_first else self.segments():
            with segment.path.open("rb") as file:
                found = read_header(segment.path, file)
            yield found

    def newest(self, stream: str) -> Header | None:
        """Return the header of the last segment of a stream, or None."""
        return next((header for header, _ in self.headers(newest_first=True) if header.stream == stream), None)

    def prove(self, anchors: Sequence[str] = ()) -> Proof:
        """Read and check everything. ``anchors``: hashes that were printed earlier; a segment must have each.

        Raises BadArchive that names the first segment that is wrong.
        """
        previous, shard = GENESIS, ""
        totals = {JOURNAL: 0, EVENTS: 0}
        digests: dict[str, str] = {}
        missing = set(anchors)
        segments = self.segments()
        for header, found, _ in read_chain(segment.path for segment in segments):
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
        """Yield the entries of a stream from an id on, in order; each segment is checked by itself."""
        for segment in self.segments():
            if segment.stream == stream and segment.last >= oldest:
                yield from (entry for entry in read_segment(segment.path)[2] if entry[0] >= oldest)

    def count_before(self, stream: str, position: Position) -> int:
        """Return how many entries of a stream come before an id."""
        for header, _ in self.headers(newest_first=True):
            if header.stream == stream and header.end < position:
                return header.total
            if header.stream == stream and header.start < position:
                path = self.folder / header.file_name
                return header.before + sum(entry[0] < position for entry in read_segment(path)[2])
        return 0

    def read(self, stream: str, after: Position, before: Position, count: int) -> list[Entry]:
        """Return up to ``count`` entries of a stream after one id and before another."""
        listed = self._listed.get(stream, [])
        if not listed or listed[-1].last <= after:
            self._listed = {name: [s for s in self.segments() if s.stream == name] for name in (JOURNAL, EVENTS)}
            listed = self._listed[stream]
        index = bisect_right(listed, after, key=lambda segment: segment.last)
        if index == len(listed):
            return []
        path, loaded = listed[index].path, self._loaded
        if loaded is None or loaded[0] != path:
            # One assignment, because several threads read: each goes on with the segment that it has loaded.
            self._loaded = loaded = (path, read_segment(path)[2])
        entries = loaded[1]
        start = bisect_right(entries, after, key=lambda entry: entry[0])
        return [entry for entry in entries[start : start + count] if entry[0] < before]

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Lock the archive for ``append``; segments that an earlier writer did not finish are removed.

        Raises ArchiveInUse.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArchiveInUse(f"another process writes to the archive in {self.folder} now") from None
            for partial in self.folder.glob("*.partial"):
                partial.unlink()
            yield

    def append(
        self,
        shard: str,
        stream: str,
        entries: Sequence[Entry],
        until: int,
        digests: dict[str, str],
        shard_state: ShardState,
    ) -> Header:
        """Write the next segment, under ``writing``; when this returns, it is on the disk and has been read back."""
        last = next(self.headers(newest_first=True), None)
        newest = self.newest(stream)
        if last is not None and last[0].shard != shard:
            raise BadArchive(f"the archive in {self.folder} is that of shard {last[0].shard}, not of shard {shard}")
        body = encode_body(entries)
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
            shard_state=shard_state,
        )
        write_segment(self.folder, header, body)
        return header
