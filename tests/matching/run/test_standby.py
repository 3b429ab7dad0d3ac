"""Two engines as real processes, a leader and a standby: nothing is lost or published twice between them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from redis.asyncio import Redis

from goldx.streams import engines
from goldx.streams.engines import LEADER, STANDBY
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.archive import export
from tests.matching.shards import LONG_LEASE, RUN, EngineRun, end_lease, engine_process, traffic

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))


@asynccontextmanager
async def load(redis: Redis, keys: Keys, pause: float = 0.01) -> AsyncIterator[list[int]]:
    """Append frames as long as the block lasts; yield the numbers of commands of those appended so far."""
    print(f"SEED={SEED}")
    random = Random(SEED)
    appended: list[int] = []

    async def append() -> None:
        for number in range(1_000_000):
            for frame in traffic(SEED + number, 500):
                await Journal(redis, keys).append(frame)
                appended.append(len(frame.commands))
                await asyncio.sleep(random.random() * pause)

    appending = asyncio.create_task(append())
    try:
        yield appended
    finally:
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)


async def more(appended: list[int]) -> None:
    """Wait until the load has gone on for a while."""
    enough = len(appended) + 50
    while len(appended) < enough:
        await asyncio.sleep(0.005)


async def proof(redis: Redis, keys: Keys, appended: list[int]) -> export.Verdict:
    """Prove that everything appended is published, once and in order, as soon as the leader has caught up."""
    while (verdict := await export.verify(redis, keys)).unpublished:
        assert verdict.difference is None, verdict.difference
        await asyncio.sleep(0.05)
    assert verdict.difference is None, verdict.difference
    assert verdict.commands >= sum(appended)
    return verdict


async def leading(redis: Redis, keys: Keys) -> None:
    """Wait until the lease of epoch 1 is held: on a slow machine it may be renewed late, and is then taken up again."""
    while await redis.get(keys.leader) != b"1":
        await asyncio.sleep(0.01)


async def hand_over(url: str, shard: str) -> tuple[int, str, str]:
    """Run ``goldx engine --hand-over``; return its exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        "engine",
        "--hand-over",
        env=os.environ | {"GOLDX_REDIS_URL": url, "GOLDX_SHARD": shard},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


@asynccontextmanager
async def pair(
    url: str, shard: str, settings: dict[str, str] | None = None
) -> AsyncIterator[tuple[EngineRun, EngineRun]]:
    """Run a leader and its standby with LONG_LEASE, in this order, both ready."""
    settings = LONG_LEASE | (settings or {})
    async with (
        engine_process(url, shard, settings, "--standby") as standby,
        engine_process(url, shard, settings) as leader,
    ):
        ready, _ = await asyncio.gather(leader.ready(), standby.ready())
        yield (leader, standby) if "role=leader" in ready else (standby, leader)


async def test_the_standby_takes_over_when_the_leader_is_killed(valkey_url: str, redis: Redis, shard: str) -> None:
    """Under load, and without another recovery."""
    keys = Keys(shard)
    async with (
        load(redis, keys, pause=0.004) as appended,
        pair(valkey_url, shard, {"GOLDX_SNAPSHOT_EVERY": "200"}) as (first, second),
    ):
        await more(appended)
        await first.kill()
        await end_lease(redis, keys)
        await second.says('"leads"')
        await more(appended)
        assert sum("recovery starts" in line for line in second.log) == 1
        while [(status.role, status.epoch) for status in await engines.read_statuses(redis, keys)] != [(LEADER, 2)]:
            await asyncio.sleep(0.01)
        # A new standby, and the same again.
        async with engine_process(valkey_url, shard, LONG_LEASE, "--standby") as third:
            assert "role=standby" in await third.ready()
            await more(appended)
            await second.kill()
            await end_lease(redis, keys)
            await third.says('"leads"')
            await more(appended)
            await third.kill()
    await end_lease(redis, keys)
    async with engine_process(valkey_url, shard) as last:
        await last.ready()
        assert (await proof(redis, keys, appended)).digests > 0
        await last.stop()


@pytest.mark.campaign
async def test_a_hand_over_loses_nothing_and_the_former_leader_stands_by(
    valkey_url: str, redis: Redis, shard: str
) -> None:
    keys = Keys(shard)
    async with load(redis, keys) as appended, pair(valkey_url, shard) as (first, second):
        await more(appended)
        for epoch, former, leader in ((2, first, second), (3, second, first)):
            code, out, errors = await hand_over(valkey_url, shard)
            assert code == 0, errors
            assert f"epoch {epoch - 1} -> {epoch}" in out
            await former.says('"has handed over"')
            await leader.says(f'"epoch": {epoch}, ')
            await more(appended)
            while [(s.role, s.epoch) for s in await engines.read_statuses(redis, keys)] != [
                (LEADER, epoch),
                (STANDBY, 0),
            ]:
                await asyncio.sleep(0.01)
        await first.stop()
        await second.says('"epoch": 4, ')
        await more(appended)
        await second.stop()
    async with engine_process(valkey_url, shard) as last:
        await last.ready()
        await proof(redis, keys, appended)
        await last.stop()


