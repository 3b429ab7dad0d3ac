"""Archiving: the streams are copied from the server into files, and what nobody needs there any more is trimmed.

One pass copies everything up to now into new segments, the journal first and then the events, so that no archive holds
an event without the command behind it. Then it trims whole segments, and only those

- that are older than the retention and have just been read back from the disk once more,
- for the journal: that the oldest whole snapshot covers,
- for the events: that settlement has posted,
- and never the newest entry of a stream, which shows where the stream ends.

With ``require_replicas`` a pass copies only what the replicas have: a failover may replace what they do not have, and
an archive never takes anything back.

A pass that a full disk or a kill ends has trimmed nothing that is not archived, and the next one continues.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx.hosting.settings import Settings
from goldx.streams.archive import MAX_BYTES, MAX_ENTRIES, Archive, ArchiveInUse
from goldx.streams.entries import BEGINNING, Position, as_entries, parse_entry_id
from goldx.streams.frames import decode_events
from goldx.streams.heartbeats import Heartbeat
from goldx.streams.keys import Keys
from goldx.streams.outages import redis_passes
from goldx.streams.redis_client import connect
from goldx.streams.replicas import Replicas
from goldx.streams.segments import EVENTS, JOURNAL, BadArchive, Entry, ShardState, read_segment
from matching.archive.sources import Extent, extent
from matching.run.snapshot_store import SnapshotStore
from matching.run.snapshots import is_whole

log = structlog.get_logger()

ENTRIES_PER_READ = 500


HOUR: Final = 3_600_000
RETRY_SECONDS = 30.0
"""The longest pause before a pass that failed is tried again."""


class Retention(NamedTuple):
    """The part of each stream that stays on the server: the entries of the last ``ms``, and at least ``entries``."""

    ms: int = 0
    entries: int = 0


class Pass(NamedTuple):
    """The result of one pass: entries archived and trimmed by stream, and the archive's last hash after it."""

    archived: dict[str, int]
    trimmed: dict[str, int]
    hash: str
    segments: int


