"""Checkpoints: the places in the journal at which engines take snapshots and compare digests of their state.

A checkpoint is the entry with which the number of commands since the journal's beginning passes a multiple of
``digest_every``. The leader publishes the digest of its state there; a standby and a recovery compare theirs with the
published one, and an engine whose state differs stops and never leads. Snapshots and digests are taken by a forked
child, one at a time, and cost the market at most a hundredth of a processor. An engine for which the checkpoints come
too fast uses only every second, fourth, eighth one: whatever the steps of two engines are, the checkpoints of the
longer step are among those of the shorter, so that they have some in common.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from goldx.streams.entries import Position
from matching.run.fold import Fold
from matching.run.forked_snapshot import ForkedSnapshot
from matching.run.snapshot_store import SnapshotStore
from matching.run.snapshots import Snapshot, SnapshotFailed

log = structlog.get_logger()

SHARE: Final = 100
"""A snapshot that cost a second of processor time is followed by none for 99 seconds. So while the market is busy
snapshots take a hundredth of one processor, and the slowest hundredth of the orders is not those that met one."""
LONGEST_STEP: Final = 1 << 10
"""Checkpoints from one that is used to the next, at most."""
RECENT: Final = 8
"""The number of checkpoints from whose times the pace of the market is estimated."""
REMEMBERED: Final = 100
"""Digests of this engine that are kept until the leader has published its own, at most."""

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Checkpoints:
    """The snapshots and digests of one engine. ``entry_applied`` has to be called after every journal entry.

    ``last_snapshot`` is the journal position of the last snapshot stored, ``last_digest`` that of the last digest that
    was published here or found equal to the published one.
    """

    def __init__(self, store: SnapshotStore, digest_every: int, snapshot_every: int) -> None:
        self._store = store
        self._digest_every = digest_every
        self._snapshot_every = snapshot_every
        self._fold: Fold
        self._spawn: Spawn
        self._wait_published: Callable[[int], Awaitable[None]] | None = None
        """Set while this engine leads."""
        self._due = self._digest_due = self._snapshot_due = 0
        self._forked: ForkedSnapshot | None = None
        self._taking: asyncio.Task[None] | None = None
        self._began = self._free_from = 0.0
        """When the last snapshot was begun, and when the next one may be."""
        self._number = 0
        self._passed: deque[float] = deque(maxlen=RECENT)
        """When the last checkpoints were passed."""
        self._own: dict[Position, Snapshot] = {}
        self.last_snapshot: Position | None = None
        self.last_digest: Position | None = None

    def follow(self, fold: Fold, spawn: Spawn) -> None:
        """From now on take digests and compare them. ``spawn`` starts a task; StateDiffers in it ends the engine."""
        self._begin(fold, spawn, None)

    def lead(self, fold: Fold, spawn: Spawn, wait_published: Callable[[int], Awaitable[None]]) -> None:
        """From now on take snapshots and digests and publish them; ``wait_published`` waits for events up to then."""
        self._begin(fold, spawn, wait_published)

    def _begin(self, fold: Fold, spawn: Spawn, wait_published: Callable[[int], Awaitable[None]] | None) -> None:
        self._fold, self._spawn, self._wait_published = fold, spawn, wait_published
        self._number = fold.total // self._digest_every
        self._digest_due = _next_multiple(fold.total, self._digest_every)
        self._snapshot_due = _next_multiple(fold.total, self._snapshot_every)
        self._due = self._digest_due if wait_published is None else min(self._digest_due, self._snapshot_due)

    def entry_applied(self) -> None:
        """Take note that one more journal entry has been applied."""
        if self._fold.total >= self._due:
            self._pass_checkpoint()

    def _pass_checkpoint(self) -> None:
        total = self._fold.total
        leading = self._wait_published is not None
        wants_digest = total >= self._digest_due and self._uses(total // self._digest_every)
        wants_state = leading and total >= self._snapshot_due
        self._digest_due = _next_multiple(total, self._digest_every)
        if (wants_digest or wants_state) and self._is_free():
            if wants_state:
                self._snapshot_due = _next_multiple(total, self._snapshot_every)
            self._began = asyncio.get_running_loop().time()
            self._forked = ForkedSnapshot(self._fold, with_state=wants_state)
            self._taking = self._spawn(self._take(self._forked))
        self._due = min(self._digest_due, self._snapshot_due) if leading else self._digest_due

    def _uses(self, number: int) -> bool:
        """Return whether this engine uses the checkpoint of a number: every first, second, fourth, ... at this pace."""
        now = asyncio.get_running_loop().time()
        before, self._number = self._number, number
        self._passed.append(now)
        seconds_apart = (now - self._passed[0]) / len(self._passed)
        step = 1
        while step < LONGEST_STEP and step * seconds_apart < self._free_from - self._began:
            step *= 2
        return number // step > before // step

    def _is_free(self) -> bool:
        done = self._taking is None or self._taking.done()
        return done and asyncio.get_running_loop().time() >= self._free_from

    async def _take(self, forked: ForkedSnapshot) -> None:
        """Wait for a snapshot and publish or compare it. One that fails is only logged. Raises StateDiffers."""
        try:
            snapshot = await forked.result()
            self._free_from = asyncio.get_running_loop().time() + forked.processor_seconds * (SHARE - 1)
            if self._wait_published is None:
                self._own[forked.position] = snapshot
                await self.compare()
                return
            await self._wait_published(snapshot.sequence)
            await (self._store.save if forked.with_state else self._store.publish)(snapshot)
        except (SnapshotFailed, RedisError, OSError) as error:
            log.error("no snapshot of the state", position=str(forked.position), reason=str(error))
            return
        self.last_digest = forked.position
        if forked.with_state:
            self.last_snapshot = forked.position
            size = len(snapshot.body)
            log.info("snapshot", position=str(forked.position), sequence=snapshot.sequence, size=size)

    async def compare(self) -> None:
        """Compare the digests of a follower with those published by now. Raises StateDiffers, and redis' errors."""
        for position, own in list(self._own.items()):
            if await self._store.compare(own):
                self.last_digest = max(position, self.last_digest or position)
                # The other task that compares may have removed it already.
                self._own.pop(position, None)
        while len(self._own) > REMEMBERED:
            del self._own[next(iter(self._own))]

    async def finish(self) -> None:
        """Store a snapshot at a leader's clean stop, unless there is one of this place already. Raises StateDiffers."""
        if self._taking is not None and self._forked is not None:
            self._forked.stop_pacing()
            await asyncio.wait((self._taking,))
        if self.last_snapshot != self._fold.position:
            forked = ForkedSnapshot(self._fold)
            forked.stop_pacing()
            await self._take(forked)

    def cancel(self) -> None:
        """Give up a snapshot that is still being taken."""
        if self._taking is not None:
            self._taking.cancel()


def _next_multiple(total: int, every: int) -> int:
    return (total // every + 1) * every
