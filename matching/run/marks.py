"""Pictures of the state on the way: its digest at places that all engines agree on, and the leader's snapshots.

A mark is the entry with which the number of commands since the journal's beginning passes a multiple of
``digest_every``. The leader publishes its digest there, a standby and a recovery hold theirs against the published:
whose state differs stops, and never leads. The pictures are taken by a forked child, one at a time, and the market pays
at most a hundredth of a processor for them. An engine for which the marks come too fast goes on with every second,
fourth, eighth one: whatever steps two engines have, the marks of the longer one are among those of the shorter, so they
meet.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from goldx.streams.entries import Position
from matching.run.fold import Fold
from matching.run.snapshot_store import Photograph, Snapshot, SnapshotFailed, SnapshotStore

log = structlog.get_logger()

SHARE: Final = 100
"""A picture that cost a second of processor time is followed by none for 99: pictures get a hundredth of one processor
while the market is busy, so that the slowest hundredth of the orders is not those that met one."""
LONGEST_STEP: Final = 1 << 10
"""Marks from one picture to the next, at most."""
RECENT: Final = 8
"""Marks by whose times the pace of the market is judged."""
REMEMBERED: Final = 100
"""Own digests that wait for the leader's, at most."""

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Marks:
    """The pictures of one engine. ``applied`` is to be called after every journal entry.

    ``snapshot`` and ``digest`` name the journal positions of the last snapshot stored, and of the last digest that was
    published here or found to be the published one.
    """

    def __init__(self, store: SnapshotStore, digest_every: int, snapshot_every: int) -> None:
        self._store = store
        self._digest_every = digest_every
        self._snapshot_every = snapshot_every
        self._fold: Fold
        self._spawn: Spawn
        self._settled: Callable[[int], Awaitable[None]] | None = None
        self._due = self._digest_due = self._snapshot_due = 0
        self._photograph: Photograph | None = None
        self._developing: asyncio.Task[None] | None = None
        self._began = self._rests_until = 0.0
        """When the last picture was begun, and when the next one may be."""
        self._number = 0
        self._passed: deque[float] = deque(maxlen=RECENT)
        """When the last marks were passed."""
        self._own: dict[Position, Snapshot] = {}
        self.snapshot: Position | None = None
        self.digest: Position | None = None

    def follow(self, fold: Fold, spawn: Spawn) -> None:
        """From now on pictures are taken to be compared. ``spawn`` starts a task; its StateDiffers ends the engine."""
        self._begin(fold, spawn, None)

    def lead(self, fold: Fold, spawn: Spawn, settled: Callable[[int], Awaitable[None]]) -> None:
        """From now on pictures are taken to be published, once ``settled`` says that their events are."""
        self._begin(fold, spawn, settled)

    def _begin(self, fold: Fold, spawn: Spawn, settled: Callable[[int], Awaitable[None]] | None) -> None:
        self._fold, self._spawn, self._settled = fold, spawn, settled
        self._number = fold.total // self._digest_every
        self._digest_due = _next(fold.total, self._digest_every)
        self._snapshot_due = _next(fold.total, self._snapshot_every)
        self._due = self._digest_due if settled is None else min(self._digest_due, self._snapshot_due)

    def applied(self) -> None:
        """One more entry has been applied."""
        if self._fold.total >= self._due:
            self._pass_mark()

    def _pass_mark(self) -> None:
        total = self._fold.total
        leading = self._settled is not None
        marked = total >= self._digest_due and self._takes(total // self._digest_every)
        whole = leading and total >= self._snapshot_due
        self._digest_due = _next(total, self._digest_every)
        if (marked or whole) and self._is_free():
            if whole:
                self._snapshot_due = _next(total, self._snapshot_every)
            self._began = asyncio.get_running_loop().time()
            self._photograph = Photograph(self._fold, whole=whole)
            self._developing = self._spawn(self._develop(self._photograph))
        self._due = min(self._digest_due, self._snapshot_due) if leading else self._digest_due

    def _takes(self, number: int) -> bool:
        """Whether the mark of this number is one of this engine's: the first, second, fourth, ... as they come now."""
        now = asyncio.get_running_loop().time()
        before, self._number = self._number, number
        self._passed.append(now)
        seconds_a_mark = (now - self._passed[0]) / len(self._passed)
        step = 1
        while step < LONGEST_STEP and step * seconds_a_mark < self._rests_until - self._began:
            step *= 2
        return number // step > before // step

    def _is_free(self) -> bool:
        done = self._developing is None or self._developing.done()
        return done and asyncio.get_running_loop().time() >= self._rests_until

    async def _develop(self, photograph: Photograph) -> None:
        """A picture that fails costs recovery time and nothing else. Raises StateDiffers."""
        try:
            found = await photograph.develop()
            rest = photograph.processor_seconds * (SHARE - 1)
            self._rests_until = asyncio.get_running_loop().time() + rest
            if self._settled is None:
                self._own[photograph.position] = found
                await self.compare()
                return
            await self._settled(found.sequence)
            await (self._store.save if photograph.whole else self._store.publish)(found)
        except (SnapshotFailed, RedisError, OSError) as error:
            log.error("no picture of the state", position=str(photograph.position), reason=str(error))
            return
        self.digest = photograph.position
        if photograph.whole:
            self.snapshot = photograph.position
            log.info("snapshot", position=str(photograph.position), sequence=found.sequence, size=len(found.body))

    async def compare(self) -> None:
        """Holds the digests of a follower against those published by now. Raises StateDiffers, and redis' errors."""
        for position, own in list(self._own.items()):
            if await self._store.compare(own):
                self.digest = max(position, self.digest or position)
                # The other task that compares may have been quicker.
                self._own.pop(position, None)
        while len(self._own) > REMEMBERED:
            del self._own[next(iter(self._own))]

    async def leave(self) -> None:
        """At a clean stop the leader leaves a snapshot behind, unless the last one stands here. Raises StateDiffers."""
        if self._developing is not None and self._photograph is not None:
            self._photograph.hurry()
            await asyncio.wait((self._developing,))
        if self.snapshot != self._fold.position:
            photograph = Photograph(self._fold)
            photograph.hurry()
            await self._develop(photograph)

    def give_up(self) -> None:
        """A picture that is still under way is not waited for."""
        if self._developing is not None:
            self._developing.cancel()


def _next(total: int, every: int) -> int:
    """The next multiple."""
    return (total // every + 1) * every
