"""The engine process: follows the journal until nobody leads, then leads, until it is stopped, asked to hand over or
deposed.

Every engine is warm before it asks for the lease, so a leader's end costs the market the rest of that one's lease and
no recovery. A lost connection costs nothing but time: the state stays, every task tries again, and the publisher's
server-side check makes a second sending harmless.
"""

import asyncio
import contextlib
import signal
from functools import partial
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from goldx.hosting.settings import Settings
from goldx.streams import engines
from goldx.streams.connection import RedisConnection
from goldx.streams.durability import require_durability
from goldx.streams.engines import LEADER, RECOVERING, STANDBY, EngineStatus
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.history import archive_in
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.outages import retry_on_outage
from goldx.streams.redis_client import connect
from matching.run.lease import Lease
from matching.run.marks import Marks
from matching.run.publisher import Publisher, StreamBroken
from matching.run.recovery import ENTRIES_PER_READ, Recovery, advance
from matching.run.snapshot_store import SnapshotStore

log = structlog.get_logger()

TICK_MS: Final = 1_000
"""After how long a silence the leader lets the journal know that time goes on."""
FOLLOW_MS: Final = 100
"""How often a follower looks at the event stream when the journal is silent."""
STOP_SECONDS: Final = 5.0
"""How long a clean stop waits for the server; what is not published by then, the next leader publishes."""


