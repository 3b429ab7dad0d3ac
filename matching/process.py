"""The engine process: takes the lease, recovers, applies what comes, publishes, until it is stopped or deposed.

One task reads the journal and applies, one publishes, one keeps the lease, each on a connection of its own. A lost
connection costs nothing but time: the state stays, every task tries again, and the publisher's server-side check makes
a second sending harmless.
"""

import asyncio
import signal
from typing import Any

import structlog
from redis.exceptions import RedisError

from goldx.durability import require_durability
from goldx.history import archive_in
from goldx.settings import Settings
from goldx.streams import Journal, Keys, Position, connect
from matching.fold import Fold
from matching.lease import Lease
from matching.patience import patiently
from matching.publisher import Publisher, StreamBroken
from matching.recovery import ENTRIES_PER_READ, Recovery, advance
from matching.snapshot_store import Photograph, SnapshotFailed, SnapshotStore

log = structlog.get_logger()

TICK_MS = 1_000
"""After how long a silence the leader lets the journal know that time goes on."""
STOP_SECONDS = 5.0
"""How long a clean stop waits for the server; what is not published by then, the next leader publishes."""


class EngineProcess:
    """One run of a shard's engine: ``wait_for_lease``, then ``lead``, then ``close``."""

    def __init__(self, settings: Settings, redis_url: str) -> None:
        self._settings = settings
        self._keys = Keys(settings.shard)
        self._reading = connect(redis_url, timeout=TICK_MS / 1_000 + 5.0)
        self._writing = connect(redis_url)
        self._leasing = connect(redis_url)
        self._lease = Lease(self._leasing, self._keys, settings.lease_ms)
        self._journal = Journal(self._reading, self._keys)
        self._store = SnapshotStore(self._writing, self._keys)
        self._recovery = Recovery(self._writing, self._keys, archive_in(settings.archive_dir))
        self._durability = "unknown"
        self._journal_seen = True
        self._photographed = 0
        """Commands applied when the last snapshot was begun."""
        self._developing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Closes the connections."""
        for client in (self._reading, self._writing, self._leasing):
            await client.aclose()

    async def wait_for_lease(self) -> None:
        """Returns when this engine leads. Raises WeakDurability."""
        weak = self._settings.allow_weak_durability
        durability = await patiently(
            "asking for the durability", lambda: require_durability(self._writing, allow_weak=weak)
        )
        self._durability = str(durability)
        if not durability.is_full:
            log.warning("the server may acknowledge orders before they are on the disk", durability=self._durability)
        await self._lease.wait()

    async def lead(self, stop: asyncio.Event) -> None:
        """Recovers and works until ``stop``.

        Raises what ends it otherwise: Deposed, StreamBroken, CoreFailed, StateDiffers, and what the server refuses for
        good.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                # The lease is kept from the beginning: a recovery may take longer than it lasts.
                helpers = [tasks.create_task(self._lease.keep())]
                starting = tasks.create_task(patiently("recovering", self._recovery.start))
                if await _first(stop, starting):
                    fold, published, previous = starting.result()
                    publisher = Publisher(self._writing, self._keys, self._lease.epoch, published, previous)
                    helpers.append(tasks.create_task(publisher.run()))
                    if not await _first(stop, tasks.create_task(self._work(fold, publisher, tasks))):
                        await self._leave(fold, publisher)
                for helper in helpers:
                    helper.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        await self._lease.release()

    async def _work(self, fold: Fold, publisher: Publisher, tasks: asyncio.TaskGroup) -> None:
        await patiently("recovering", lambda: self._recovery.catch_up(fold, publisher))
        await publisher.settled(fold.engine.sequence)
        log.info("leads", epoch=self._lease.epoch, position=str(fold.position), replayed_commands=fold.commands)
        print(
            f"READY engine shard={self._keys.shard} epoch={self._lease.epoch} sequence={fold.engine.sequence} "
            f"durability={self._durability}",
            flush=True,
        )
        while True:
            entries = await patiently("reading the journal", lambda: self._next_entries(fold.position))
            if not entries:
                await patiently("appending a tick", publisher.tick)
            await advance(fold, publisher, entries)
            due = fold.commands - self._photographed >= self._settings.snapshot_every
            if due and (self._developing is None or self._developing.done()):
                self._photographed = fold.commands
                self._developing = tasks.create_task(self._keep(Photograph(fold), publisher))

    async def _next_entries(self, position: Position) -> list[tuple[Position, bytes]]:
        """The journal's next entries; none after a second of silence. Raises StreamBroken.

        On a new connection the server must first show that it still has what was read from it before.
        """
        if not self._journal_seen:
            end = await self._journal.end()
            if end < position:
                raise StreamBroken(f"the server's journal ends at {end}, but had been read up to {position} before")
        self._journal_seen = False
        entries = await self._journal.wait(position, ENTRIES_PER_READ, TICK_MS)
        self._journal_seen = True
        return entries

    async def _keep(self, photograph: Photograph, publisher: Publisher) -> None:
        """Stores a snapshot once its events are published. One that fails costs recovery time and nothing else."""
        try:
            snapshot = await photograph.develop()
            await publisher.settled(snapshot.sequence)
            await self._store.save(snapshot)
        except (SnapshotFailed, RedisError, OSError) as error:
            log.error("no snapshot", position=str(photograph.position), reason=str(error))
        else:
            log.info("snapshot", position=str(photograph.position), sequence=snapshot.sequence, size=len(snapshot.body))

    async def _leave(self, fold: Fold, publisher: Publisher) -> None:
        """The clean stop: everything published, and a snapshot, so that the next start is quick."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await publisher.settled(fold.engine.sequence)
                if self._developing is not None:
                    await self._developing
                if fold.commands != self._photographed:
                    await self._keep(Photograph(fold), publisher)
        except TimeoutError:
            log.warning("stops while the server does not answer; the next leader publishes what is left")


async def serve(settings: Settings, redis_url: str) -> None:
    """Runs the engine until SIGTERM or SIGINT; prints READY when it leads. Raises what ``EngineProcess`` raises."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    process = EngineProcess(settings, redis_url)
    try:
        waiting = asyncio.create_task(process.wait_for_lease())
        if await _first(stop, waiting):
            waiting.result()
            await process.lead(stop)
    finally:
        await process.close()


async def _first(stop: asyncio.Event, task: asyncio.Task[Any]) -> bool:
    """Waits for the end of a task, True, or for the stop: then the task is cancelled and over, False."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopping, task), return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        for pending in (stopping, task):
            pending.cancel()
        await asyncio.wait((stopping, task))
