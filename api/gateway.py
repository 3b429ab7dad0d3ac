"""The gateway's parts put together: view, sequencer, sessions, and the task that follows the event stream."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import repeat
from typing import Any, Final

import structlog
from msgspec import to_builtins
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.edge.auth import Authenticator
from api.edge.outcome import Outcome
from api.edge.rpc import Refusal
from api.journal.sequencer import Sequencer
from api.sessions.link import Link
from api.sessions.queries import Queries
from api.sessions.quick import Quick
from api.sessions.session import Method
from api.sessions.sessions import Sessions
from api.sessions.subscriptions import Subscriptions
from api.sessions.trading import Trading
from api.view.view import View
from goldx.hosting.settings import Settings
from goldx.protocol.commands import AnyCommand
from goldx.retry import is_any_of, retry
from goldx.streams.connection import RedisConnection
from goldx.streams.durability import read_durability, require_durability
from goldx.streams.engines import read_statuses
from goldx.streams.entries import Position
from goldx.streams.history import WholeEvents, archive_in, last_event
from goldx.streams.journal import Journal, begin_run
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from settlement.base import database

log = structlog.get_logger()

TAIL_TIMEOUT: Final = 10.0
"""Seconds; longer than the reader blocks, so that a server that fell silent is noticed."""
FRAMES_AT_ONCE: Final = 500
PAUSE: Final = 0.3
ANSWER_SECONDS: Final = 15.0


class OtherPast(RuntimeError):
    """The server's event stream is not the one that this gateway has folded: it has to begin anew."""


