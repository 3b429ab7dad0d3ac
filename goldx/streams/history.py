"""The two streams from their first entry on: what the server no longer has is read from the archive.

An entry is archived before it is trimmed, so a reader that finds a gap on the server finds the missing part in the
archive. These are for readers that start from the beginning: a gateway, a settlement whose database was restored, an
engine without a valid snapshot, an auditor.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from goldx.streams.archive import Archive
from goldx.streams.connection import RedisConnection
from goldx.streams.entries import Position, as_entries
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import EventFrame, decode_events
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.segments import EVENTS, JOURNAL


class EventsMissing(RuntimeError):
    """Events are missing between two that were read: neither the server nor the archive has them."""


def archive_in(folder: Path | None) -> Archive | None:
    """Return the archive that a setting ``archive_dir`` names, or None where it is unset."""
    return None if folder is None else Archive(folder)


class WholeJournal(Journal):
    """The journal, read from the archive where the server has trimmed it.

    ``read`` raises BadArchive and OSError besides redis' errors.
    """

    def __init__(self, redis: Redis, keys: Keys, archive: Archive | None, replicas: int = 0) -> None:
        super().__init__(redis, keys, replicas)
        self._archive = archive

    async def read(self, after: Position, count: int = 1_000) -> list[tuple[Position, bytes]]:
        """Return the next frames after a position, from the archive or the server."""
        if self._archive is None:
            return await super().read(after, count)
        # In one step, so that nothing is trimmed between the two answers.
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xrange(self._key, count=1)
            pipe.xrange(self._key, min=f"({after}", count=count)
            oldest, found = (as_entries(answer) for answer in await pipe.execute())
        if oldest and after < oldest[0][0]:
            archived = await asyncio.to_thread(self._archive.read, JOURNAL, after, oldest[0][0], count)
            if archived:
                return archived
        await self._confirm(found)
        return found


class WholeEvents(EventStream):
    """The event stream, read from the archive where the server has trimmed it.

    Reading raises EventsMissing, BadArchive and OSError besides redis' errors.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        archive: Archive | None,
        connection: RedisConnection | None = None,
        decode: Callable[[bytes], EventFrame] = decode_events,
    ) -> None:
        super().__init__(redis, keys, connection, decode)
        self._archive = archive

    async def read_raw(self, after: int, count: int = 1_000) -> list[tuple[Position, bytes]]:
        """Return the next frames that end after a sequence; fewer than ``count`` only at the end of the stream."""
        found: list[tuple[Position, bytes]] = []
        while len(found) < count:
            more = await super().read_raw(after, count - len(found))
            if not more or _first_sequence(more[0][1]) <= after + 1:
                return found + more
            found += await self._read_archived(after, count - len(found), more[0])
            after = found[-1][0].ms
        return found

    async def _read_archived(
        self, after: int, count: int, live: tuple[Position, bytes]
    ) -> list[tuple[Position, bytes]]:
        """Return frames after a sequence and before the first one on the server. Raises EventsMissing."""
        archived: list[tuple[Position, bytes]] = []
        if self._archive is not None:
            # A frame's id is its last sequence: one that holds ``after + 1`` has at least that.
            bounds = (Position(after + 1, -1), live[0])
            archived = await asyncio.to_thread(self._archive.read, EVENTS, *bounds, count)
        if archived and _first_sequence(archived[0][1]) <= after + 1:
            return archived
        where = "no archive_dir is set"
        if self._archive is not None:
            where = f"the archive in {self._archive.folder} does not have it"
        found = _first_sequence(live[1])
        raise EventsMissing(f"the event stream continues with sequence {found}; {after + 1} was expected, and {where}")

    async def wait(self, after: int, count: int = 1_000, block_ms: int = 1_000) -> list[EventFrame]:
        """Read, but wait up to ``block_ms`` milliseconds for the first frame. The timeout must be longer than that."""
        frames = await super().wait(after, count, block_ms)
        if frames and first_event(frames[0]) > after + 1:
            return await self.read(after, count)
        return frames


def first_event(frame: EventFrame) -> int:
    """Return the sequence of a frame's first event."""
    return next(event.sequence for outcome in frame.outcomes for event in outcome)


def last_event(frame: EventFrame) -> int:
    """Return the sequence of a frame's last event."""
    return next(outcome[-1].sequence for outcome in reversed(frame.outcomes) if outcome)


def _first_sequence(data: Any) -> int:
    return first_event(decode_events(data))
