"""How an engine gets its state back: newest valid snapshot, then the journal, publishing from the first missing event.

Everything that can be wrong with the two streams is found here, before the engine leads: a journal that lacks entries,
an event stream ahead of what the journal can produce, and events that the journal would not produce again.
"""

import asyncio
from collections.abc import Iterable

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.archive import Archive
from goldx.chains import NO_FRAME, body_of, frame_hash
from goldx.history import WholeJournal
from goldx.streams import EventStream, Keys, Position, parse_entry_id
from matching.engine import Engine
from matching.fold import Fold, Produced
from matching.publisher import Publisher, StreamBroken
from matching.snapshot_store import SnapshotStore

log = structlog.get_logger()

ENTRIES_PER_READ = 200
LONGEST_STRETCH = 0.02
"""Seconds of uninterrupted work after which the lease gets its turn."""


async def advance(fold: Fold, publisher: Publisher, entries: Iterable[tuple[Position, bytes]]) -> None:
    """Applies journal entries in their order and hands over what they make. Raises CoreFailed.

    May be cancelled between two entries: state and publisher then stand at the same entry.
    """
    clock = asyncio.get_running_loop().time
    rested = clock()
    for position, data in entries:
        produced = fold.apply(position, data)
        if produced is not None:
            publisher.put(produced)
        if clock() - rested > LONGEST_STRETCH:
            await asyncio.sleep(0)
            rested = clock()
    await publisher.room()


class Recovery:
    """One recovery of a shard's state; everything raises redis' errors besides what is named.

    Without a valid snapshot it reads what was trimmed from ``archive``, and raises BadArchive and OSError.
    """

    def __init__(self, redis: Redis, keys: Keys, archive: Archive | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._journal = WholeJournal(redis, keys, archive)
        self._events = EventStream(redis, keys)

    async def start(self) -> tuple[Fold, int, bytes]:
        """The state to start from, the sequence up to which events are published, and the hash of the last event frame.

        Raises StreamBroken.
        """
        newest = await self._events.newest()
        published, previous = (newest[0], frame_hash(newest[1])) if newest else (0, NO_FRAME)
        fold = await SnapshotStore(self._redis, self._keys).newest(await self._journal.end(), published)
        if fold is None:
            fold = Fold(Engine())
        log.info("recovery starts", position=str(fold.position), sequence=fold.engine.sequence, published=published)
        return fold, published, previous

    async def catch_up(self, fold: Fold, publisher: Publisher) -> None:
        """Brings the state to the end that the journal has now. Raises StreamBroken and CoreFailed."""
        end, total = await self._extent()
        published = publisher.confirmed
        while fold.position < end:
            entries = await self._journal.read(fold.position, ENTRIES_PER_READ)
            known = [entry for entry in entries if entry[0] <= end]
            if not known:
                break
            if fold.engine.sequence < published:
                await self._check(fold, known, published, publisher)
            else:
                await advance(fold, publisher, known)
        if fold.entries != total:
            raise StreamBroken(
                f"the journal has had {total} entries up to {end}, but only {fold.entries} can be accounted for: "
                f"entries are missing (deleted or trimmed), and neither a valid snapshot nor the archive covers them"
            )
        if fold.engine.sequence < published:
            raise StreamBroken(
                f"events up to sequence {published} are published, but the journal, which ends at {end}, gives only "
                f"those up to {fold.engine.sequence}: the journal entries behind the others are missing"
            )

    async def _check(
        self, fold: Fold, entries: list[tuple[Position, bytes]], published: int, publisher: Publisher
    ) -> None:
        """Like ``advance`` while the events are already published; the last published frame must come out the same."""
        clock = asyncio.get_running_loop().time
        rested = clock()
        for number, (position, data) in enumerate(entries):
            produced = fold.apply(position, data)
            if produced is not None and produced.last >= published:
                await self._compare(produced, published, position)
                await advance(fold, publisher, entries[number + 1 :])
                return
            if clock() - rested > LONGEST_STRETCH:
                await asyncio.sleep(0)
                rested = clock()

    async def _compare(self, produced: Produced, published: int, position: Position) -> None:
        found = await self._events.read_raw(published - 1, 1)
        if produced.last != published or not found or body_of(found[0][1]) != produced.body:
            raise StreamBroken(
                f"the journal entry {position} gives other events now than were published up to sequence {published}: "
                "another program wrote them, or one of the two streams was altered"
            )

    async def _extent(self) -> tuple[Position, int]:
        """The journal's last entry id, and how many entries it has ever had up to there."""
        try:
            found = await self._redis.xinfo_stream(self._keys.journal)
        except ResponseError as error:
            if "no such key" in str(error):
                return Position(0, 0), 0
            raise
        return parse_entry_id(found["last-generated-id"]), int(found["entries-added"])