class Gateway:
    """One run of the service. ``failed`` is called when it cannot go on."""

    def __init__(self, settings: Settings, redis_url: str, database_url: str, failed: Callable[[], None]) -> None:
        self.settings = settings
        self.keys = Keys(settings.shard)
        self.view = View()
        self.run = 0
        self.durability = "unknown"
        """As the server had it when this run began."""
        self._redis_url = redis_url
        self._failed = failed
        self._redis: Redis = connect(redis_url)
        self._tail_redis: Redis = connect(redis_url, timeout=TAIL_TIMEOUT)
        self.events = WholeEvents(self._redis, self.keys, archive_in(settings.archive_dir))
        self._line = RedisConnection(self._tail_redis)
        self._stream = WholeEvents(self._tail_redis, self.keys, archive_in(settings.archive_dir), self._line)
        self.database = database.connect(database_url)
        self.doorman = Authenticator(self.database)
        self.queries = Queries(self.view)
        self.sequencer: Sequencer
        self.sessions: Sessions
        self.trading: Trading
        self._quick: Quick
        self._methods: dict[str, Method] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.tailing = False

    async def start(self) -> None:
        """Folds the whole event stream, takes leave of the former run, and begins to serve. Waits for Redis.

        Raises WeakDurability.
        """
        await _when_redis_answers(self._check_durability)
        await _when_redis_answers(self._number_run)
        writer = f"{self.settings.gateway_id}.{self.run}"
        self.sequencer = Sequencer(
            *(self._redis_url, self.keys, writer, lambda: self.view.position),
            *(self.settings.disk_reserve_mb, self.settings.require_replicas),
        )
        await _when_redis_answers(self.sequencer.open)
        await _when_redis_answers(self._fold_history)
        sessions_key = self.keys.sessions(self.settings.gateway_id)
        parts = (self._redis, sessions_key, self.view, self.sequencer, self.doorman)
        self.sessions = Sessions(self.settings, writer, *parts)
        self.trading = Trading(self.view, self.sequencer)
        self._quick = Quick(self.view, self.sequencer, self.trading)
        subscriptions = Subscriptions(
            *(self.view, self.queries, self.events, self.sessions.spawn),
            *(self.sessions.queued, self.settings.session_queue_kb * 1_024, self.sessions.cut),
        )
        for part in (self.sessions, self.trading, self.queries, subscriptions):
            self._methods |= part.methods
        for work in (self.sequencer.run(), self._tail(), self.sessions.patrol()):
            task = asyncio.create_task(work)
            task.add_done_callback(self._watch)
            self._tasks.append(task)
        await _when_redis_answers(self.sessions.close_former)

    async def stop(self) -> None:
        """Closes sessions, and what waits is written to the journal before it returns."""
        await self.sessions.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sequencer.close()
        self._line.close()
        await self._redis.aclose()
        await self._tail_redis.aclose()
        await self.database.dispose()

    async def serve_session(self, link: Link) -> None:
        """Serves one accepted connection to its end."""
        over = asyncio.Event()
        self.sessions.open(link, self._methods, self._quick.take, over.set)
        await over.wait()

    async def command(self, command: AnyCommand) -> Outcome:
        """Places one command and returns its events. Raises Refusal, or TimeoutError when no answer came."""
        answered: asyncio.Future[Outcome | Refusal] = asyncio.get_running_loop().create_future()

        def answer(outcome: Outcome | Refusal) -> None:
            if not answered.done():
                answered.set_result(outcome)

        self.sequencer.submit(command, answer)
        outcome = await asyncio.wait_for(answered, ANSWER_SECONDS)
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def status(self) -> dict[str, Any]:
        """How it stands. Raises RedisError."""
        end = await Journal(self._redis, self.keys).end()
        durability = await read_durability(self._redis)
        position = self.view.position
        return {
            "shard": self.settings.shard,
            "gateway": self.settings.gateway_id,
            "run": self.run,
            "sequence": self.view.sequence,
            "journal_position": str(position),
            "journal_end": str(end),
            "lag_ms": max(0, end.ms - position.ms),
            "waiting": self.sequencer.waiting,
            "refusing": self.sequencer.refusing,
            "sessions": len(self.sessions),
            "trading_day": self.view.trading_day,
            "durability": str(durability._replace(replicas=self.settings.require_replicas)),
            "durable": durability.is_full,
            "engines": [to_builtins(engine) for engine in await read_statuses(self._redis, self.keys)],
        }

    @property
    def healthy(self) -> bool:
        """Whether orders are taken and events followed."""
        return self.tailing and self.sequencer.available

    async def _check_durability(self) -> None:
        weak, replicas = self.settings.allow_weak_durability, self.settings.require_replicas
        found = await require_durability(self._redis, allow_weak=weak, replicas=replicas)
        self.durability = str(found)
        if not found.is_full:
            log.warning("the server may acknowledge orders before they are on the disk", durability=self.durability)

    async def _number_run(self) -> None:
        replicas = self.settings.require_replicas
        self.run = await begin_run(self._redis, self.keys, self.settings.gateway_id, replicas)

    async def _fold_history(self) -> None:
        while frames := await self._stream.read(self.view.sequence, FRAMES_AT_ONCE):
            for frame in frames:
                self.view.apply(frame, lambda *_: ())
            await asyncio.sleep(0)
        self.view.serve()
        self.tailing = True

    async def _check_stream(self) -> None:
        """A server that is reached anew must go on from what is folded: after a failover it may have another past.

        Where replicas are required the engine publishes again what a failover took away; that is awaited. Raises
        OtherPast.
        """
        reached = self.view.sequence
        if not reached:
            return
        frames = await self._stream.read(reached - 1, 1)
        if not frames and self.settings.require_replicas:
            raise RedisTimeoutError(f"event {reached} is awaited again")
        if not frames:
            raise OtherPast(f"the event stream ends before sequence {reached}, which members have been told already")
        if (last_event(frames[0]), Position(*frames[0].position)) != (reached, self.view.position):
            raise OtherPast(f"event {reached} of the stream is not the one that members have been told")

    async def _tail(self) -> None:
        """Follows the event stream for ever, through the outages of its server."""

        def report(error: Exception, _pause: float) -> None:
            self.tailing = False
            log.warning("the event stream is not reachable", error=str(error))

        await retry(self._follow, is_any_of(RedisError, OSError), repeat(PAUSE), report)

    async def _follow(self) -> None:
        """Applies the next events for ever. Raises redis' errors, OSError and OtherPast."""
        while True:
            if not (self.tailing and self._line.connected):
                await self._check_stream()
            frames = await self._stream.wait(self.view.sequence, FRAMES_AT_ONCE)
            self.tailing = True
            for frame in frames:
                self.view.apply(frame, self.sequencer.expected)

    def _watch(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the gateway cannot go on", exc_info=error)
            self._failed()


async def _when_redis_answers(step: Callable[[], Awaitable[None]]) -> None:
    """Awaits a step of the start again and again while Redis is away."""

    def report(error: Exception, _pause: float) -> None:
        log.warning("waiting for Redis", error=str(error))

    await retry(step, is_any_of(RedisError, OSError), repeat(PAUSE), report)
