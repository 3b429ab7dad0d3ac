"""The service ``goldx timetable``: takes each step at its time, by the clock of the journal's server.

It has no state of its own that could be wrong. Its decisions follow from the events and the time
(``goldx.timetable.decision``), it waits for the events of its commands, and the core takes each step once. So it may be
killed at any moment, run twice, or come back days later.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from goldx.hosting.progress import Progress
from goldx.hosting.settings import Settings
from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import CommandRejected
from goldx.streams.chains import FrameWriter, frame_hash
from goldx.streams.frames import EventFrame, decode_events
from goldx.streams.history import WholeEvents, archive_in
from goldx.streams.journal import Journal, begin_run
from goldx.streams.keys import Keys
from goldx.streams.outages import redis_passes
from goldx.streams.redis_client import connect
from goldx.streams.server_clock import ServerClock
from goldx.timetable import compiled, random_end
from goldx.timetable.authored import BadTimetable
from goldx.timetable.calendar_file import CalendarFile
from goldx.timetable.compiled import PlannedStep, Timetable
from goldx.timetable.day_keys import DayKeys
from goldx.timetable.decision import Decision, decide
from goldx.timetable.market_state import MarketState
from goldx.timetable.permission import Permission, read_permission
from goldx.timetable.status import Coming, TimetableStatus, publish_status

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.5
"""Seconds between two reads of the events while no step is due."""
AFTER_REFUSAL_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5
FRAMES_AT_ONCE: Final = 500
COMMANDS_PER_FRAME: Final = 500
EVENTS_PER_CHECKPOINT: Final = 50_000
STATUS_SECONDS: Final = 2.0
LONGEST_NAMES: Final = 20
AWAITING_SECONDS: Final = 0.05
NOT_ANSWERED: Final = Decision((), 0, (), (), ("no engine has taken the last commands",))


class Service:
    """One run of the service. ``file`` is the compiled timetable, read again when it changes."""

    def __init__(self, redis: Redis, settings: Settings, file: Path) -> None:
        self._redis = redis
        self._settings = settings
        self._keys = Keys(settings.shard)
        self._file = file
        self._stamp: object = None
        self.timetable: Timetable
        self._file_trouble = ""
        self._calendar_file = None if settings.calendar_file is None else CalendarFile(settings.calendar_file)
        clock = ServerClock(settings.clock_offset_limit_ms)
        self._journal = Journal(redis, self._keys, settings.require_replicas, clock=clock)
        self._events = WholeEvents(redis, self._keys, archive_in(settings.archive_dir))
        self._day_keys = DayKeys(redis, self._keys)
        self._frames: FrameWriter | None = None
        self.market = MarketState()
        self._last_frame = b""
        self._awaited: tuple[int, int] = (0, 0)
        """The journal's position up to which the events must have come before anything more is sent."""
        self._decision: Decision | None = None
        """The last decision, which holds until its time to wake or until something changes."""
        self._permission: Permission | None = None
        self._kept_at = 0
        self._revealed = ""
        self._status_due = 0.0
        self._trouble: tuple[str, ...] = ()

    async def open(self) -> None:
        """Read the timetable, and go on from the checkpoint. Raises BadTimetable, OSError, and redis' errors."""
        self._read_timetable()
        kept: Any = await self._redis.hgetall(self._keys.timetable_state)
        if kept:
            with contextlib.suppress(msgspec.MsgspecError, KeyError):
                market = msgspec.json.decode(kept[b"market"], type=MarketState)
                found = await self._events.read_raw(market.sequence - 1, 1)
                if found and found[0][0].ms == market.sequence and frame_hash(found[0][1]) == kept[b"frame"]:
                    self.market, self._kept_at = market, market.sequence
        await self._follow(Progress("timetable").report)

    async def step(self) -> float:
        """Carry out the present decision; return the seconds until the next one. Raises redis' errors."""
        self._read_again()
        await self._follow()
        seconds, micros = await self._redis.time()
        now = seconds * 1_000 + micros // 1_000
        if self.market.position < self._awaited:
            await self._report(NOT_ANSWERED)
            return AWAITING_SECONDS
        await self._ask_permission()
        decision = self._decision
        if decision is None or now >= decision.wake_at:
            decision = self._decision = await self._decide(now)
        await self._report(decision)
        if decision.commands:
            self._decision = None
            return await self._send(decision.commands[:COMMANDS_PER_FRAME])
        return max(0.001, min(POLL_SECONDS, (decision.wake_at - now) / 1_000))

    async def _ask_permission(self) -> None:
        """Look whether the trading day may open, while it is not open."""
        permission = None
        if self.market.begun and not self.market.opened:
            permission = await read_permission(self._redis, self._keys)
        if permission != self._permission:
            self._permission = permission
            self._decision = None

    async def close(self) -> None:
        """Keep the checkpoint. Raises redis' errors."""
        await self._keep()

    async def _decide(self, now: int) -> Decision:
        day = self.market.trading_day
        if day and day != self._revealed:
            await self._day_keys.reveal_before(day, now)
            self._revealed = day
        key = b""
        with contextlib.suppress(LookupError, ValueError):
            plan = self.timetable.plan(date.fromisoformat(day))
            if any(step.window_ms for steps in plan.steps.values() for step in steps):
                key = await self._day_keys.key_of(plan.day, self.timetable.sha256, now)

        def draw(step: PlannedStep) -> int:
            drawn_for = date.fromisoformat(day)
            return random_end.draw(key, drawn_for, step.symbol, step.planned_at, step.window_ms)

        return decide(self.timetable, self.market, now, draw, self._permission)

    async def _send(self, commands: tuple[AnyCommand, ...]) -> float:
        """Append commands as one frame. After an append of unknown outcome the next run has another number."""
        frames = self._frames
        if frames is None:
            run = await begin_run(self._redis, self._keys, "timetable", self._settings.require_replicas)
            frames = FrameWriter(f"timetable.{run}")
        self._frames = None
        position = await self._journal.append_raw(frames.make(commands))
        frames.arrived()
        self._frames = frames
        self._awaited = (position.ms, position.counter)
        for command in commands:
            log.info("sent", method=command.method, command=msgspec.to_builtins(command)[1:])
        refused = await self._await_answer()
        if refused:
            log.warning("refused", refusals=refused[:LONGEST_NAMES])
        return AFTER_REFUSAL_SECONDS if refused else 0.0

    async def _await_answer(self) -> list[str]:
        """Follow the events until those of the last frame have come; return the refusals in it."""
        refused: list[str] = []
        wanted = self._awaited

        def look(frame: EventFrame) -> None:
            if tuple(frame.position) == wanted:
                rejected = (e for outcome in frame.outcomes for e in outcome if isinstance(e, CommandRejected))
                refused.extend(f"{e.method} {e.subject}: {e.reason} {e.detail or ''}".rstrip() for e in rejected)

        deadline = asyncio.get_running_loop().time() + RETRY_SECONDS
        while self.market.position < wanted and asyncio.get_running_loop().time() < deadline:
            await self._follow(look=look)
            await asyncio.sleep(0.005)
        return refused

    async def _follow(
        self, progress: Callable[[object], None] | None = None, look: Callable[[EventFrame], None] | None = None
    ) -> None:
        """Fold the events up to the end of the stream."""
        while entries := await self._events.read_raw(self.market.sequence, FRAMES_AT_ONCE):
            for _, data in entries:
                frame = decode_events(data)
                if self.market.apply(frame):
                    self._decision = None
                if look is not None:
                    look(frame)
            self._last_frame = entries[-1][1]
            if progress is not None:
                progress(self.market.sequence)
            if self.market.sequence - self._kept_at >= EVENTS_PER_CHECKPOINT:
                await self._keep()
            if len(entries) < FRAMES_AT_ONCE:
                break

    async def _keep(self) -> None:
        if self._last_frame:
            kept: Any = {"market": msgspec.json.encode(self.market), "frame": frame_hash(self._last_frame)}
            await self._redis.hset(self._keys.timetable_state, mapping=kept)
            self._kept_at = self.market.sequence

    async def _report(self, decision: Decision) -> None:
        trouble = (*(text for text in (self._file_trouble, self._calendar_trouble()) if text), *decision.trouble)
        if trouble != self._trouble:
            if trouble:
                log.warning("the timetable is not followed", trouble=trouble)
            else:
                log.info("the timetable is followed again")
            self._trouble = trouble
        elif asyncio.get_running_loop().time() < self._status_due:
            return
        self._status_due = asyncio.get_running_loop().time() + STATUS_SECONDS
        coming = tuple(Coming(n.step.symbol, n.step.state, n.due_at, n.step.window_ms) for n in decision.coming)
        names = decision.deviations[:LONGEST_NAMES], trouble[:LONGEST_NAMES]
        day, sequence = self.market.trading_day, self.market.sequence
        status = TimetableStatus(self.timetable.sha256, day, sequence, coming, *names)
        await publish_status(self._redis, self._keys, status)

    def _calendar_trouble(self) -> str:
        """Return what is wrong where the timetable was compiled with another calendar than settlement follows."""
        calendar = None if self._calendar_file is None else self._calendar_file.current()
        if calendar is None or calendar.sha256 == self.timetable.calendar.sha256:
            return ""
        return "the timetable was compiled with another calendar than calendar_file: compile it again"

    def _read_timetable(self) -> None:
        found = self._file.stat()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp != self._stamp:
            self.timetable = compiled.read(self._file)
            self._stamp = stamp
            self._decision = None
            log.info("the timetable", sha256=self.timetable.sha256, calendar=self.timetable.calendar.sha256)

    def _read_again(self) -> None:
        """Read the timetable again if its file has changed. One that is refused leaves the old one in force."""
        try:
            self._read_timetable()
            self._file_trouble = ""
        except (BadTimetable, OSError) as error:
            self._file_trouble = str(error)


async def serve(settings: Settings, redis_url: str, file: Path) -> None:
    """Follow the timetable until SIGTERM or SIGINT; print READY once it is followed.

    Raises BadTimetable, OSError, BadArchive and errors of Redis that waiting does not mend.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    redis = connect(redis_url, timeout=10.0)
    service = Service(redis, settings, file)
    ready = False
    try:
        while not stop.is_set():
            pause = RETRY_SECONDS
            try:
                if not ready:
                    await service.open()
                    print(f"READY timetable shard={settings.shard} sha256={service.timetable.sha256}", flush=True)
                    ready = True
                pause = await service.step()
            except Exception as error:
                if not redis_passes(error):
                    raise
                log.warning("the server is away", error=str(error), next_attempt_seconds=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
        with contextlib.suppress(Exception):
            await service.close()
    finally:
        await redis.aclose()
