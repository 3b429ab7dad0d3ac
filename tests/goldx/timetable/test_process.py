"""The service as a process beside a real engine, on a Valkey whose clock the test sets; kills, and a second service."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import date
from itertools import repeat
from pathlib import Path

import pytest
from redis.asyncio import Redis

from goldx.hosting.health import Unhealthy
from goldx.hosting.servers import Server
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.protocol import commands, events, terms
from goldx.protocol.commands import AnyCommand
from goldx.retry import is_any_of, retry
from goldx.streams.acts import read_acts
from goldx.streams.engines import LEADER, EngineStatus, read_statuses
from goldx.streams.entries import BEGINNING
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.timetable import random_end
from goldx.timetable.process import Service
from goldx.timetable.status import health, read_status
from tests.goldx.timetable.days import text_of
from tests.goldx.timetable.test_compiled import at, timetable
from tests.moved_clock import MovedClock

KEYS = Keys("0")
SYMBOL = "AU-DORE"


class Watched:
    """The exchange of a test: its clock, its journal, and the events that have come."""

    def __init__(self, redis: Redis, clock: MovedClock) -> None:
        self.redis = redis
        self._clock = clock
        self._frames = 0
        self._events = EventStream(redis, KEYS)
        self.seen: list[events.AnyEvent] = []

    async def move_to(self, text: str) -> None:
        await self._clock.set(self.redis, at(text) // 1_000 - int(time.time()))

    async def give(self, *given: AnyCommand) -> None:
        self._frames += 1
        await Journal(self.redis, KEYS).append(CommandFrame("test", self._frames, given))

    async def read(self) -> None:
        after = self.seen[-1].sequence if self.seen else 0
        for frame in await self._events.read(after):
            self.seen += [event for outcome in frame.outcomes for event in outcome]

    async def until(self, count: int) -> list[str]:
        """Wait until the instrument's phase has changed a number of times; return all changes."""
        async with asyncio.timeout(60):
            while len(found := self.phases()) < count:
                await asyncio.sleep(0.02)
                await self.read()
        return found

    def phases(self) -> list[str]:
        changed = (e for e in self.seen if isinstance(e, events.PhaseChanged) and e.symbol == SYMBOL)
        return [terms.PHASES[event.phase] for event in changed]

    async def until_day(self, day: str) -> None:
        async with asyncio.timeout(60):
            while not any(isinstance(e, events.DayEnded) and e.next_trading_day == day for e in self.seen):
                await asyncio.sleep(0.02)
                await self.read()


def settings_of(folder: Path, redis_url: str) -> Settings:
    file = folder / "timetable.json"
    file.write_bytes(timetable().write())
    calendar = folder / "calendar.csv"
    calendar.write_text(text_of())
    files = {"timetable_file": file, "calendar_file": calendar}
    return Settings(data_dir=folder / "data", redis_url=redis_url, clock_offset_limit_ms=0, **files)


async def followed(settings: Settings) -> str:
    """Return the answer of the health check once it passes: moving the clock forward expires the published status."""
    return await retry(lambda: health(settings), is_any_of(Unhealthy), repeat(0.05), seconds=60)


@contextlib.asynccontextmanager
async def second_service(settings: Settings) -> AsyncIterator[None]:
    """Another service of the same shard, in this process."""
    assert settings.redis_url is not None
    assert settings.timetable_file is not None
    redis = connect(settings.redis_url)
    service = Service(redis, settings, settings.timetable_file)
    await service.open()

    async def run() -> None:
        while True:
            await asyncio.sleep(await service.step())

    running = asyncio.create_task(run())
    yield
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await redis.aclose()