class Archiver:
    """The archiver of one shard. Every method raises redis' errors, OSError and BadArchive.

    ``new_archive`` allows a folder that lacks the segments of earlier passes.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        archive: Archive,
        retention: Retention,
        replicas: int = 0,
        *,
        new_archive: bool = False,
    ) -> None:
        self._redis = redis
        self._replicas = Replicas(keys.mark, replicas)
        self._keys = keys
        self._archive = archive
        self._retention = retention
        self._new_archive = new_archive
        self._streams = {JOURNAL: keys.journal, EVENTS: keys.events}

    async def run(self) -> Pass:
        """Make one pass. Raises ArchiveInUse if another one is under way."""
        await self._check_folder()
        with self._archive.writing():
            # The events first: the commands behind them are in the journal by then.
            ends = {EVENTS: await extent(self._redis, self._keys.events, self._replicas)}
            ends[JOURNAL] = await extent(self._redis, self._keys.journal, self._replicas)
            archived = {stream: await self._copy(stream, ends[stream]) for stream in (JOURNAL, EVENTS)}
            await self._redis.set(self._keys.archived, len(await asyncio.to_thread(self._archive.segments)))
            trimmed = {stream: await self._trim(stream, ends) for stream in (JOURNAL, EVENTS)}
            for header, segment_hash in self._archive.headers(newest_first=True):
                return Pass(archived, trimmed, segment_hash, header.number)
        return Pass(archived, trimmed, "", 0)

    async def _check_folder(self) -> None:
        """Check that the folder has the segments of the last pass: a disk may not be mounted. Raises BadArchive."""
        written: Any = await self._redis.get(self._keys.archived)
        found = len(await asyncio.to_thread(self._archive.segments))
        if found < int(written or 0) and not self._new_archive:
            raise BadArchive(
                f"the archive in {self._archive.folder} has {found} segments, but {int(written)} were written for "
                f"shard {self._keys.shard}: is its disk mounted? To begin another: `goldx journal archive --new`"
            )

    async def _copy(self, stream: str, end: Extent) -> int:
        """Copy a stream up to ``end`` into the archive; return how many entries that were."""
        newest = await asyncio.to_thread(self._archive.newest, stream)
        after, total = (newest.end, newest.total) if newest is not None else (BEGINNING, 0)
        await self._check_join(stream, end, after, total)
        if end.last == after:
            return 0
        digests, shard_state = await self._digests(stream, end.last), await self._shard_state()
        copied = 0
        async for entries in self._pieces(stream, after, end.last):
            until = _time_of(stream, entries[-1])
            copied += len(entries)
            await asyncio.to_thread(
                self._archive.append, self._keys.shard, stream, entries, until, digests, shard_state
            )
            digests = {}
        if total + copied != end.added:
            raise BadArchive(
                f"the {stream} has had {end.added} entries up to {end.last}, but the archive and the server together "
                f"have {total + copied}: entries are missing on the server"
            )
        return copied

    async def _check_join(self, stream: str, end: Extent, after: Position, total: int) -> None:
        """Check that the server's stream is the archived one and what is gone from it archived. Raises BadArchive."""
        gone = end.added - end.length
        if end.last < after:
            raise BadArchive(
                f"the server's {stream} ends at {end.last}, but the archive in {self._archive.folder} has it up to "
                f"{after}: restore the server from it, or use another folder"
            )
        if total and end.first <= after:
            found = as_entries(await self._redis.xrange(self._streams[stream], str(after), str(after)))
            kept = await asyncio.to_thread(self._archive.read, stream, _just_before(after), _just_after(after), 1)
            if found != kept:
                raise BadArchive(f"the server's {stream} has another entry {after} than the archive")
            total = await asyncio.to_thread(self._archive.count_before, stream, end.first)
        if gone != total:
            raise BadArchive(
                f"{gone} entries of the {stream} are no longer on the server, which begins at {end.first}; the archive "
                f"in {self._archive.folder} has {total} from before there"
            )

    async def _pieces(self, stream: str, after: Position, end: Position) -> AsyncIterator[list[Entry]]:
        """Yield the server's entries after an id up to another, in pieces as large as a segment."""
        piece: list[Entry] = []
        size = 0
        while after < end:
            found = await self._redis.xrange(self._streams[stream], f"({after}", str(end), count=ENTRIES_PER_READ)
            if not found:
                break
            for position, data in as_entries(found):
                piece.append((position, data))
                size += len(data)
                if size >= MAX_BYTES or len(piece) >= MAX_ENTRIES:
                    yield piece
                    piece, size = [], 0
                after = position
        if piece:
            yield piece

    async def _digests(self, stream: str, end: Position) -> dict[str, str]:
        """Return the digests published since the last ones in the archive, up to an end; none for the events."""
        if stream != JOURNAL:
            return {}
        known = await asyncio.to_thread(self._newest_digest)
        published: dict[Any, Any] = await self._redis.hgetall(self._keys.digests)
        found = {parse_entry_id(name): value.decode() for name, value in published.items()}
        return {str(position): found[position] for position in sorted(found) if known < position <= end}

    def _newest_digest(self) -> Position:
        """Return the position of the newest digest in the archive."""
        for header, _ in self._archive.headers(newest_first=True):
            if header.digests:
                return max(parse_entry_id(name.encode()) for name in header.digests)
        return BEGINNING

    async def _shard_state(self) -> ShardState:
        """Return what a restore needs besides the streams."""
        epoch: Any = await self._redis.get(self._keys.epoch)
        found: dict[Any, Any] = await self._redis.hgetall(self._keys.runs)
        runs = {writer.decode(): int(run) for writer, run in found.items()}
        sessions = {}
        for writer in runs:
            live: dict[Any, Any] = await self._redis.hgetall(self._keys.sessions(writer))
            if live:
                sessions[writer] = {name.decode(): member.decode() for name, member in live.items()}
        return ShardState(int(epoch or 0), runs, sessions)

    async def _trim(self, stream: str, ends: dict[str, Extent]) -> int:
        """Trim the segments that nobody needs on the server; return how many entries that were."""
        before = await extent(self._redis, self._streams[stream])
        covered = await (self._snapshot_floor() if stream == JOURNAL else self._posted_floor())
        aged = ends[JOURNAL].last.ms - self._retention.ms
        trimmed = 0
        for segment in await asyncio.to_thread(self._archive.segments):
            if segment.stream != stream or segment.last < before.first:
                continue
            if segment.last > covered or segment.last >= before.last:
                break
            header, _, _ = await asyncio.to_thread(read_segment, segment.path)
            if header.until > aged or header.total > before.added - self._retention.entries:
                break
            minid = str(_just_after(segment.last))
            trimmed += int(await self._redis.xtrim(self._streams[stream], minid=minid, approximate=False))
        return trimmed

    async def _snapshot_floor(self) -> Position:
        """Return the position of the oldest whole snapshot: from there on recovery needs the journal."""
        floor = BEGINNING
        for position in await SnapshotStore(self._redis, self._keys).positions():
            data: Any = await self._redis.hget(self._keys.snapshots, str(position))
            if is_whole(data or b""):
                floor = position
        return floor

    async def _posted_floor(self) -> Position:
        """Return the id before that of the frame that settlement posted last, and reads again at its start."""
        posted: Any = await self._redis.get(self._keys.posted)
        return Position(max(0, int(posted or 0) - 1), 0)