class EngineProcess:
    """One run of a shard's engine: ``prepare``, then ``run``, then ``close``.

    ``standby``: at the start it gives way to an engine that is not one.
    """

    def __init__(self, settings: Settings, redis_url: str, *, standby: bool = False) -> None:
        self._settings = settings
        self._keys = Keys(settings.shard)
        self._reading = connect(redis_url, timeout=TICK_MS / 1_000 + 5.0)
        self._writing = connect(redis_url)
        self._leasing = connect(redis_url)
        self._telling = connect(redis_url)
        self._journal_line = RedisConnection(self._reading)
        self._events_line = RedisConnection(self._writing)
        self._lease = Lease(self._leasing, self._keys, settings.lease_ms, settings.require_replicas)
        self._journal = Journal(self._reading, self._keys, settings.require_replicas, self._journal_line)
        store = SnapshotStore(self._writing, self._keys)
        self._marks = Marks(store, settings.digest_every, settings.snapshot_every)
        archive = archive_in(settings.archive_dir)
        self._recovery = Recovery(self._writing, self._keys, archive, self._marks.applied, settings.require_replicas)
        self._publisher: Publisher | None = None
        """While it leads."""
        self._standby = standby
        self._role = RECOVERING
        self._changed = asyncio.Event()
        """The role is another: that is told at once."""
        self._caught_up = asyncio.Event()
        self._durability = "unknown"
        self._journal_seen = True
        self._announced = False
        self._name = engines.own_name()

    async def close(self) -> None:
        """Closes the connections."""
        self._journal_line.close()
        self._events_line.close()
        for client in (self._reading, self._writing, self._leasing, self._telling):
            await client.aclose()

    async def prepare(self) -> None:
        """Asks the server how durable it is. Raises WeakDurability."""
        weak = self._settings.allow_weak_durability
        durability = await retry_on_outage(
            "asking for the durability",
            lambda: require_durability(self._writing, allow_weak=weak, replicas=self._settings.require_replicas),
        )
        self._durability = str(durability)
        if not durability.is_full:
            log.warning("the server may acknowledge orders before they are on the disk", durability=self._durability)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop``.

        Raises what ends it otherwise: Deposed, StreamBroken, CoreFailed, StateDiffers, and what the server refuses for
        good.
        """
        give_way = self._standby
        try:
            async with asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(self._tell())
                if await _first(stop, tasks.create_task(retry_on_outage("recovering", self._recovery.start))):
                    self._marks.snapshot = self._recovery.fold.position
                    while await self._follow(stop, tasks, give_way) and await self._lead(stop, tasks):
                        give_way = True
                telling.cancel()
                self._marks.give_up()
                # If this fails, the status ends by itself.
                with contextlib.suppress(RedisError, OSError):
                    await engines.remove_status(self._telling, self._keys, self._name)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _follow(self, stop: asyncio.Event, tasks: asyncio.TaskGroup, give_way: bool) -> bool:
        """Keeps the state of a standby until this engine holds the lease, True, or is stopped, False."""
        self._marks.follow(self._recovery.fold, tasks.create_task)
        following = tasks.create_task(self._keep_following())
        leasing = tasks.create_task(self._wait_for_lease(give_way))
        leads = await _first(stop, leasing)
        following.cancel()
        await asyncio.wait((following,))
        return leads

    async def _wait_for_lease(self, give_way: bool) -> None:
        await self._caught_up.wait()
        waiting = asyncio.create_task(self._lease.wait(give_way=give_way))
        try:
            if not self._announced:
                # An engine that is no standby says so only if it is not about to lead: a former leader's lease may be
                # all that it waits for.
                patience = None if self._standby else 2 * self._settings.lease_ms / 1_000
                await asyncio.wait((waiting,), timeout=patience if patience else 0)
                if not waiting.done():
                    self._announce(STANDBY)
            await waiting
        finally:
            waiting.cancel()

    async def _keep_following(self) -> None:
        recovery = self._recovery
        await retry_on_outage("recovering", recovery.reach_end)
        self._play(STANDBY)
        self._caught_up.set()
        log.info("follows", position=str(recovery.fold.position), sequence=recovery.fold.engine.sequence)
        while True:
            position = recovery.fold.position
            entries = await retry_on_outage("reading the journal", partial(self._next_entries, position, FOLLOW_MS))
            await retry_on_outage("following", partial(self._take, entries))

    async def _take(self, entries: list[tuple[Position, bytes]]) -> None:
        """Applies what has been read, but for what an earlier attempt has applied already."""
        position = self._recovery.fold.position
        await self._recovery.follow([entry for entry in entries if entry[0] > position])
        await self._marks.compare()

    async def _lead(self, stop: asyncio.Event, tasks: asyncio.TaskGroup) -> bool:
        """Leads until it is stopped, False, or has handed over, True."""
        recovery = self._recovery
        # The lease is kept from the beginning: what is left to catch up may take longer than it lasts.
        keeping = tasks.create_task(self._lease.keep())
        await retry_on_outage("looking at the event stream", recovery.look)
        leading = (self._lease.epoch, recovery.published, recovery.previous, self._settings.require_replicas)
        publisher = Publisher(self._events_line, self._keys, *leading)
        self._publisher = publisher
        self._play(LEADER)
        recovery.hand_to(publisher)
        self._marks.lead(recovery.fold, tasks.create_task, publisher.settled)
        publishing = tasks.create_task(publisher.run())
        handed_over = False
        if not await _first(stop, tasks.create_task(self._work(publisher))):
            await self._leave(publisher)
        else:
            await publisher.settled(recovery.fold.engine.sequence)
            recovery.resume(publisher)
            handed_over = True
        for task in (publishing, keeping):
            task.cancel()
        await asyncio.wait((publishing, keeping))
        await self._release()
        self._publisher = None
        if handed_over:
            self._play(STANDBY)
            log.info("has handed over", epoch=self._lease.epoch, position=str(recovery.fold.position))
        return handed_over

    async def _work(self, publisher: Publisher) -> None:
        """The leader's work until it is asked to hand over, and a standby is there."""
        recovery, fold = self._recovery, self._recovery.fold
        await retry_on_outage("catching up", lambda: recovery.catch_up(publisher))
        await publisher.settled(fold.engine.sequence)
        log.info("leads", epoch=self._lease.epoch, position=str(fold.position), replayed_commands=fold.commands)
        self._announce(LEADER)
        while True:
            if self._lease.asked.is_set() and await retry_on_outage("looking for a standby", self._has_standby):
                return
            entries = await retry_on_outage("reading the journal", partial(self._next_entries, fold.position, TICK_MS))
            if not entries:
                await retry_on_outage("appending a tick", publisher.tick)
            await advance(fold, publisher, entries, self._marks.applied)
            # The events go out before the next entries are asked for.
            await asyncio.sleep(0)
            await publisher.room()

    async def _has_standby(self) -> bool:
        """Whether another engine can take over. If none can, the request is declined."""
        found = await engines.read_statuses(self._writing, self._keys)
        if any(status.role == STANDBY and status.engine != self._name for status in found):
            return True
        log.warning("asked to hand over, but no standby follows; goes on")
        await self._lease.decline()
        return False

    async def _next_entries(self, position: Position, block_ms: int) -> list[tuple[Position, bytes]]:
        """The journal's next entries; none after a silence. Raises StreamBroken.

        On a new connection the server must first show that it still has what was read from it before.
        """
        if not (self._journal_seen and self._journal_line.connected):
            end = await self._journal.end()
            if end < position:
                raise StreamBroken(f"the server's journal ends at {end}, but had been read up to {position} before")
        self._journal_seen = False
        entries = await self._journal.wait(position, ENTRIES_PER_READ, block_ms)
        self._journal_seen = True
        return entries

    async def _leave(self, publisher: Publisher) -> None:
        """The clean stop: everything published, and a snapshot, so that the next start is quick."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await publisher.settled(self._recovery.fold.engine.sequence)
                await self._marks.leave()
        except TimeoutError:
            log.warning("stops while the server does not answer; the next leader publishes what is left")

    async def _release(self) -> None:
        """Lets the next leader in at once. A server that does not answer lets it in when the lease ends."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await retry_on_outage("giving the lease up", self._lease.release)
        except TimeoutError:
            log.warning("the lease could not be given up; it ends by itself")

    def _announce(self, role: str) -> None:
        """Says READY, once: from now on this engine does what it is there for."""
        if not self._announced:
            self._announced = True
            print(
                f"READY engine shard={self._keys.shard} role={role} epoch={self._lease.epoch} "
                f"sequence={self._recovery.fold.engine.sequence} durability={self._durability}",
                flush=True,
            )

    def _play(self, role: str) -> None:
        self._role = role
        self._changed.set()

    async def _tell(self) -> None:
        """Says how it stands, again and again."""
        while True:
            self._changed.clear()
            await retry_on_outage(
                "publishing the status", lambda: engines.publish_status(self._telling, self._keys, self._status())
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), engines.EVERY_MS / 1_000)

    def _status(self) -> EngineStatus:
        fold, marks, publisher = self._recovery.fold, self._marks, self._publisher
        return EngineStatus(
            engine=self._name,
            role=self._role,
            epoch=self._lease.epoch if publisher else 0,
            position=str(fold.position),
            sequence=fold.engine.sequence,
            commands=fold.total,
            unpublished=max(0, fold.engine.sequence - (publisher.confirmed if publisher else self._recovery.published)),
            snapshot=str(marks.snapshot) if marks.snapshot not in (None, BEGINNING) else None,
            digest=str(marks.digest) if marks.digest else None,
            durability=self._durability,
            chain_breaks=fold.breaks,
        )


async def serve(settings: Settings, redis_url: str, *, standby: bool = False) -> None:
    """Runs the engine until SIGTERM or SIGINT; prints READY when it leads or stands by.

    Raises what ``EngineProcess`` raises.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    process = EngineProcess(settings, redis_url, standby=standby)
    try:
        preparing = asyncio.create_task(process.prepare())
        if await _first(stop, preparing):
            preparing.result()
            await process.run(stop)
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
