"""Pictures of the state on the way: its digest at places that all engines agree on, and the leader's snapshots.

A mark is the entry with which the number of commands since the journal's beginning passes a multiple of
``digest_every``. The leader publishes its digest there, a standby and a recovery hold theirs against the published:
whose state differs stops, and never leads. The pictures are taken by a forked child; while one is being taken, marks
are passed by, so however fast the market is, it pays for one picture at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from goldx.streams import Position
from matching.fold import Fold
from matching.snapshot_store import Photograph, Snapshot, SnapshotFailed, SnapshotStore

log = structlog.get_logger()

SHARE: Final = 5
"""A picture that took a second is followed by none for four: pictures get at most a fifth of one processor."""
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
        self._developing: asyncio.Task[None] | None = None
        self._rests_until = 0.0
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
        marked = total >= self._digest_due
        whole = leading and total >= self._snapshot_due
        if marked:
            self._digest_due = _next(total, self._digest_every)
        if self._is_free() and (marked or whole):
            if whole:
                self._snapshot_due = _next(total, self._snapshot_every)
            self._developing = self._spawn(self._develop(Photograph(self._fold, whole=whole)))
        self._due = min(self._digest_due, self._snapshot_due) if leading else self._digest_due

    def _is_free(self) -> bool:
        done = self._developing is None or self._developing.done()
        return done and asyncio.get_running_loop().time() >= self._rests_until

    async def _develop(self, photograph: Photograph) -> None:
        """A picture that fails costs recovery time and nothing else. Raises StateDiffers."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            found = await photograph.develop()
            self._rests_until = clock() + (clock() - began) * (SHARE - 1)
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
                del self._own[position]
        while len(self._own) > REMEMBERED:
            del self._own[next(iter(self._own))]

    async def leave(self) -> None:
        """At a clean stop the leader leaves a snapshot behind, unless the last one stands here. Raises StateDiffers."""
        if self._developing is not None:
            await asyncio.wait((self._developing,))
        if self.snapshot != self._fold.position:
            await self._develop(Photograph(self._fold))


def _next(total: int, every: int) -> int:
    """The next multiple."""
    return (total // every + 1) * every
