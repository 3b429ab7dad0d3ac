"""How an engine gets its state, and keeps it while another one leads: the newest valid snapshot, then the journal.

Recovery and standby are the same work: follow the journal, hold back the events that are not published yet, and compare
what is published with what the journal gives. An engine that becomes the leader publishes what it has held back and
goes on. Faults of the two streams are found here, before the engine leads: a journal that lacks entries, an event
stream ahead of what the journal can give, and events that the journal would not give again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.archive import Archive
from goldx.streams.chains import NO_FRAME, EventBody, extract_body, frame_hash
from goldx.streams.entries import BEGINNING, Position, as_entries, parse_entry_id
from goldx.streams.event_stream import EventStream
from goldx.streams.history import WholeJournal
from goldx.streams.keys import Keys
from goldx.streams.replicas import Replicas
from goldx.streams.segments import JOURNAL
from matching.core.engine import Engine
from matching.run.fold import EntryEvents, Fold
from matching.run.publisher import PENDING_BYTES, Publisher, StreamBroken
from matching.run.snapshot_store import SnapshotStore

log = structlog.get_logger()

ENTRIES_PER_READ: Final = 200
YIELD_SECONDS: Final = 0.02
"""The longest uninterrupted work; after it other tasks, such as the renewal of the lease, get their turn."""
LEADER_PAUSE: Final = 0.05
"""Seconds between two checks of a leader that is far behind with its publications."""


class Receiver(Protocol):
    """An object that takes the events of journal entries: a ``Recovery`` or a ``Publisher``."""

    def put(self, events: EntryEvents) -> None:
        """Take the events of the next entry."""


async def apply_entries(
    fold: Fold, receiver: Receiver, entries: Iterable[tuple[Position, bytes]], entry_applied: Callable[[], None]
) -> None:
    """Apply journal entries in their order and pass their events on; call ``entry_applied`` after each.

    May be cancelled between two entries: fold and receiver are then at the same entry. Raises CoreFailed, and what the
    receiver raises.
    """
    clock = asyncio.get_running_loop().time
    resumed = clock()
    for position, data in entries:
        events = fold.apply(position, data)
        if events is not None:
            receiver.put(events)
        entry_applied()
        if clock() - resumed > YIELD_SECONDS:
            await asyncio.sleep(0)
            resumed = clock()


class Recovery:
    """The state of a shard on its way along the journal. Every method raises redis' errors besides those it names.

    ``published`` is the sequence of the newest published event that it knows of, ``previous`` the hash of the frame
    that ends with it. ``entry_applied`` is called after each journal entry. Entries that the server no longer has are
    read from ``archive``, which raises BadArchive and OSError.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        archive: Archive | None = None,
        entry_applied: Callable[[], None] = lambda: None,
        replicas: int = 0,
    ) -> None:
        self._redis = redis
        self._replicas = Replicas(keys.mark, replicas)
        self._keys = keys
        self._entry_applied = entry_applied
        self._archive = archive
        self._journal = WholeJournal(redis, keys, archive, replicas)
        self._events = EventStream(redis, keys)
        self._newest: EventBody = b""
        self._held: deque[EntryEvents] = deque()
        self._held_bytes = 0
        self.fold = Fold(Engine())
        self.published = 0
        self.previous = NO_FRAME

    async def start(self) -> None:
        """Take over the state of the newest snapshot to start from, if there is one. Raises StreamBroken."""
        fold = await SnapshotStore(self._redis, self._keys).newest(self._journal, self._events)
        self.fold = fold or Fold(Engine())
        await self.read_published()
        position, sequence = str(self.fold.position), self.fold.engine.sequence
        log.info("recovery starts", position=position, sequence=sequence, published=self.published)

    async def read_published(self) -> None:
        """Find out what is published by now, on the replicas too; that is no longer held back. Raises StreamBroken."""
        shown = await self._replicas.confirm(self._redis, lambda pipe: pipe.xrevrange(self._keys.events, count=1))
        sequence, frame = 0, b""
        for position, data in as_entries(shown):
            sequence, frame = position.ms, data
        if sequence < self.published:
            raise StreamBroken(
                f"the event stream ends at sequence {sequence}, but had gone on to {self.published} before"
            )
        if sequence == self.published:
            return
        self.fold.published = sequence
        self.published, self._newest, self.previous = sequence, extract_body(frame), frame_hash(frame)
        while self._held and self._held[0].first <= sequence:
            events = self._held.popleft()
            self._held_bytes -= len(events.body)
            self._compare(events)

    def put(self, events: EntryEvents) -> None:
        """Hold back events that are not published, and compare the last of the published ones. Raises StreamBroken."""
        if events.first <= self.published:
            self._compare(events)
        else:
            self._held.append(events)
            self._held_bytes += len(events.body)

    def _compare(self, events: EntryEvents) -> None:
        """Raise StreamBroken if the newest published frame is not what the journal gives for its place."""
        if events.last >= self.published and (events.last, events.body) != (self.published, self._newest):
            raise StreamBroken(
                f"the journal entry {events.position} gives other events now than were published up to sequence "
                f"{self.published}: another program wrote them, or one of the two streams was altered"
            )

    async def reach_end(self) -> None:
        """Apply what the journal has now, the archive's part first, while another engine may lead.

        Raises as ``follow`` does.
        """
        end = await self._journal.end()
        while self.fold.position < end:
            entries = await self._journal.read(self.fold.position, ENTRIES_PER_READ)
            if not entries:
                break
            await self.follow(entries)

    async def follow(self, entries: list[tuple[Position, bytes]]) -> None:
        """Apply the journal's next entries while another engine leads. Raises StreamBroken and CoreFailed.

        Events that the leader has not published are held back, up to PENDING_BYTES; then this waits for the leader.
        """
        await apply_entries(self.fold, self, entries, self._entry_applied)
        await self.read_published()
        while self._held_bytes > PENDING_BYTES:
            await asyncio.sleep(LEADER_PAUSE)
            await self.read_published()

    def stop_leading(self, publisher: Publisher) -> None:
        """Hold events back again from here on: the leader has handed over, and everything is published."""
        self.published, self.previous = publisher.confirmed, publisher.previous

    def pass_held_to(self, publisher: Publisher) -> None:
        """Pass the events that are held back to the publisher of this engine, which leads now."""
        while self._held:
            publisher.put(self._held.popleft())
        self._held_bytes = 0

    async def catch_up(self, publisher: Publisher) -> None:
        """Apply the remaining entries of the journal for the new leader, and check that none is missing.

        Raises StreamBroken, CoreFailed and what reading the archive raises.
        """
        fold = self.fold
        # The archive is read first, so that the journal already has what is in it.
        archived = None if self._archive is None else await asyncio.to_thread(self._archive.newest, JOURNAL)
        end, total = await self._extent()
        if self._archive is not None and archived is not None and archived.end > end:
            raise StreamBroken(
                f"the archive in {self._archive.folder} has the journal up to {archived.end}, the server only up to "
                f"{end}: orders that were acknowledged are missing on the server. Restore it: `goldx journal restore`"
            )
        while fold.position < end:
            entries = await self._journal.read(fold.position, ENTRIES_PER_READ)
            known = [(position, data) for position, data in entries if position <= end]
            if not known:
                break
            await apply_entries(fold, self, known, self._entry_applied)
            self.pass_held_to(publisher)
            await publisher.wait_for_room()
        if fold.entries != total:
            raise StreamBroken(
                f"the journal has had {total} entries up to {end}, but only {fold.entries} can be accounted for: "
                f"entries are missing (deleted or trimmed), and neither a valid snapshot nor the archive covers them"
            )
        if fold.engine.sequence < self.published:
            raise StreamBroken(
                f"events up to sequence {self.published} are published, but the journal, which ends at {end}, gives "
                f"only those up to {fold.engine.sequence}: the journal entries behind the others are missing"
            )

    async def _extent(self) -> tuple[Position, int]:
        """Return the journal's last entry id, and how many entries it has ever had up to there."""
        try:
            found = await self._replicas.confirm(self._redis, lambda pipe: pipe.xinfo_stream(self._keys.journal))
        except ResponseError as error:
            if "no such key" in str(error):
                return BEGINNING, 0
            raise
        return parse_entry_id(found["last-generated-id"]), int(found["entries-added"])
