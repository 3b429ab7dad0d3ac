"""The settlement service: reads the event stream, posts it, and sends what waits for the engine.

It can be killed at any moment: its work is written in SQL together with the sequence reached, and it continues from
there. When Redis or PostgreSQL is away it waits and tries again. When something is wrong that waiting cannot mend (a
gap in the stream or another stream, an entry that does not balance, an account below zero) it stops with an error.
"""

import asyncio
import contextlib
import signal
from datetime import date
from itertools import repeat
from pathlib import Path

import structlog
from asyncpg import InterfaceError, InternalClientError, PostgresError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from goldx.hosting.settings import Settings
from goldx.retry import growing, retry
from goldx.streams.durability import require_durability
from goldx.streams.frames import EventFrame
from goldx.streams.heartbeats import Heartbeat
from goldx.streams.history import WholeEvents, archive_in, first_event, last_event
from goldx.streams.journal import Journal, begin_run
from goldx.streams.keys import Keys
from goldx.streams.outages import redis_passes
from goldx.streams.redis_client import connect
from goldx.streams.server_clock import ServerClock
from goldx.timetable.calendar_file import CalendarFile
from settlement.base import database, request_keys, working_days
from settlement.base.database_errors import Meaning, meaning_of
from settlement.base.steps import SERVICE
from settlement.charges import accruals
from settlement.closing import archive, statements, time_stamps
from settlement.closing.time_stamps import Authority
from settlement.custody import reservations
from settlement.ledger import event_frames
from settlement.ledger.sender import Sender
from settlement.load_outs import application, cancels
from settlement.service.day_opening import DayOpenings
from settlement.service.recorded_acts import write_acts
from settlement.service.stamping import Stamping
from settlement.service.writer import Ledger, Ready, StreamBehind

log = structlog.get_logger()

EVENTS_PER_BATCH = 60_000
"""The number of events, roughly, that one transaction posts while there is a backlog."""
MOST_FRAMES, FIRST_FRAMES = 2_000, 200
"""The number of frames that are read at once: at most, and before their size is known."""
OUTBOX_MS = 100
"""The time between two looks at the outbox: it delays receipts, not trades."""
REDIS_TIMEOUT = 10.0
BEHIND_SECONDS = 60.0
"""Seconds that the engine may take to publish again the events that a failover lost."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between attempts while a server is away; doubled each time."""


def is_outage(error: BaseException) -> bool:
    """Return whether waiting may help: a server is away or starting, or two transactions collided."""
    if redis_passes(error):
        return True
    if isinstance(error, SQLAlchemyError | PostgresError | InterfaceError | InternalClientError):
        return meaning_of(error) is Meaning.AWAY
    return False


def _report_outage(error: Exception, pause: float) -> None:
    log.warning("a server is away", error=str(error), next_attempt_seconds=pause)


def _report_behind(error: Exception, _pause: float) -> None:
    log.warning("the events of a failed primary are awaited again", error=str(error))


