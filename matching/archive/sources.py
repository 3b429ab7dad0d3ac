"""The sources that give both streams from their first entry on: a server with its archive, or an archive alone."""

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
    """The extent of a stream on the server: its oldest and newest entry, how many it has, and has ever had."""

    first: Position
    last: Position
    length: int
    added: int


async def extent(redis: Redis, key: str, replicas: Replicas = NO_REPLICAS) -> Extent:
    """Return the extent of a stream; one that does not exist is empty. Raises redis' errors.

    With ``replicas`` this waits until they have all of it.
    """
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
    """Both streams of a shard, and the published digests of its state."""

    def journal(self) -> AsyncIterator[Entry]:
        """Yield every journal entry that there is when the iteration begins, in order."""
        ...

    def events(self, end: int) -> AsyncIterator[Entry]:
        """Yield every event frame up to a sequence, in order."""
        ...

    async def published(self) -> int:
        """Return the sequence of the last event."""
        ...

    async def digests(self) -> Mapping[bytes, bytes]:
        """Return the published ``<sequence> <SHA-256 of the state>`` by journal position."""
        ...


class ArchivedServer:
    """The streams of a server, preceded by what only the archive has. Raises as ``goldx.streams.history`` does."""

    def __init__(self, redis: Redis, keys: Keys, archive: Archive | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._archive = archive
        self._journal = WholeJournal(redis, keys, archive)
        self._events = WholeEvents(redis, keys, archive)

    async def journal(self) -> AsyncIterator[Entry]:
        end, reached = await self._journal.end(), BEGINNING
        while reached < end and (entries := await self._journal.read(reached, ENTRIES_PER_READ)):
            for position, data in entries:
                if position > end:
                    return
                yield position, data
                reached = position

    async def events(self, end: int) -> AsyncIterator[Entry]:
        reached = 0
        while reached < end and (entries := await self._events.read_raw(reached, ENTRIES_PER_READ)):
            for position, data in entries:
                if position.ms > end:
                    return
                yield position, data
                reached = position.ms

    async def published(self) -> int:
        return await self._events.last_sequence()

    async def digests(self) -> Mapping[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        if self._archive is not None:
            found = await asyncio.to_thread(archived_digests, self._archive)
        live: dict[Any, Any] = await self._redis.hgetall(self._keys.digests)
        return found | live


class Archived:
    """The streams of an archive alone. Raises BadArchive and OSError."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def journal(self) -> AsyncIterator[Entry]:
        for entry in self._archive.entries(JOURNAL):
            yield entry

    async def events(self, end: int) -> AsyncIterator[Entry]:
        for position, data in self._archive.entries(EVENTS):
            if position.ms > end:
                return
            yield position, data

    async def published(self) -> int:
        newest = self._archive.newest(EVENTS)
        return 0 if newest is None else newest.end.ms

    async def digests(self) -> Mapping[bytes, bytes]:
        return archived_digests(self._archive)


def archived_digests(archive: Archive) -> dict[bytes, bytes]:
    """Return the digests in the headers of all segments."""
    return {
        position.encode(): digest.encode()
        for header, _ in archive.headers()
        for position, digest in header.digests.items()
    }


async def compare(archive: Archive, redis: Redis, keys: Keys) -> str | None:
    """Describe the first entry that the archive and the server should both have and that differs, or return None."""
    for stream, key in ((JOURNAL, keys.journal), (EVENTS, keys.events)):
        newest = archive.newest(stream)
        if newest is None:
            continue
        live = _entries_up_to(redis, key, newest.end)
        expected: Entry | None = await anext(live, None)
        oldest = newest.end if expected is None else _id(expected)
        for entry in archive.entries(stream, oldest):
            if expected is None:
                break
            if entry != expected:
                what = "other content" if _id(entry) == _id(expected) else f"the entry {_id(expected)}"
                return f"the server's {stream} has {what} where the archive has the entry {_id(entry)}"
            expected = await anext(live, None)
        if expected is not None:
            return f"the server's {stream} has an entry {_id(expected)} that the archive does not have"
    return None


async def missing_on_server(archive: Archive, redis: Redis, keys: Keys) -> str | None:
    """Describe the stream in which the archive is ahead of the server, or return None."""
    for stream, key in ((JOURNAL, keys.journal), (EVENTS, keys.events)):
        # The archive is read first, so that the server already has what is in it.
        newest = await asyncio.to_thread(archive.newest, stream)
        end = await extent(redis, key)
        if newest is not None and newest.end > end.last:
            return (
                f"the archive has the {stream} up to {newest.end}, the server only up to {end.last}: "
                f"{newest.total - end.added} archived entries are missing on the server"
            )
    return None


async def _entries_up_to(redis: Redis, key: str, end: Position) -> AsyncIterator[Entry]:
    after = BEGINNING
    while entries := as_entries(await redis.xrange(key, f"({after}", str(end), count=ENTRIES_PER_READ)):
        for position, data in entries:
            yield position, data
            after = position


def _id(entry: Entry) -> Position:
    position, _ = entry
    return position
