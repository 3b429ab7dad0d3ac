"""Engine, settlement and timetable as processes: the second day waits for the close of the first, through kills."""

import asyncio
from datetime import date
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.hosting.servers import Server
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.protocol import commands
from goldx.timetable.status import read_status
from settlement.base import database, registry
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import opening, signing
from settlement.documents.closing import CAPACITIES
from tests.goldx.timetable.test_compiled import timetable
from tests.goldx.timetable.test_process import KEYS, SYMBOL, Watched
from tests.moved_clock import MovedClock
from tests.settlement.conftest import NewDatabase

PEOPLE = ("clerk-1", "clerk-2", "risk-1")


async def until_reported(redis: Redis, words: str) -> None:
    """Wait until the timetable's status reports a trouble with these words."""
    async with asyncio.timeout(60):
        while True:
            status = await read_status(redis, KEYS)
            if status is not None and any(words in trouble for trouble in status.trouble):
                return
            await asyncio.sleep(0.05)


async def close_and_sign(engine: AsyncEngine) -> list[date]:
    """Close the days that are over, and let three people sign them."""
    closed = await closing.close(engine, PEOPLE[0], lambda _: None)
    for day in closed:
        for by, capacity in zip(PEOPLE, CAPACITIES, strict=True):
            async with engine.begin() as connection:
                await signing.sign(connection, by, day, capacity)
    return closed


async def until_over(engine: AsyncEngine, count: int) -> list[date]:
    """Wait until settlement has posted the ends of this many days."""
    async with asyncio.timeout(60):
        while True:
            async with engine.connect() as connection:
                found = [day.day for day in await days.over(connection)]
            if len(found) == count:
                return found
            await asyncio.sleep(0.05)


@pytest.mark.campaign
async def test_the_next_day_opens_after_the_close_by_itself_or_by_two_people(
    folder: Path, moved_valkey: Server, moved_redis: Redis, moved_clock: MovedClock, new_database: NewDatabase
) -> None:
    file = folder / "timetable.json"
    file.write_bytes(timetable().write())
    url = await new_database()
    settings = Settings(
        data_dir=folder / "data",
        redis_url=moved_valkey.url,
        database_url=url,
        clock_offset_limit_ms=0,
        timetable_file=file,
    )
    engine = database.connect(url)
    market = Watched(moved_redis, moved_clock)
    await market.move_to("2026-11-24 08:40:00")
    async with engine.begin() as connection:
        for name in PEOPLE:
            await registry.add_staff(connection, "test", name, name, ["operate", "settle", "warehouse"])
    async with Supervisor(settings, services=("engine", "settlement", "timetable")) as supervisor:
        await market.give(commands.InstrumentDefine(SYMBOL), commands.MarketEndDay("2026-11-24"))
        await market.move_to("2026-11-24 10:00:00")
        assert await market.until(1) == ["continuous"], "the first day waits for nothing"
        await market.move_to("2026-11-24 15:31:00")
        await market.until(2)
        await market.move_to("2026-11-24 15:45:00")
        await market.until_day("2026-11-25")
        await market.move_to("2026-11-24 20:01:00")
        await until_reported(moved_redis, "2026-11-25 does not open: 2026-11-23 is not closed and 1 more")
        await until_over(engine, 2)
        await supervisor.kill("timetable")
        assert await close_and_sign(engine) == [date(2026, 11, 23), date(2026, 11, 24)]
        assert (await market.until(3))[2:] == ["continuous"], "it opens once the records are archived"
        assert {found.name for found in (folder / "data" / "records" / settings.shard).iterdir()} == {
            "2026-11-23.json",
            "2026-11-24.json",
        }
        await market.move_to("2026-11-25 15:31:00")
        await market.until(4)
        await market.move_to("2026-11-25 15:45:00")
        await market.until_day("2026-11-26")
        await supervisor.kill("settlement")
        await market.move_to("2026-11-25 20:01:00")
        await until_reported(moved_redis, "2026-11-26 does not open: 2026-11-25 is not closed")
        for by in PEOPLE[:2]:
            async with engine.begin() as connection:
                await opening.open_anyway(connection, by, date(2026, 11, 26), "a test")
        assert (await market.until(5))[4:] == ["continuous"]
        await market.read()
    await engine.dispose()
    assert market.phases() == ["continuous", "closed"] * 2 + ["continuous"]