def _time_of(stream: str, entry: Entry) -> int:
    """Return the time (ms) of an entry of the journal, or of the journal entry behind an event frame."""
    position, data = entry
    return position.ms if stream == JOURNAL else Position(*decode_events(data).position).ms


def _just_after(position: Position) -> Position:
    return Position(position.ms, position.counter + 1)


def _just_before(position: Position) -> Position:
    return Position(position.ms, position.counter - 1)


async def keep_archiving(settings: Settings, redis_url: str) -> None:
    """Make a pass at every interval until SIGTERM or SIGINT; print READY at the beginning.

    After a full disk, a server that is away or another archiver the next pass tries again. Raises BadArchive and other
    errors that waiting does not mend.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    folder = settings.archive_dir
    assert folder is not None
    redis = connect(redis_url, timeout=60.0)
    retention = Retention(settings.archive_after_hours * HOUR)
    archiver = Archiver(redis, Keys(settings.shard), Archive(folder), retention, settings.require_replicas)
    folder.mkdir(parents=True, exist_ok=True)
    beating = asyncio.create_task(Heartbeat(redis, Keys(settings.shard), "archiver").keep_beating())
    print(f"READY archiver shard={settings.shard} archive={folder.absolute()}", flush=True)
    try:
        while not stop.is_set():
            # A pass that has begun is finished; only the pause after it is cut short.
            pause = await _pass(archiver, settings.archive_every_seconds)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
    finally:
        beating.cancel()
        await redis.aclose()


async def _pass(archiver: Archiver, every: float) -> float:
    """Make one pass; return the seconds until the next one is due."""
    try:
        done = await archiver.run()
    except ArchiveInUse as error:
        log.warning("this pass is left out", reason=str(error))
        return min(every, RETRY_SECONDS)
    except (OSError, RedisError) as error:
        if isinstance(error, RedisError) and not redis_passes(error):
            raise
        log.error("nothing is trimmed: the archive could not be written", reason=str(error))
        return min(every, RETRY_SECONDS)
    if any((*done.archived.values(), *done.trimmed.values())):
        log.info("archived", **_counts(done), segments=done.segments, anchor=done.hash)
    return every


def _counts(done: Pass) -> dict[str, int]:
    return {
        f"{verb}_{stream}": count
        for verb, by in (("archived", done.archived), ("trimmed", done.trimmed))
        for stream, count in by.items()
    }
