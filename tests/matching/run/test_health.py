"""The health checks of engine, standby and archiver fail when the work that they stand for is not done."""

import asyncio
import re

import pytest

from goldx.hosting.health import Unhealthy
from goldx.streams import engines
from goldx.streams.archive import Archive
from goldx.streams.engines import EXPIRES_MS, LEADER, LONGEST_LAG_MS, STANDBY
from goldx.streams.frames import encode
from goldx.streams.heartbeats import Heartbeat
from matching.archive.archiver import Archiver, Retention
from matching.run import health
from tests.matching.run.conftest import Shard
from tests.matching.shards import lead_once, traffic

LONG_MS = LONGEST_LAG_MS + 60_000


async def test_an_engine_that_applies_all_there_is_is_not_behind_however_old_the_newest_event_is(
    exchange: Shard,
) -> None:
    """An idle leader appends ticks, which have no events: nothing waits for it."""
    now = await exchange.now_ms()
    await exchange.tick(now - LONG_MS)
    newest = await exchange.tick(now - 2_000)
    await exchange.says("a-1", LEADER, newest)
    found = await engines.read_engines(exchange.redis, exchange.keys)
    assert (found.behind_ms, found.trouble) == ({"a-1": 0}, None)
    await exchange.tick()  # after the status: whether the engine has applied it is not known
    found = await engines.read_engines(exchange.redis, exchange.keys)
    assert (found.behind_ms, found.trouble) == ({"a-1": 0}, None)
    assert await health.engine(exchange.settings) == f"shard {exchange.keys.shard} is led under epoch 1"


async def test_a_leader_that_does_not_apply_or_publish_or_has_no_status_or_no_lease_does_not_lead(
    exchange: Shard,
) -> None:
    now = await exchange.now_ms()
    reached = await exchange.tick(now - 2 * LONG_MS)
    newest = await exchange.tick(now - LONG_MS)

    async def fails(words: str) -> None:
        with pytest.raises(Unhealthy, match=words):
            await health.engine(exchange.settings)

    await exchange.redis.set(exchange.keys.leader, 1)
    await fails("no engine leads shard")
    await exchange.says("a-1", LEADER, reached)
    await fails(r"the engine of shard \w+ is 6\d\.\d s behind the journal")
    await exchange.says("a-1", LEADER, newest, unpublished_ms=LONG_MS)
    await fails(r"3 events of shard \w+ are not published for 65\.0 s")
    await exchange.says("a-1", LEADER, newest)
    await health.engine(exchange.settings)
    await exchange.redis.delete(exchange.keys.leader)
    await fails("no engine leads shard")


async def test_a_dead_standby_is_noticed(exchange: Shard) -> None:
    now = await exchange.now_ms()
    reached, newest = await exchange.tick(now - 2 * LONG_MS), await exchange.tick(now - LONG_MS)
    with_standby = exchange.settings.model_copy(update={"standby": True})
    missing = f"no engine stands by for the leader of shard {exchange.keys.shard}"

    async def fails() -> None:
        for check, settings in ((health.standby, exchange.settings), (health.engine, with_standby)):
            with pytest.raises(Unhealthy, match=missing):
                await check(settings)
        await health.engine(exchange.settings)

    await exchange.says("a-1", LEADER, newest)
    await fails()
    await exchange.says("b-2", STANDBY, reached)
    await fails()  # it follows no more: it could not lead at once
    await exchange.says("b-2", STANDBY, newest)
    assert await health.standby(exchange.settings) == "engines that stand by: 1"
    assert (await health.engine(with_standby)).endswith("under epoch 1; engines that stand by: 1")
    await exchange.redis.pexpire(exchange.keys.engine("b-2"), 1)
    while await exchange.redis.exists(exchange.keys.engine("b-2")):
        await asyncio.sleep(0.005)
    await fails()
    assert EXPIRES_MS < LONGEST_LAG_MS, "an engine that is gone is not one that is behind"


async def test_an_archiver_counts_what_waits_and_not_the_silence_before_it(exchange: Shard) -> None:
    redis, keys, settings = exchange.redis, exchange.keys, exchange.settings
    assert settings.archive_dir is not None
    with pytest.raises(Unhealthy, match="has done nothing for 20 s: it does not run or hangs"):
        await health.archiver(settings)
    await Heartbeat(redis, keys, "archiver").beat()
    assert (await health.archiver(settings)).endswith("lacks has waited for 0 s")
    now, late = await exchange.now_ms(), (2 * settings.archive_every_seconds + 120) * 1_000
    await exchange.tick(now - 10 * late)
    with pytest.raises(Unhealthy, match="lacks has waited for"):
        await health.archiver(settings)
    await Archiver(redis, keys, Archive(settings.archive_dir), Retention()).run()
    assert (await health.archiver(settings)).endswith("lacks has waited for 0 s")
    # The market was silent for hours, and now there is something new.
    await exchange.tick(now - 10_000)
    seconds = re.search(r"waited for (\d+) s", await health.archiver(settings))
    assert seconds is not None
    assert 10 <= int(seconds[1]) < late // 1_000


async def test_an_archiver_that_archives_no_events_is_noticed(exchange: Shard) -> None:
    redis, keys, settings = exchange.redis, exchange.keys, exchange.settings
    assert settings.archive_dir is not None
    late = await exchange.now_ms() - (2 * settings.archive_every_seconds + 120) * 1_000
    for number, frame in enumerate(traffic(1, 50)):
        await redis.xadd(keys.journal, {"f": encode(frame)}, id=f"{late + number}-0")
    await Archiver(redis, keys, Archive(settings.archive_dir), Retention()).run()
    await lead_once(redis, keys)
    await Heartbeat(redis, keys, "archiver").beat()
    with pytest.raises(Unhealthy, match="lacks has waited for"):
        await health.archiver(settings)