@pytest.mark.campaign
async def test_a_day_is_followed_once_through_kills_and_beside_a_second_service(
    folder: Path, moved_valkey: Server, moved_redis: Redis, moved_clock: MovedClock
) -> None:
    settings = settings_of(folder, moved_valkey.url)
    market = Watched(moved_redis, moved_clock)
    await market.move_to("2026-11-24 08:00:00")
    async with Supervisor(settings, services=("engine", "timetable")) as supervisor:
        await market.give(commands.InstrumentDefine(SYMBOL), commands.MarketEndDay("2026-11-24"))
        await market.move_to("2026-11-24 08:45:00")
        await market.until(1)
        await market.move_to("2026-11-24 08:50:00")
        await market.until(2)
        await supervisor.kill("timetable")
        await market.move_to("2026-11-24 09:00:31")
        await market.until(3)
        async with second_service(settings):
            await market.move_to("2026-11-24 11:30:00")
            await market.until(4)
            await supervisor.ready()
            assert "1 instruments have a next step" in await followed(settings)
            await supervisor.kill("timetable")
        await market.move_to("2026-11-24 14:00:00")
        assert await market.until(5) == ["pre_open", "auction", "continuous", "closed", "continuous"]
        await market.move_to("2026-11-24 15:25:00")
        await market.until(6)
        await market.move_to("2026-11-24 15:30:31")
        await market.until(7)
        await market.move_to("2026-11-24 15:45:00")
        await market.until_day("2026-11-25")
        await followed(settings)
        found = await read_status(moved_redis, KEYS)
        assert found is not None
        assert (found.sha256, found.trading_day) == (timetable().sha256, "2026-11-25")
        async with asyncio.timeout(30):
            while len(acts := [act for _, act in await read_acts(moved_redis, KEYS, BEGINNING, 99)]) < 3:
                await asyncio.sleep(0.05)
        await supervisor.kill("engine")
        await supervisor.ready()
    assert market.phases() == ["pre_open", "auction", "continuous", "closed", "continuous", "auction", "closed"]
    assert [e for e in market.seen if isinstance(e, events.DayEnded)][1:] != []
    commit, reveal = (next(a for a in acts if a.action == f"timetable.{what}") for what in ("commit", "reveal"))
    key = bytes.fromhex(reveal.detail["key"])
    assert (commit.subject, reveal.subject) == ("2026-11-24", "2026-11-24")
    assert commit.detail == {"commitment": random_end.commitment(key), "timetable": timetable().sha256}
    ends = [e for e in market.seen if isinstance(e, events.PhaseChanged) and e.planned_at == at("2026-11-24 15:30:00")]
    drawn = random_end.draw(key, date(2026, 11, 24), SYMBOL, at("2026-11-24 15:30:00"), 30_000)
    assert ends[0].at >= at("2026-11-24 15:30:00") + drawn


@pytest.mark.campaign
async def test_a_day_is_followed_once_through_takeovers_of_the_engine(
    folder: Path, moved_valkey: Server, moved_redis: Redis, moved_clock: MovedClock
) -> None:
    """The engine that leads is killed before each step, and with one the service of the timetable, too."""
    settings = settings_of(folder, moved_valkey.url).model_copy(update={"standby": True})
    market = Watched(moved_redis, moved_clock)
    epochs: list[int] = []
    await market.move_to("2026-11-24 08:00:00")
    async with Supervisor(settings, services=("engine", "standby", "timetable")) as supervisor:

        def leads(engine: EngineStatus) -> bool:
            return engine.role == LEADER and engine.epoch > max(epochs, default=0)

        async def kill_the_leader() -> None:
            async with asyncio.timeout(60):
                while not (found := [one for one in await read_statuses(moved_redis, KEYS) if leads(one)]):
                    await asyncio.sleep(0.02)
            epochs.append(found[0].epoch)
            await supervisor.ready()
            process = found[0].engine.rpartition("-")[2]
            (name,) = [name for name, server in supervisor.services.items() if str(server.pid) == process]
            await supervisor.kill(name)

        await market.give(commands.InstrumentDefine(SYMBOL))
        await market.until_day("2026-11-24")
        steps = ("08:45:00", "08:50:00", "09:00:31", "11:30:00", "14:00:00", "15:25:00", "15:30:31")
        for number, step in enumerate(steps, 1):
            await kill_the_leader()
            if number == 4:
                await supervisor.kill("timetable")
            await market.move_to(f"2026-11-24 {step}")
            await market.until(number)
        await kill_the_leader()
        await market.move_to("2026-11-24 15:45:00")
        await market.until_day("2026-11-25")
    assert market.phases() == ["pre_open", "auction", "continuous", "closed", "continuous", "auction", "closed"]
    assert len([e for e in market.seen if isinstance(e, events.DayEnded)]) == 2
    assert [e for e in market.seen if isinstance(e, events.CommandRejected)] == []
    assert epochs == sorted(set(epochs))
    assert len(epochs) == len(steps) + 1


async def test_a_service_refuses_to_start_without_a_timetable_and_keeps_the_old_one_when_the_file_is_damaged(
    folder: Path, moved_valkey: Server, moved_redis: Redis, moved_clock: MovedClock
) -> None:
    settings = settings_of(folder, moved_valkey.url)
    assert settings.timetable_file is not None
    with pytest.raises(Unhealthy, match="no service follows the timetable"):
        await health(settings)
    market = Watched(moved_redis, moved_clock)
    await market.move_to("2026-11-24 08:00:00")
    service = Service(moved_redis, settings, settings.timetable_file)
    await service.open()
    await service.step()
    settings.timetable_file.write_text("damaged")
    await service.step()
    assert service.timetable.sha256 == timetable().sha256
    with pytest.raises(Unhealthy, match="not a compiled timetable"):
        await health(settings)
    settings.timetable_file.write_bytes(timetable().write())
    await service.step()
    with pytest.raises(Unhealthy) as found:
        await health(settings)
    assert "another calendar" not in str(found.value)
    assert settings.calendar_file is not None
    settings.calendar_file.write_text(text_of().replace("TEST-NOTICE", "ANOTHER", 1))
    await service.step()
    with pytest.raises(Unhealthy, match="compiled with another calendar than calendar_file: compile it again"):
        await health(settings)
    await service.close()
