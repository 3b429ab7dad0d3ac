"""A server whose clock is set forward or back: nothing is appended that would get a wrong date."""

import time

import pytest
from redis.asyncio import Redis

from goldx.protocol.commands import ClockTick
from goldx.streams.connection import RedisConnection
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.outages import redis_passes
from goldx.streams.server_clock import ServerClock, WrongClock
from tests.moved_clock import MovedClock

LIMIT_MS = 5_000
HOUR = 3_600
KEYS = Keys("clock")


def frame(number: int) -> CommandFrame:
    return CommandFrame("gateway-1.1", number, (ClockTick(),))


def journal(redis: Redis, connection: RedisConnection | None = None, limit_ms: int = LIMIT_MS) -> Journal:
    return Journal(redis, KEYS, 0, connection, ServerClock(limit_ms))


@pytest.mark.parametrize("fast", [False, True], ids=["through redis-py", "through the fast connection"])
@pytest.mark.parametrize(("moved", "side"), [(HOUR, "ahead of"), (-HOUR, "behind")], ids=["forward", "back"])
async def test_nothing_is_appended_while_the_servers_clock_is_wrong(
    moved_redis: Redis, moved_clock: MovedClock, fast: bool, moved: int, side: str
) -> None:
    connection = RedisConnection(moved_redis) if fast else None
    writer = journal(moved_redis, connection)
    first = await writer.append(frame(1))
    assert abs(first.ms - time.time() * 1_000) < LIMIT_MS
    await moved_clock.set(moved_redis, moved)
    with pytest.raises(
        WrongClock, match=rf"3[56]\d\d\.\d s {side} this machine's clock, and at most 5\.0 s"
    ) as refused:
        await writer.append(frame(2))
    assert redis_passes(refused.value)
    assert await writer.end() == first
    await moved_clock.set(moved_redis, 0)
    second = await writer.append(frame(3))
    assert second > first
    assert [position for position, _ in await writer.read(BEGINNING)] == [first, second]
    if connection is not None:
        connection.close()


async def test_a_clock_that_is_off_within_the_limit_is_followed_and_ids_never_go_back(
    moved_redis: Redis, moved_clock: MovedClock
) -> None:
    writer = journal(moved_redis)
    positions = []
    for number, moved in enumerate((0, 3, 0, -3, 3)):
        await moved_clock.set(moved_redis, moved)
        positions.append(await writer.append(frame(number + 1)))
    assert positions == sorted(set(positions))
    assert positions[1].ms - positions[0].ms >= 3_000
    assert positions[2].ms == positions[1].ms, "time stands still until the clock has caught up"


async def test_a_journal_that_is_ahead_of_the_right_time_takes_nothing_until_time_has_caught_up(
    moved_redis: Redis, moved_clock: MovedClock
) -> None:
    """The server's clock was ahead while a writer without a limit wrote, and is right again."""
    await moved_clock.set(moved_redis, HOUR)
    ahead = await journal(moved_redis, limit_ms=0).append(frame(1))
    await moved_clock.set(moved_redis, 0)
    writer = journal(moved_redis)
    with pytest.raises(WrongClock, match=r"the newest entry of the journal is 3[56]"):
        await writer.append(frame(2))
    assert await writer.end() == ahead
    clock = ServerClock(LIMIT_MS)
    await clock.measure(moved_redis, ahead)
    assert clock.trouble is not None
    assert clock.offset_ms is not None
    assert abs(clock.offset_ms) < LIMIT_MS
    assert (await journal(moved_redis, limit_ms=2 * HOUR * 1_000).append(frame(3))).ms == ahead.ms


async def test_the_distance_is_measured(moved_redis: Redis, moved_clock: MovedClock) -> None:
    clock, unlimited = ServerClock(LIMIT_MS), ServerClock(0)
    for moved, wrong in ((0, False), (3, False), (-3, False), (60, True), (-60, True), (0, False)):
        await moved_clock.set(moved_redis, moved)
        for one in (clock, unlimited):
            await one.measure(moved_redis, BEGINNING)
            assert one.offset_ms is not None
            assert abs(one.offset_ms - moved * 1_000) < 1_500
        assert (clock.trouble is not None) == wrong
        assert unlimited.trouble is None