async def test_without_a_standby_nothing_is_handed_over(valkey_url: str, redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    code, _, errors = await hand_over(valkey_url, shard)
    assert code == 1
    assert f"no engine leads shard {shard}" in errors
    async with engine_process(valkey_url, shard) as engine:
        await engine.ready()
        await engine.says('"leads"')
        while not await engines.read_statuses(redis, keys):
            await asyncio.sleep(0.01)
        code, _, errors = await hand_over(valkey_url, shard)
        assert code == 1
        assert f"no standby follows shard {shard}; start one: goldx engine --standby" in errors
        # The leader itself declines as well, should the standby have gone meanwhile.
        await redis.set(keys.hand_over, 1, px=60_000)
        await engine.says("no standby follows; goes on")
        while await redis.exists(keys.hand_over):
            await asyncio.sleep(0.01)
        await leading(redis, keys)
        await engine.stop()


async def test_a_leader_that_was_paused_is_refused_when_it_wakes(valkey_url: str, redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    async with load(redis, keys) as appended, pair(valkey_url, shard) as (first, second):
        await more(appended)
        first.signal(signal.SIGSTOP)
        await end_lease(redis, keys)
        await second.says('"leads"')
        await more(appended)
        first.signal(signal.SIGCONT)
        code, log = await first.ended()
        assert code == 1
        assert "Deposed" in log
        await more(appended)
        await second.stop()
    async with engine_process(valkey_url, shard) as last:
        await last.ready()
        await proof(redis, keys, appended)
        await last.stop()


OTHER_PROGRAM = "from matching.core import snapshot; snapshot.VERSION = 'another'; " + RUN
"""The same program with another form of its snapshots, and so other digests; interpreted, so that it can be changed."""


@pytest.mark.campaign
async def test_a_standby_whose_digest_differs_stops_and_never_leads(valkey_url: str, redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    settings = {"GOLDX_DIGEST_EVERY": "50", "GOLDX_LEASE_MS": "60000"}
    async with load(redis, keys) as appended, engine_process(valkey_url, shard, settings) as leader:
        await leader.ready()
        other = settings | {"GOLDX_CORE": "interpreted"}
        async with engine_process(valkey_url, shard, other, "--standby", program=OTHER_PROGRAM) as standby:
            code, log = await standby.ended()
        assert code == 1
        assert "StateDiffers" in log
        assert "when it was published" in log
        assert '"leads"' not in log
        await more(appended)
        # One of the same program finds the same digests.
        async with engine_process(valkey_url, shard, settings, "--standby") as good:
            await good.ready()
            compared = set[str]()
            while len(compared) < 8:
                assert good.runs, "".join(good.log)
                found = await engines.read_statuses(redis, keys)
                compared |= {status.digest for status in found if status.role == STANDBY and status.digest}
                await asyncio.sleep(0.02)
            await good.stop()
        await leader.stop()


async def test_a_standby_gives_way_to_an_engine_that_is_none(valkey_url: str, redis: Redis, shard: str) -> None:
    """A standby that was first waits for the time of one lease, within which an engine that is none leads."""
    settings = {"GOLDX_LEASE_MS": "60000"}
    async with engine_process(valkey_url, shard, settings, "--standby") as standby:
        await standby.ready()
        async with engine_process(valkey_url, shard, settings) as engine:
            assert "role=leader epoch=1" in await engine.ready()
            assert not any('"leads"' in line for line in standby.log)
            assert await redis.get(Keys(shard).leader) == b"1"
            await engine.stop()
        await standby.stop()


async def test_a_standby_that_is_alone_leads_after_the_time_of_one_lease(
    valkey_url: str, redis: Redis, shard: str
) -> None:
    async with engine_process(valkey_url, shard, {"GOLDX_LEASE_MS": "500"}, "--standby") as standby:
        await standby.ready()
        await standby.says('"leads"')
        await leading(redis, Keys(shard))
        await standby.stop()


NEVER_DONE = (
    "import time; from matching.run import snapshots; snapshots.take = lambda *_, **__: time.sleep(600); " + RUN
)


async def test_an_engine_that_stops_does_not_wait_for_a_snapshot(valkey_url: str, redis: Redis, shard: str) -> None:
    """Neither a standby, nor a leader whose snapshot is not ready in the time of a clean stop."""
    # No standby may take over here, however slow the machine is.
    settings = {"GOLDX_DIGEST_EVERY": "50", "GOLDX_SNAPSHOT_EVERY": "50", "GOLDX_LEASE_MS": "60000"}
    async with (
        load(redis, Keys(shard)) as appended,
        engine_process(valkey_url, shard, settings, program=NEVER_DONE) as leader,
    ):
        await leader.ready()
        async with engine_process(valkey_url, shard, settings, "--standby", program=NEVER_DONE) as standby:
            await standby.ready()
            await more(appended)
            await standby.stop()
        await leader.stop()
