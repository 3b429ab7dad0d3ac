"""The snapshots and published digests of a shard, in Redis."""

import asyncio
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from goldx.streams.entries import Position, parse_entry_id
from goldx.streams.event_stream import EventStream
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.run import snapshots
from matching.run.fold import Fold
from matching.run.publisher import StreamBroken
from matching.run.snapshots import Snapshot, SnapshotFailed

log = structlog.get_logger()

KEPT: Final = 3
"""The number of snapshots that are kept."""


class StateDiffers(RuntimeError):
    """The same journal led to another state than before: the programs differ, or the core is not deterministic."""


class SnapshotStore:
    """The snapshots of a shard, a hash of journal position -> Snapshot; its digests, one of position -> text."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def published(self, position: Position) -> str | None:
        """Return the text published about the state at a position (``Snapshot.published``), or None."""
        found = await self._redis.hget(self._keys.digests, str(position))
        return None if found is None else found.decode() if isinstance(found, bytes) else str(found)

    async def publish(self, snapshot: Snapshot) -> None:
        """Publish the digest of a state whose events are all published. Raises StateDiffers, and redis' errors."""
        position = Position(*snapshot.position)
        await self.compare(snapshot)
        await self._redis.hset(self._keys.digests, str(position), snapshot.published)

    async def compare(self, snapshot: Snapshot) -> bool:
        """Return whether a digest is published for this position. Raises StateDiffers if it is another one.

        Raises redis' errors.
        """
        position = Position(*snapshot.position)
        published = await self.published(position)
        if published not in (None, snapshot.published):
            raise StateDiffers(
                f"the state at {position} was {published!r} when it was published, and is {snapshot.published!r} now"
            )
        return published is not None

    async def save(self, snapshot: Snapshot) -> None:
        """Store a snapshot whose events are all published, publish its digest, and remove the oldest snapshots.

        Raises StateDiffers, and redis' errors.
        """
        await self.compare(snapshot)
        stale = (await self.positions())[KEPT - 1 :]
        position = str(Position(*snapshot.position))
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._keys.digests, position, snapshot.published)
            pipe.hset(self._keys.snapshots, position, snapshots.encode(snapshot))
            for old in stale:
                pipe.hdel(self._keys.snapshots, str(old))
            await pipe.execute()

    async def positions(self) -> list[Position]:
        """Return the positions of the stored snapshots, the newest first. Names that are no position are left out."""
        found = []
        for name in await self._redis.hkeys(self._keys.snapshots):
            try:
                found.append(parse_entry_id(name))
            except ValueError:
                log.error("a snapshot has no valid position and is passed over", name=repr(name))
        return sorted(found, reverse=True)

    async def newest(self, journal: Journal, events: EventStream) -> Fold | None:
        """Return the state of the newest valid snapshot, or None: then recovery has to read the whole journal.

        A snapshot whose events are not all published is passed over as well, because they have to be made again. Raises
        StreamBroken if a valid snapshot is behind the journal's end: then the journal has lost its tail.
        """
        for position in await self.positions():
            data: Any = await self._redis.hget(self._keys.snapshots, str(position))
            try:
                fold = await asyncio.to_thread(snapshots.restore, data or b"")
            except SnapshotFailed as error:
                log.error("a snapshot is not valid and is passed over", position=str(position), reason=str(error))
                continue
            # Read only now: while another engine leads, both streams go on, and its snapshots with them.
            journal_end, published = await journal.end(), await events.last_sequence()
            if fold.position > journal_end:
                raise StreamBroken(
                    f"the journal ends at {journal_end}, but a snapshot shows that it went on to {fold.position}: "
                    "its tail is missing"
                )
            if fold.engine.sequence <= published:
                return fold
            log.warning("a snapshot is ahead of the event stream and is passed over", position=str(position))
        return None
