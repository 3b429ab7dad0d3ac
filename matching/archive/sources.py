"""Where both streams are read from their first entry on: a server with the archive before it, or an archive alone."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, Protocol

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.archive import Archive
from goldx.streams.entries import BEGINNING, Position, as_entries, parse_entry_id
from goldx.streams.history import WholeEvents, WholeJournal
from goldx.streams.keys import Keys
from goldx.streams.replicas import NO_REPLICAS, Replicas
from goldx.streams.segments import EVENTS, JOURNAL, Entry

ENTRIES_PER_READ = 500


class Extent(NamedTuple):
    """A stream on the server: its oldest and newest entry, how many it has now, and how many it has ever had."""

    first: Position
    last: Position
    length: int
    added: int


async def extent(redis: Redis, key: str, replicas: Replicas = NO_REPLICAS) -> Extent:
    """With ``replicas``, only when they have all of it. Raises redis' errors; a stream that does not exist is empty."""
    try:
        found = await replicas.confirm(redis, lambda pipe: pipe.xinfo_stream(key))
    except ResponseError as error:
        if "no such key" in str(error):
            return Extent(BEGINNING, BEGINNING, 0, 0)
        raise
    first = parse_entry_id(found["first-entry"][0]) if found["first-entry"] else BEGINNING
    last = parse_entry_id(found["last-generated-id"])
    return Extent(first, last, int(found["length"]), int(found["entries-added"]))


class Source(Protocol):
    """Both streams of a shard and what was published of its state."""

    def journal(self) -> AsyncIterator[Entry]:
        """Every journal entry there is when this is first asked for, in order."""
        ...

    def events(self, end: int) -> AsyncIterator[Entry]:
        """Every event frame up to a sequence, in order."""
        ...

    async def published(self) -> int:
        """Sequence of the last event."""
        ...

    async def digests(self) -> Mapping[bytes, bytes]:
        """Journal position -> ``<sequence> <SHA-256 of the state>``."""
        ...


class Server:
    """A server's streams, and before them what only the archive has. Raises what ``goldx.streams.history`` raises."""

    def __init__(self, redis: Redis, keys: Keys, archive: Archive | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._archive = archive
        self._journal = WholeJournal(redis, keys, archive)
        self._events = WholeEvents(redis, keys, archive)

    async def journal(self) -> AsyncIterator[Entry]:
        end, reached = await self._journal.end(), BEGINNING
        while reached < end and (entries := await self._journal.read(reached, ENTRIES_PER_READ)):
            for entry in entries:
                if entry[0] > end:
                    return
                yield entry
            reached = entries[-1][0]

    async def events(self, end: int) -> AsyncIterator[Entry]:
        reached = 0
        while reached < end and (entries := await self._events.read_raw(reached, ENTRIES_PER_READ)):
            for entry in entries:
                if entry[0].ms > end:
                    return
                yield entry
            reached = entries[-1][0].ms

    async def published(self) -> int:
        return await self._events.last_sequence()

    async def digests(self) -> Mapping[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        if self._archive is not None:
            found = await asyncio.to_thread(archived_digests, self._archive)
        live: dict[Any, Any] = await self._redis.hgetall(self._keys.digests)
        return found | live


class Archived:
    """An archive alone. Raises BadArchive and OSError."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def journal(self) -> AsyncIterator[Entry]:
        for entry in self._archive.entries(JOURNAL):
            yield entry

    async def events(self, end: int) -> AsyncIterator[Entry]:
        for entry in self._archive.entries(EVENTS):
            if entry[0].ms > end:
                return
            yield entry

    async def published(self) -> int:
        newest = self._archive.newest(EVENTS)
        return 0 if newest is None else newest.end.ms

    async def digests(self) -> Mapping[bytes, bytes]:
        return archived_digests(self._archive)


def archived_digests(archive: Archive) -> dict[bytes, bytes]:
    """Those in all headers."""
    return {
        position.encode(): digest.encode()
        for header, _ in archive.headers()
        for position, digest in header.digests.items()
    }


async def compare(archive: Archive, redis: Redis, keys: Keys) -> str | None:
    """The first entry that the archive and the server both ought to have and do not have alike, in words, or None."""
    for stream, key in ((JOURNAL, keys.journal), (EVENTS, keys.events)):
        newest = archive.newest(stream)
        if newest is None:
            continue
        live = _entries_up_to(redis, key, newest.end)
        expected: Entry | None = await anext(live, None)
        oldest = newest.end if expected is None else expected[0]
        for entry in archive.entries(stream, oldest):
            if expected is None:
                break
            if entry != expected:
                what = "other content" if entry[0] == expected[0] else f"the entry {expected[0]}"
                return f"the server's {stream} has {what} where the archive has the entry {entry[0]}"
            expected = await anext(live, None)
        if expected is not None:
            return f"the server's {stream} has an entry {expected[0]} that the archive does not have"
    return None


async def _entries_up_to(redis: Redis, key: str, end: Position) -> AsyncIterator[Entry]:
    after = BEGINNING
    while entries := as_entries(await redis.xrange(key, f"({after}", str(end), count=ENTRIES_PER_READ)):
        for entry in entries:
            yield entry
        after = entries[-1][0]
