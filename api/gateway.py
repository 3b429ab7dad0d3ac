"""The gateway: it assembles view, sequencer and sessions, and follows the event stream."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any, Final

import structlog
from msgspec import to_builtins
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.condition import Condition
from api.edge.allowance import Allowances
from api.edge.auth import Authenticator
from api.edge.command_keys import CommandKeys
from api.edge.key_register import KeyRegister
from api.edge.outcome import Outcome, Refusal
from api.edge.stalls import Stalls
from api.folding import Folding
from api.journal.newest_events import NewestEvents
from api.journal.sequencer import Sequencer
from api.sessions.act_log import ActLog
from api.sessions.gateway_lease import GatewayLease
from api.sessions.link import Link
from api.sessions.next_day import plans_of
from api.sessions.queries import Queries
from api.sessions.quick import Quick
from api.sessions.session import Method
from api.sessions.sessions import Sessions
from api.sessions.stopped_orders import StoppedOrders
from api.sessions.subscriptions import Subscriptions
from api.sessions.trading import Trading
from api.staff import StaffProcess
from api.startup import RETRY_SECONDS, together, when_redis_answers
from api.stopping_breaks import StoppingBreaks
from api.view import snapshot
from api.view.snapshot import ViewSnapshotFailed
from api.view.snapshot_file import SnapshotFile
from api.view.view import View
from goldx.hosting.progress import Progress
from goldx.hosting.settings import Settings
from goldx.protocol.commands import AnyCommand
from goldx.retry import is_any_of, retry
from goldx.streams.connection import RedisConnection
from goldx.streams.durability import require_durability
from goldx.streams.entries import Position
from goldx.streams.frames import EventFrame
from goldx.streams.history import EventsMissing, WholeEvents, archive_in, last_event
from goldx.streams.journal import begin_run
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.streams.registrations import Registrations
from goldx.streams.server_clock import ServerClock
from goldx.timetable.calendar_file import status as calendar_status
from settlement.base import database
from settlement.base.key_reader import KeyReader
from settlement.service.standings import Standings, write_late

log = structlog.get_logger()

TAIL_TIMEOUT: Final = 10.0
"""Seconds; longer than a blocking read, so that a server that does not answer any more is noticed."""
LONGEST_SILENCE: Final = 3.0
"""Seconds without an answer to a blocking read (of one second) after which the server counts as stopped."""
FRAMES_AT_ONCE: Final = 500
FRAMES_PER_TURN: Final = 20
"""Frames of the history that are folded in one turn of the loop."""
ANSWER_SECONDS: Final = 15.0
"""The time in which a command over REST must be answered."""


class DivergedStream(RuntimeError):
    """Raised when the server's event stream is not the one that this gateway has folded: it has to start again."""


