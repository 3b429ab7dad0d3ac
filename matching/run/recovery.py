"""How an engine gets its state, and keeps it while another one leads: newest valid snapshot, then the journal.

Recovery and standby are one thing: follow the journal, hold back the events that are not published yet, hold what is
published against what the journal gives. Whoever becomes the leader publishes what is held back and goes on. What can
be wrong with the two streams is found here, before the engine leads: a journal that lacks entries, an event stream
ahead of what the journal can produce, and events that the journal would not produce again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.archive import Archive
from goldx.streams.chains import NO_FRAME, EventBody, extract_body, frame_hash
from goldx.streams.entries import Position, as_entries, parse_entry_id
from goldx.streams.event_stream import EventStream
from goldx.streams.history import WholeJournal
from goldx.streams.keys import Keys
from goldx.streams.replicas import Replicas
from matching.core.engine import Engine
from matching.run.fold import Fold, Produced
from matching.run.publisher import PENDING_BYTES, Publisher, StreamBroken
from matching.run.snapshot_store import SnapshotStore

log = structlog.get_logger()

ENTRIES_PER_READ = 200
LONGEST_STRETCH = 0.02
"""Seconds of uninterrupted work after which the lease gets its turn."""
LEADER_PAUSE = 0.05
"""Seconds between two looks at a leader that is far behind with its publications."""


class Taker(Protocol):
    """Who takes what the core makes."""

    def put(self, produced: Produced) -> None:
        """Takes the next frame."""


async def advance(
    fold: Fold, taker: Taker, entries: Iterable[tuple[Position, bytes]], applied: Callable[[], None]
) -> None:
    """Applies journal entries in their order and hands over what they make; ``applied`` is called after each.

    May be cancelled between two entries: state and taker then stand at the same entry. Raises CoreFailed, and what the
    taker raises.
    """
    clock = asyncio.get_running_loop().time
    rested = clock()
    for position, data in entries:
        produced = fold.apply(position, data)
        if produced is not None:
            taker.put(produced)
        applied()
        if clock() - rested > LONGEST_STRETCH:
            await asyncio.sleep(0)
            rested = clock()


class Recovery:
    """A shard's state on its way along the journal; everything raises redis' errors besides what is named.

    ``published`` is the newest published event that it knows of, ``previous`` the hash of the frame that ends with it.
    ``applied`` is called after each entry. What the server has no longer is read from ``archive``; that raises
    BadArchive and OSError.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        archive: Archive | None = None,
        applied: Callable[[], None] = lambda: None,
        replicas: int = 0,
    ) -> None:
        self._redis = redis
        self._replicas = Replicas(keys.mark, replicas)
        self._keys = keys
        self._applied = applied
        self._journal = WholeJournal(redis, keys, archive, replicas)
        self._events = EventStream(redis, keys)
        self._newest: EventBody = b""
        self._held: deque[Produced] = deque()
        self._held_bytes = 0
        self.fold = Fold(Engine())
        self.published = 0
        self.previous = NO_FRAME

    async def start(self) -> None:
        """Takes the state of the newest snapshot to start from, if there is one. Raises StreamBroken."""
        fold = await SnapshotStore(self._redis, self._keys).newest(self._journal, self._events)
        self.fold = fold or Fold(Engine())
        await self.look()
        log.info(
            "recovery starts",
            **{"position": str(self.fold.position), "sequence": self.fold.engine.sequence, "published": self.published},
        )

    async def look(self) -> None:
        """Looks what is published by now, on the replicas too: that need not be held back any more.

        Raises StreamBroken.
        """
        shown = await self._replicas.confirm(self._redis, lambda pipe: pipe.xrevrange(self._keys.events, count=1))
        newest = as_entries(shown)
        sequence, frame = (newest[0][0].ms, newest[0][1]) if newest else (0, b"")
        if sequence < self.published:
            raise StreamBroken(
                f"the event stream ends at sequence {sequence}, but had gone on to {self.published} before"
            )
        if sequence == self.published:
            return
        self.fold.published = sequence
        self.published, self._newest, self.previous = sequence, extract_body(frame), frame_hash(frame)
        while self._held and self._held[0].first <= sequence:
            produced = self._held.popleft()
            self._held_bytes -= len(produced.body)
            self._compare(produced)

    def put(self, produced: Produced) -> None:
        """Holds back what is not published, and compares the last of what is. Raises StreamBroken."""
        if produced.first <= self.published:
            self._compare(produced)
        else:
            self._held.append(produced)
            self._held_bytes += len(produced.body)

    def _compare(self, produced: Produced) -> None:
        """The newest published frame must be what the journal gives for its place."""
        if produced.last >= self.published and (produced.last, produced.body) != (self.published, self._newest):
            raise StreamBroken(
                f"the journal entry {produced.position} gives other events now than were published up to sequence "
                f"{self.published}: another program wrote them, or one of the two streams was altered"
            )

    async def reach_end(self) -> None:
        """Applies what the journal has, from the archive on, while another engine may lead. Raises as ``follow``."""
        end = await self._journal.end()
        while self.fold.position < end:
            entries = await self._journal.read(self.fold.position, ENTRIES_PER_READ)
            if not entries:
                break
            await self.follow(entries)

    async def follow(self, entries: list[tuple[Position, bytes]]) -> None:
        """Applies the journal's next entries while another engine leads. Raises StreamBroken and CoreFailed.

        What that one does not publish is held back, as far as memory allows; then it is waited for.
        """
        await advance(self.fold, self, entries, self._applied)
        await self.look()
        while self._held_bytes > PENDING_BYTES:
            await asyncio.sleep(LEADER_PAUSE)
            await self.look()

    def resume(self, publisher: Publisher) -> None:
        """For the leader that hands over: from here on it holds back what it makes."""
        self.published, self.previous = publisher.confirmed, publisher.previous

    def hand_to(self, publisher: Publisher) -> None:
        """What is held back is for the leader's publisher now."""
        while self._held:
            publisher.put(self._held.popleft())
        self._held_bytes = 0

    async def catch_up(self, publisher: Publisher) -> None:
        """For the new leader: the rest of what the journal has now, and whether all is there.

        Raises StreamBroken and CoreFailed.
        """
        fold = self.fold
        end, total = await self._extent()
        while fold.position < end:
            entries = await self._journal.read(fold.position, ENTRIES_PER_READ)
            known = [entry for entry in entries if entry[0] <= end]
            if not known:
                break
            await advance(fold, self, known, self._applied)
            self.hand_to(publisher)
            await publisher.room()
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
        """The journal's last entry id, and how many entries it has ever had up to there."""
        try:
            found = await self._replicas.confirm(self._redis, lambda pipe: pipe.xinfo_stream(self._keys.journal))
        except ResponseError as error:
            if "no such key" in str(error):
                return Position(0, 0), 0
            raise
        return parse_entry_id(found["last-generated-id"]), int(found["entries-added"])
