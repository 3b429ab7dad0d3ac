"""The engine process: it follows the journal until no engine leads, then leads, until it is stopped, asked to hand over
or deposed.

Every engine has the present state before it asks for the lease, so when a leader ends the market waits for the rest of
its lease and not for a recovery. A lost connection costs nothing but time: the state stays, every task tries again, and
the check that the server makes for the publisher renders a second sending harmless.
"""

import asyncio
import contextlib
import signal
from functools import partial
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from goldx.hosting.progress import Progress
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
from goldx.streams.server_clock import ServerClock
from matching.run.checkpoints import Checkpoints
from matching.run.lease import Lease
from matching.run.left_sessions import LeftSessions
from matching.run.publisher import Publisher, StreamBroken
from matching.run.recovery import ENTRIES_PER_READ, Recovery, apply_entries
from matching.run.snapshot_store import SnapshotStore

log = structlog.get_logger()

TICK_MS: Final = 1_000
"""The silence in the journal after which the leader appends a tick of the clock."""
FOLLOW_MS: Final = 100
"""The silence in the journal after which a follower reads what is published."""
STOP_SECONDS: Final = 5.0
"""The time for which a clean stop waits for the server; the next leader publishes what is not published by then."""


class EngineProcess:
    """One run of a shard's engine: ``check_durability``, then ``run``, then ``close``.

    With ``standby`` it gives way at its start to an engine that is started without.
    """

    def __init__(self, settings: Settings, redis_url: str, *, standby: bool = False) -> None:
        self._settings = settings
        self._keys = Keys(settings.shard)
        self._reading = connect(redis_url, timeout=TICK_MS / 1_000 + 5.0)
        self._writing = connect(redis_url)
        self._leasing = connect(redis_url)
        self._reporting = connect(redis_url)
        self._journal_connection = RedisConnection(self._reading)
        self._events_connection = RedisConnection(self._writing)
        self._lease = Lease(self._leasing, self._keys, settings.lease_ms, settings.require_replicas)
        self._journal = Journal(self._reading, self._keys, settings.require_replicas, self._journal_connection)
        store = SnapshotStore(self._writing, self._keys)
        self._checkpoints = Checkpoints(store, settings.digest_every, settings.snapshot_every)
        archive = archive_in(settings.archive_dir)
        self._progress = Progress("engine")
        self._recovery = Recovery(self._writing, self._keys, archive, self._entry_applied, settings.require_replicas)
        self._publisher: Publisher | None = None
        """Set while this engine leads."""
        self._standby = standby
        self._role = RECOVERING
        self._role_changed = asyncio.Event()
        """Set when the role has changed, so that this is published at once."""
        self._caught_up = asyncio.Event()
        self._durability = "unknown"
        self._journal_checked = True
        self._announced = False
        self._name = engines.own_name()

    async def close(self) -> None:
        """Close the connections."""
        self._journal_connection.close()
        self._events_connection.close()
        for client in (self._reading, self._writing, self._leasing, self._reporting):
            await client.aclose()

    async def check_durability(self) -> None:
        """Ask the server how durable it is. Raises WeakDurability."""
        weak = self._settings.allow_weak_durability
        durability = await retry_on_outage(
            "asking for the durability",
            lambda: require_durability(self._writing, allow_weak=weak, replicas=self._settings.require_replicas),
        )
        self._durability = str(durability)
        if not durability.is_full:
            log.warning("the server may acknowledge orders before they are on the disk", durability=self._durability)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set.

        Raises whatever else ends it: Deposed, StreamBroken, CoreFailed, StateDiffers, and errors of the server that
        waiting does not mend.
        """
        give_way = self._standby
        try:
            async with asyncio.TaskGroup() as tasks:
                reporting = tasks.create_task(self._keep_reporting())
                recovering = tasks.create_task(retry_on_outage("recovering", self._recovery.start))
                if await _ends_before_stop(recovering, stop):
                    self._checkpoints.last_snapshot = self._recovery.fold.position
                    while await self._follow(stop, tasks, give_way) and await self._lead(stop, tasks):
                        give_way = True
                reporting.cancel()
                self._checkpoints.cancel()
                # If this fails, the status expires by itself.
                with contextlib.suppress(RedisError, OSError):
                    await engines.remove_status(self._reporting, self._keys, self._name)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _follow(self, stop: asyncio.Event, tasks: asyncio.TaskGroup, give_way: bool) -> bool:
        """Follow the journal until this engine holds the lease; return False if it is stopped before."""
        self._checkpoints.follow(self._recovery.fold, tasks.create_task)
        following = tasks.create_task(self._keep_following())
        leasing = tasks.create_task(self._wait_for_lease(give_way))
        leads = await _ends_before_stop(leasing, stop)
        following.cancel()
        await asyncio.wait((following,))
        return leads

    async def _wait_for_lease(self, give_way: bool) -> None:
        """Acquire the lease once the journal's end is reached; print READY if that takes time."""
        await self._caught_up.wait()
        waiting = asyncio.create_task(self._lease.acquire(give_way=give_way))
        try:
            if not self._announced:
                # An engine started without --standby may wait for nothing but the rest of a former leader's lease.
                timeout = 0.0 if self._standby else 2 * self._settings.lease_ms / 1_000
                await asyncio.wait((waiting,), timeout=timeout)
                if not waiting.done():
                    self._announce(STANDBY)
            await waiting
        finally:
            waiting.cancel()

    async def _keep_following(self) -> None:
        """Apply the journal until cancelled."""
        recovery = self._recovery
        await retry_on_outage("recovering", recovery.reach_end)
        self._set_role(STANDBY)
        self._caught_up.set()
        log.info("follows", position=str(recovery.fold.position), sequence=recovery.fold.engine.sequence)
        while True:
            position = recovery.fold.position
            entries = await retry_on_outage("reading the journal", partial(self._next_entries, position, FOLLOW_MS))
            await retry_on_outage("following", partial(self._follow_entries, entries))

    async def _follow_entries(self, entries: list[tuple[Position, bytes]]) -> None:
        """Apply entries that have been read, except those that an earlier attempt has applied already."""
        reached = self._recovery.fold.position
        await self._recovery.follow([(position, data) for position, data in entries if position > reached])
        await self._checkpoints.compare()

    async def _lead(self, stop: asyncio.Event, tasks: asyncio.TaskGroup) -> bool:
        """Lead until this engine is stopped; return True if it has handed over instead."""
        recovery = self._recovery
        # The lease is renewed from the beginning: catching up may take longer than it lasts.
        renewing = tasks.create_task(self._lease.keep_renewing())
        await retry_on_outage("reading the event stream", recovery.read_published)
        publisher = Publisher(
            self._events_connection,
            self._keys,
            self._lease.epoch,
            recovery.published,
            recovery.previous,
            self._settings.require_replicas,
            ServerClock(self._settings.clock_offset_limit_ms),
        )
        self._publisher = publisher
        self._set_role(LEADER)
        recovery.pass_held_to(publisher)
        self._checkpoints.lead(recovery.fold, tasks.create_task, publisher.wait_confirmed)
        publishing = tasks.create_task(publisher.run())
        left = LeftSessions(self._reporting, self._keys, self._lease.epoch, publisher.append)
        closing = tasks.create_task(left.run())
        handed_over = await _ends_before_stop(tasks.create_task(self._work(publisher)), stop)
        closing.cancel()
        if handed_over:
            await publisher.wait_confirmed(recovery.fold.engine.sequence)
            recovery.stop_leading(publisher)
        else:
            await self._finish(publisher)
        self._log_end()
        for task in (publishing, renewing):
            task.cancel()
        await asyncio.wait((publishing, renewing, closing))
        await self._release()
        self._publisher = None
        if handed_over:
            self._set_role(STANDBY)
            log.info("has handed over", epoch=self._lease.epoch, position=str(recovery.fold.position))
        return handed_over

    async def _work(self, publisher: Publisher) -> None:
        """Do the leader's work until it is asked to hand over and a standby is there."""
        recovery, fold = self._recovery, self._recovery.fold
        await retry_on_outage("catching up", lambda: recovery.catch_up(publisher))
        await publisher.wait_confirmed(fold.engine.sequence)
        log.info("leads", epoch=self._lease.epoch, position=str(fold.position), replayed_commands=fold.commands)
        self._announce(LEADER)
        while True:
            requested = self._lease.hand_over_requested.is_set()
            if requested and await retry_on_outage("looking for a standby", self._has_standby):
                return
            entries = await retry_on_outage("reading the journal", partial(self._next_entries, fold.position, TICK_MS))
            if not entries:
                await retry_on_outage("appending a tick", publisher.tick)
            await apply_entries(fold, publisher, entries, self._checkpoints.entry_applied)
            # The publisher's task sends the events before the next entries are asked for.
            await asyncio.sleep(0)
            await publisher.wait_for_room()

    async def _has_standby(self) -> bool:
        """Return whether another engine can take over; if none can, decline the request."""
        statuses = await engines.read_statuses(self._writing, self._keys)
        if any(status.role == STANDBY and status.engine != self._name for status in statuses):
            return True
        log.warning("asked to hand over, but no standby follows; goes on")
        await self._lease.decline_hand_over()
        return False

    async def _next_entries(self, position: Position, block_ms: int) -> list[tuple[Position, bytes]]:
        """Return the journal's next entries, none after a silence of ``block_ms``. Raises StreamBroken.

        On a new connection it is checked first that the server still has what was read from it before.
        """
        if not (self._journal_checked and self._journal_connection.connected):
            end = await self._journal.end()
            if end < position:
                raise StreamBroken(f"the server's journal ends at {end}, but had been read up to {position} before")
        self._journal_checked = False
        entries = await self._journal.wait(position, ENTRIES_PER_READ, block_ms)
        self._journal_checked = True
        return entries

    def _log_end(self) -> None:
        """Log that this engine stops leading, and how many of its commands did not take the fast path."""
        # Plain orders and cancels that do not take the fast path cost more time (matching.core.plain).
        fold = self._recovery.fold
        state = fold.engine.state
        log.info(
            "stops leading",
            commands=fold.commands,
            general_commands=state.general_commands,
            general_trades=state.general_trades,
        )

    async def _finish(self, publisher: Publisher) -> None:
        """Stop cleanly: publish everything, and store a snapshot, so that the next start is quick."""
        fold = self._recovery.fold
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await publisher.wait_confirmed(fold.engine.sequence)
                await self._checkpoints.finish()
        except TimeoutError:
            log.warning("stops while the server does not answer; the next leader publishes what is left")

    async def _release(self) -> None:
        """Give the lease up, so that the next leader can acquire it at once and not only when it expires."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await retry_on_outage("giving the lease up", self._lease.release)
        except TimeoutError:
            log.warning("the lease could not be given up; it expires by itself")

    def _entry_applied(self) -> None:
        self._checkpoints.entry_applied()
        if not self._announced:
            self._progress.report(self._recovery.fold.position)

    def _announce(self, role: str) -> None:
        """Print the READY line, once: from now on this engine does its work."""
        if not self._announced:
            self._announced = True
            print(
                f"READY engine shard={self._keys.shard} role={role} epoch={self._lease.epoch} "
                f"sequence={self._recovery.fold.engine.sequence} durability={self._durability}",
                flush=True,
            )

    def _set_role(self, role: str) -> None:
        self._role = role
        self._role_changed.set()

    async def _keep_reporting(self) -> None:
        """Publish the status of this engine at intervals and when its role changes, until cancelled."""
        while True:
            self._role_changed.clear()
            await retry_on_outage(
                "publishing the status", lambda: engines.publish_status(self._reporting, self._keys, self._status())
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._role_changed.wait(), engines.EVERY_MS / 1_000)

    def _status(self) -> EngineStatus:
        fold, checkpoints, publisher = self._recovery.fold, self._checkpoints, self._publisher
        return EngineStatus(
            engine=self._name,
            role=self._role,
            epoch=self._lease.epoch if publisher else 0,
            position=str(fold.position),
            sequence=fold.engine.sequence,
            commands=fold.total,
            unpublished=max(0, fold.engine.sequence - (publisher.confirmed if publisher else self._recovery.published)),
            snapshot=str(checkpoints.last_snapshot) if checkpoints.last_snapshot not in (None, BEGINNING) else None,
            digest=str(checkpoints.last_digest) if checkpoints.last_digest else None,
            durability=self._durability,
            chain_breaks=fold.chain_breaks,
            unpublished_ms=publisher.unpublished_ms if publisher else 0,
        )


async def serve(settings: Settings, redis_url: str, *, standby: bool = False) -> None:
    """Run the engine until SIGTERM or SIGINT; it prints READY when it leads or stands by.

    Raises what ``EngineProcess`` raises.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    process = EngineProcess(settings, redis_url, standby=standby)
    try:
        checking = asyncio.create_task(process.check_durability())
        if await _ends_before_stop(checking, stop):
            checking.result()
            await process.run(stop)
    finally:
        await process.close()


async def _ends_before_stop(task: asyncio.Task[Any], stop: asyncio.Event) -> bool:
    """Wait for the end of a task; return False if ``stop`` is set before, after the task was cancelled and is over."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopping, task), return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        for pending in (stopping, task):
            pending.cancel()
        await asyncio.wait((stopping, task))