class Gateway:
    """One run of the service. ``failed`` is called when the gateway cannot go on."""

    def __init__(self, settings: Settings, redis_url: str, database_url: str, failed: Callable[[], None]) -> None:
        self.settings = settings
        self.keys = Keys(settings.shard)
        self.view = View()
        self.run = 0
        self.durability = "unknown"
        """The durability of the server when this run began."""
        self._redis_url = redis_url
        self._failed = failed
        self._redis: Redis = connect(redis_url)
        self._tail_redis: Redis = connect(redis_url, timeout=TAIL_TIMEOUT)
        archive = archive_in(settings.archive_dir)
        self.events = WholeEvents(self._redis, self.keys, archive)
        self._tail_connection = RedisConnection(self._tail_redis)
        self._tail_events = WholeEvents(self._tail_redis, self.keys, archive, self._tail_connection)
        self.database = database.connect(database_url)
        self._stopping_breaks = StoppingBreaks(self.database)
        reader = KeyReader(database_url)
        self.register = KeyRegister(reader, self._redis, self.keys, partial(write_late, self.database))
        self.standings = Standings(database_url, self.database, self._redis, self.keys)
        self.authenticator = Authenticator(self.register)
        self.stalls = Stalls()
        self.staff = StaffProcess(settings, redis_url, database_url) if settings.staff_process else None
        """Answers requests of staff; if None, the gateway answers them itself."""
        self._acts = ActLog(self._redis, self.keys, settings.gateway_id)
        self.command_keys = CommandKeys(self._redis, self.keys)
        self._lease = GatewayLease(self._redis, self.keys, settings.gateway_id, settings.require_replicas)
        self.anonymous = Allowances(settings.anonymous_rate, settings.anonymous_burst, time.monotonic)
        """By address: the allowance for requests without a key, over REST and the WebSocket together."""
        self.by_key = Allowances(settings.session_rate, settings.session_burst, time.monotonic)
        """By key id: the allowance for requests over REST."""
        self.clock = ServerClock(settings.clock_offset_limit_ms)
        self.condition: Condition
        self.queries: Queries
        self.sequencer: Sequencer
        self.sessions: Sessions
        self.trading: Trading
        self._quick: Quick
        self._methods: dict[str, Method] = {}
        self._tasks: list[asyncio.Task[None]] = []
        file = settings.data_dir.absolute() / "views" / f"{settings.shard}.{settings.gateway_id}.view"
        self._snapshots = SnapshotFile(file, settings.view_snapshot_every)
        self._plans = plans_of(settings)
        self.tailing = False
        """Whether the event stream is being followed."""
        self._heard_at = 0.0
        """The time of the last answer of the event stream's server, by the clock of the loop."""

    async def start(self) -> None:
        """Fold the events since the snapshot of the view, close the sessions of the former run, and serve.

        Waits for Redis. Raises WeakDurability, NoReplicas, EventsMissing and BadArchive.
        """
        await when_redis_answers(self._check_durability)
        await together(self._claim_name(), self._build_view())
        await when_redis_answers(self._number_run)
        writer = f"{self.settings.gateway_id}.{self.run}"
        self.sequencer = Sequencer(
            self._redis_url,
            self.keys,
            writer,
            lambda: self.view.position,
            self.settings.disk_reserve_mb,
            self.settings.require_replicas,
            self.clock,
            self._lease.fence,
        )
        await when_redis_answers(self.sequencer.open)
        await self.register.open()
        await when_redis_answers(self._fold_history)
        self._begin_following()
        await when_redis_answers(self._observe)
        self.queries = Queries(self.view)
        self.sessions = Sessions(
            self.settings,
            writer,
            Registrations(self._redis, self.keys, self.settings.gateway_id),
            self.view,
            self.sequencer,
            self.register,
            self.anonymous,
            self._acts,
        )
        self.register.ended = self.sessions.revoke
        self._lease.lost = lambda: self.sessions.spawn(self.sessions.ends.close_left())
        self.trading = Trading(
            self.view,
            self.sequencer,
            NewestEvents(self.view, self.events.last_sequence, self.sessions.spawn).wait,
            self.database,
            self.sessions.spawn,
            self._acts,
            self._plans,
        )
        self._quick = Quick(self.view, self.sequencer, self.trading)
        subscriptions = Subscriptions(
            self.view,
            self.queries,
            self.events,
            self.sessions.spawn,
            self.sessions.queued,
            self.settings.session_queue_kb * 1_024,
            self.sessions.cut,
        )
        for part in (self.sessions, self.trading, self.queries, subscriptions):
            self._methods |= part.methods
        for work in self._work():
            self._begin(work)
        self.sessions.spawn(self.sessions.ends.close_left(former_runs=True))

    async def stop(self) -> None:
        """Close all sessions, and append what is still waiting to the journal."""
        with contextlib.suppress(Refusal, RedisError, OSError, TimeoutError):
            left = await self.sessions.stop()
            await self._lease.release(sessions_left=left)
        with contextlib.suppress(RedisError, OSError):
            await self._acts.drain()
        await self._cancel_tasks()
        await self.sequencer.close()
        await self._snapshots.finish(self.view)
        await self.disconnect()

    async def disconnect(self) -> None:
        """Drop the connections to the servers, which are all that a gateway has before its start."""
        await self._cancel_tasks()
        await self.register.close()
        self._tail_connection.close()
        await self._redis.aclose()
        await self._tail_redis.aclose()
        await self.database.dispose()
        if self.staff is not None:
            await self.staff.stop()

    def _work(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield the tasks of a gateway besides its requests."""
        yield self.sequencer.run()
        yield self._tail()
        yield self.register.run()
        yield self.stalls.watch()
        yield self._acts.run()
        yield self.sessions.close_stale()
        yield self.sessions.ends.follow()
        yield StoppedOrders(self.register, self.view, self.command).follow()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a part of the gateway. If it fails, the gateway ends."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._task_ended)
        self._tasks.append(task)

    async def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve_session(self, link: Link, address: str) -> None:
        """Serve one accepted connection from an address to its end."""
        ended = asyncio.Event()
        self.sessions.open(link, address, self._methods, self._quick.take, ended.set)
        await ended.wait()

    async def command(self, command: AnyCommand) -> Outcome:
        """Place one command and return its events. Raises Refusal, or TimeoutError if no answer came in time."""
        return await asyncio.wait_for(self.sequencer.place(command), ANSWER_SECONDS)

    async def status(self) -> dict[str, Any]:
        """Return the status of the gateway and of the engines of its shard; the last known one if the server is away.

        ``server_age_ms`` is the age of the server's answer: position and end of the journal, lag, durability, engines.
        """
        condition, staff = self.condition, self.staff
        await condition.refresh()
        known = condition.known
        return {
            "shard": self.settings.shard,
            "gateway": self.settings.gateway_id,
            "run": self.run,
            "trouble": condition.trouble,
            "server_reachable": condition.reachable,
            "server_age_ms": condition.known_age_ms,
            "sequence": self.view.sequence,
            "journal_position": str(self.view.position),
            "journal_end": str(known.journal_end),
            "lag_ms": known.lag_ms,
            "waiting": self.sequencer.waiting,
            "refusing": self.sequencer.refusing,
            "clock_offset_ms": self.clock.offset_ms,
            "sessions": len(self.sessions),
            "stalls": self.stalls.count,
            "longest_stall_ms": round(self.stalls.longest() * 1_000),
            "staff_silent_ms": None if staff is None else round(staff.silent * 1_000),
            "staff_hangs": None if staff is None else staff.hangs,
            "trading_day": self.view.trading_day,
            "calendar": await asyncio.to_thread(self._calendar_status),
            "timetable": to_builtins(known.timetable),
            "keys_age_ms": self.register.age_ms,
            "breaks_past_limit": await self._stopping_breaks.count(),
            "durability": str(known.durability._replace(replicas=self.settings.require_replicas)),
            "durable": known.durability.is_full,
            "engines": [to_builtins(engine) for engine in known.engines.statuses],
        }

    def _calendar_status(self) -> dict[str, Any] | None:
        """Return how far the trading calendar goes; None if there is none."""
        file = self._plans.calendar
        return None if file is None else calendar_status(file, self.view.trading_day)

    def _silence(self) -> float:
        """Return the seconds since the last answer of the event stream's server, infinity if it is not followed."""
        return asyncio.get_running_loop().time() - self._heard_at if self.tailing else float("inf")

    async def _observe(self) -> None:
        """Begin to observe the condition of the exchange, and the process for staff. Raises redis' errors."""
        silence, refusing = self._silence, lambda: self.sequencer.refusing
        self.condition = Condition(self._redis, self.keys, self.view, silence, LONGEST_SILENCE, refusing)
        await self.condition.read()
        self._begin(self.condition.watch())
        if self.staff is not None:
            self._begin(self.staff.watch())

    async def _check_durability(self) -> None:
        weak, replicas = self.settings.allow_weak_durability, self.settings.require_replicas
        found = await require_durability(self._redis, allow_weak=weak, replicas=replicas)
        self.durability = str(found)
        if not found.is_full:
            log.warning("the server may acknowledge orders before they are on the disk", durability=self.durability)

    async def _claim_name(self) -> None:
        """Take the gateway's name, for which a former run may have to be waited for, and keep it."""
        await when_redis_answers(self._lease.claim)
        self._begin(self._lease.run())

    async def _build_view(self) -> None:
        await when_redis_answers(self._restore_view)
        await when_redis_answers(self._fold_history)

    async def _number_run(self) -> None:
        self.run = await begin_run(self._redis, self.keys, self.settings.gateway_id, self.settings.require_replicas)

    async def _restore_view(self) -> None:
        """Start from the newest snapshot of the view if it belongs to this event stream, else from an empty view."""
        found = await asyncio.to_thread(self._snapshots.load)
        if found is None:
            return
        view = View()
        try:
            frames = await self._tail_events.read(found.sequence - 1, 1)
            if not frames or not found.ends_with(frames[0]):
                raise ViewSnapshotFailed(f"event {found.sequence} of the event stream is not that of the snapshot")
            await asyncio.to_thread(snapshot.read, found, view)
        except (ViewSnapshotFailed, EventsMissing) as error:
            log.warning("the snapshot of the view is not used", sequence=found.sequence, reason=str(error))
            return
        self.view = view
        self._snapshots.sequence = found.sequence
        log.info("the view is restored from its snapshot", sequence=found.sequence)

    async def _fold_history(self) -> None:
        progress = Progress("gateway")
        while frames := await self._tail_events.read(self.view.sequence, FRAMES_AT_ONCE):
            for number, frame in enumerate(frames):
                self.view.apply(frame, lambda *_: ())
                if number % FRAMES_PER_TURN == 0:
                    await asyncio.sleep(0)  # the name is waited for, and kept, meanwhile
            if self._lease.claimed:
                self._snapshots.update(self.view)
            progress.report(self.view.sequence)

    def _begin_following(self) -> None:
        self.view.start_serving()
        self.tailing = True
        self._heard_at = asyncio.get_running_loop().time()

    async def _check_stream(self) -> None:
        """Check after a reconnection that the stream still has the newest event of the view, in the same place.

        After a failover the server may have other events. Where replicas are required, the engine publishes again the
        events that the failover took away, and they are awaited. Raises DivergedStream, or TimeoutError while waiting.
        """
        reached = self.view.sequence
        if not reached:
            return
        frames = await self._tail_events.read(reached - 1, 1)
        if not frames and self.settings.require_replicas:
            raise RedisTimeoutError(f"event {reached} is awaited again")
        if not frames:
            raise DivergedStream(f"the event stream ends before sequence {reached}, which members have seen already")
        if (last_event(frames[0]), Position(*frames[0].position)) != (reached, self.view.position):
            raise DivergedStream(f"event {reached} of the stream is not the one that members have seen")

    async def _tail(self) -> None:
        """Follow the event stream for ever, through outages of its server. An error while frames are folded ends it."""

        def report(error: Exception, _pause: float) -> None:
            self.tailing = False
            log.warning("the event stream is not reachable", error=str(error))

        folding = Folding(self.view, self.sequencer.take_waiting)
        while True:
            frames = await retry(self._next_frames, is_any_of(RedisError, OSError), repeat(RETRY_SECONDS), report)
            for frame in frames:
                await folding.fold(frame)
            self._snapshots.update(self.view)

    async def _next_frames(self) -> Sequence[EventFrame]:
        """Wait for the next frames of the event stream. Raises RedisError, OSError and DivergedStream."""
        if not (self.tailing and self._tail_connection.connected):
            await self._check_stream()
        frames = await self._tail_events.wait(self.view.sequence, FRAMES_AT_ONCE)
        self.tailing = True
        self._heard_at = asyncio.get_running_loop().time()
        return frames

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the gateway cannot go on", exc_info=error)
            self._failed()