class Settlement:
    """One run of the service."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        shard: str,
        archive_dir: Path | None = None,
        *,
        allow_weak_durability: bool = False,
        replicas: int = 0,
        clock_offset_limit_ms: int = 0,
        calendar_file: Path | None = None,
        record_dir: Path | None = None,
        authority: Authority | None = None,
    ) -> None:
        keys = Keys(shard)
        self._calendar_file = None if calendar_file is None else CalendarFile(calendar_file)
        self._database_url = database_url
        self._engine = database.connect(database_url)
        self._redis: Redis = connect(redis_url, timeout=REDIS_TIMEOUT)
        self._events = WholeEvents(self._redis, keys, archive_in(archive_dir), decode=event_frames.decode)
        self._heartbeat = Heartbeat(self._redis, keys, "settlement")
        self._ledger = Ledger(self._engine, shard)
        self._openings = DayOpenings(self._engine, self._redis, keys, record_dir)
        self._stamping = Stamping(self._engine, authority)
        self._keys = keys
        self._replicas = replicas
        self._sender: Sender
        self._allow_weak = allow_weak_durability
        self._clock = ServerClock(clock_offset_limit_ms)
        self.durability = "unknown"
        self._reached = 0
        self._frames = FIRST_FRAMES
        self._ahead: asyncio.Task[tuple[list[EventFrame], Ready]] | None = None
        """The next batch, which is read and made ready while PostgreSQL works on this one."""
        self._flushed = 0.0
        self._day: date | None = None

    @property
    def reached(self) -> int:
        """Return the sequence up to which this run knows all events to be posted."""
        return self._reached

    async def open(self) -> int:
        """Wait for both servers, migrate the database, begin a run; return the sequence from which it continues.

        After a failover the new primary may lack events that are posted already: the engine publishes them again.
        Raises WeakDurability: gold of a receipt is traded once it is in the journal, which must be on the disk by then.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + (BEHIND_SECONDS if self._replicas else 0)

        def is_behind(error: Exception) -> bool:
            return isinstance(error, StreamBehind) and clock() <= deadline

        async def open_when_republished() -> int:
            return await retry(self._open_once, is_behind, repeat(FIRST_PAUSE), _report_behind)

        return await retry(open_when_republished, is_outage, growing(FIRST_PAUSE, LONGEST_PAUSE), _report_outage)

    async def _open_once(self) -> int:
        self.durability = str(
            await require_durability(self._redis, allow_weak=self._allow_weak, replicas=self._replicas)
        )
        await database.migrate(self._database_url)
        self._reached = await self._ledger.open()
        await self._ledger.check(self._events)
        run = await begin_run(self._redis, self._keys, "settlement", self._replicas)
        self._sender = Sender(self._engine, Journal(self._redis, self._keys, self._replicas, clock=self._clock), run)
        self._openings.send_again()
        await self._publish_reached()
        return self._reached

    async def run(self) -> None:
        """Post and send until cancelled. Raises errors that waiting cannot mend.

        After an outage the step is not repeated, as ``goldx.retry`` would: what was read ahead is dropped, the place in
        the stream is read anew, and the next step begins there.
        """
        while True:
            try:
                await self._step()
            except Exception as error:
                await self._drop_ahead()
                if not is_outage(error):
                    raise
                _report_outage(error, FIRST_PAUSE)
                await asyncio.sleep(FIRST_PAUSE)
                await self.open()

    async def _step(self) -> None:
        """Post the next batch; at the end of the stream, send the waiting items."""
        ahead, self._ahead = self._ahead, None
        count = self._frames
        ready: Ready | None = None
        if ahead is None:
            frames = await self._events.wait(self._reached, count, OUTBOX_MS)
        else:
            frames, ready = await ahead
        if frames:
            self._frames = max(1, min(MOST_FRAMES, EVENTS_PER_BATCH * len(frames) // _events_in(frames)))
            if len(frames) == count:
                self._ahead = asyncio.create_task(self._read_ahead(last_event(frames[-1]), self._frames))
            self._reached = await self._ledger.post(frames, ready)
            await self._publish_reached()
        now = asyncio.get_running_loop().time()
        if self._ahead is None and now - self._flushed >= OUTBOX_MS / 1_000:
            await self._sender.flush()
            await write_acts(self._engine, self._redis, self._keys)
            self._flushed = now
            await self.begin_day(working_days.today())
            if self._reached:
                await self._openings.tend(self._sender)
            if released := await reservations.lapse(self._engine):
                log.warning("lots of commands that were lost are free again", reservations=released)
            await self._stamping.tend()
        await self._heartbeat.beat()

    async def _read_ahead(self, after: int, count: int) -> tuple[list[EventFrame], Ready]:
        await self._ledger.until_postings_go()
        frames = await self._events.read(after, count)
        return frames, await self._ledger.make_ready(frames, after)

    async def begin_day(self, today: date) -> None:
        """Accrue fees, end load-outs, accept statements, forget old keys: once a day, when idle (Shanghai time).

        The newest archived record of a day is read again, too.
        """
        if today == self._day:
            return
        await self._take_calendar_over()
        async with self._engine.begin() as connection:
            accrued = await accruals.catch_up(connection)
            expired = await cancels.expire(connection, today)
            lapsed = await application.lapse(connection, today)
            accepted = await statements.accept_due(connection, today)
            await request_keys.forget(connection)
        log.info(
            "a day has begun",
            day=today.isoformat(),
            fees=accrued,
            load_outs_expired=len(expired),
            applications_lapsed=len(lapsed),
            statements_accepted=accepted,
        )
        await self._openings.check_newest()
        self._day = today

    async def _take_calendar_over(self) -> None:
        """Take the trading calendar over into the working days, if it has changed."""
        if self._calendar_file is None:
            return
        found = await asyncio.to_thread(self._calendar_file.current)
        if self._calendar_file.problem:
            log.error("the trading calendar is refused", reason=self._calendar_file.problem)
        if found is None:
            return
        async with self._engine.begin() as connection:
            if await working_days.take_over(connection, SERVICE, found):
                log.info("working days come from the trading calendar", first=str(found.first), last=str(found.last))

    async def _drop_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
            self._ahead = None

    async def _publish_reached(self) -> None:
        """Publish the sequence posted for the archiver, which trims too little while this fails."""
        try:
            await self._redis.set(self._keys.posted, self._reached)
        except RedisError as error:
            log.warning("the sequence posted could not be published", error=str(error))

    async def close(self) -> None:
        """Close the connections."""
        await self._drop_ahead()
        await self._stamping.close()
        await self._redis.aclose()
        await self._engine.dispose()


def _events_in(frames: list[EventFrame]) -> int:
    return max(1, last_event(frames[-1]) - first_event(frames[0]) + 1)


async def serve(database_url: str, redis_url: str, settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT; print READY when it works. Raises errors that waiting cannot mend."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    shard = settings.shard
    service = Settlement(
        database_url,
        redis_url,
        shard,
        settings.archive_dir,
        allow_weak_durability=settings.allow_weak_durability,
        replicas=settings.require_replicas,
        clock_offset_limit_ms=settings.clock_offset_limit_ms,
        calendar_file=settings.calendar_file,
        record_dir=archive.folder_of(settings),
        authority=time_stamps.authority(settings),
    )
    stopping = asyncio.create_task(stop.wait())
    working = asyncio.create_task(_work(service, shard))
    try:
        await asyncio.wait((stopping, working), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
    finally:
        stopping.cancel()
        await service.close()


async def _work(service: Settlement, shard: str) -> None:
    reached = await service.open()
    print(f"READY settlement shard={shard} sequence={reached} durability={service.durability}", flush=True)
    await service.run()
