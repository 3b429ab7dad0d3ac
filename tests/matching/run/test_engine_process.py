"""``goldx engine`` as a real process on a real server: killed, cut off, deposed, given wrong streams."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from random import Random

import pytest
from redis.asyncio import Redis

from goldx.hosting import progress
from goldx.hosting.settings import Settings
from goldx.hosting.valkey import start_valkey
from goldx.protocol.commands import ClockTick
from goldx.streams.entries import BEGINNING, FIELD
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import CommandFrame, decode_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from matching.archive import export
from matching.run.process import EngineProcess
from tests.matching.shards import LONG_LEASE, end_lease, engine_process, fill, lead_once, published, traffic

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))


async def caught_up(redis: Redis, keys: Keys) -> export.Verdict:
    """Wait until the engine has caught up with the journal; return the proof of the two streams."""
    while (verdict := await export.verify(redis, keys)).unpublished:
        await asyncio.sleep(0.05)
    return verdict


@pytest.mark.campaign
async def test_killed_at_random_moments_it_publishes_everything_once(valkey_url: str, redis: Redis, shard: str) -> None:
    print(f"SEED={SEED}")
    random = Random(SEED)
    keys = Keys(shard)
    journal = Journal(redis, keys)
    frames = list(traffic(SEED, 6_000))
    settings = {"GOLDX_SNAPSHOT_EVERY": "500"}

    async def keep_appending() -> None:
        for frame in frames:
            await journal.append(frame)
            await asyncio.sleep(random.random() * 0.01)

    appending = asyncio.create_task(keep_appending())
    kills = 0
    while not appending.done() or kills < 5:
        async with engine_process(valkey_url, shard, settings) as engine:
            await engine.ready()
            await asyncio.sleep(random.random() * 0.6)
            await engine.kill()
        kills += 1
    await appending
    async with engine_process(valkey_url, shard, settings) as engine:
        await engine.ready()
        verdict = await caught_up(redis, keys)
        assert verdict.difference is None
        assert verdict.commands >= sum(len(frame.commands) for frame in frames)
        assert verdict.events == await EventStream(redis, keys).last_sequence()
        await engine.stop()
    recovered = await lead_once(redis, keys)
    assert recovered.commands == 0, "the clean stop leaves a snapshot at the journal's end"
    # Not the verdict of before: while the engine stopped, the clock may have ticked once more.
    assert recovered.engine.digest() == (await export.verify(redis, keys)).digest


async def test_a_restart_of_the_server_costs_the_engine_nothing_but_time(shard: str) -> None:
    """kill -9 of the server in the middle: the engine waits, and publishes each event once."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    server = await start_valkey(folder)
    keys = Keys(shard)
    try:
        redis = connect(server.url)
        async with engine_process(server.url, shard) as engine:
            await engine.ready()
            for number, frame in enumerate(traffic(SEED, 600)):
                await Journal(redis, keys).append(frame)
                if number % 20 == 10:
                    server.process.kill()
                    await server.process.wait()
                    await redis.aclose()
                    server = await start_valkey(folder)
                    redis = connect(server.url)
            verdict = await caught_up(redis, keys)
            assert verdict.difference is None
            await engine.stop()
            assert "waiting" in "".join(engine.log)
            assert sum("recovery starts" in line for line in engine.log) == 1
        await redis.aclose()
    finally:
        await server.stop()
        shutil.rmtree(folder)


async def test_a_deposed_engine_stops(valkey_url: str, redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    async with engine_process(valkey_url, shard) as engine:
        await engine.ready()
        await redis.incr(keys.epoch)
        code, log = await engine.ended()
    assert code == 1
    assert "Deposed" in log


async def test_a_second_engine_waits_and_takes_over(valkey_url: str, redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    async with (
        engine_process(valkey_url, shard, LONG_LEASE) as first,
        engine_process(valkey_url, shard, LONG_LEASE) as second,
    ):
        led = asyncio.create_task(first.ready()), asyncio.create_task(second.ready())
        done, _ = await asyncio.wait(led, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        leader, other = (first, second) if led[0] in done else (second, first)
        await fill(redis, keys, seed=7)
        await leader.kill()
        await end_lease(redis, keys)
        await other.says('"leads"')
        assert (await caught_up(redis, keys)).difference is None
        await other.stop()


async def test_the_leader_appends_ticks_of_the_clock(valkey_url: str, redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    async with engine_process(valkey_url, shard) as engine:
        await engine.ready()
        while not (entries := await Journal(redis, keys).read(BEGINNING)):
            await asyncio.sleep(0.1)
        frame = decode_commands(entries[0][1])
        assert frame == CommandFrame("engine.1", 1, (ClockTick(),))
        await engine.stop()
    assert await published(redis, keys) == []


async def test_entries_that_are_no_command_frames_are_passed_over(valkey_url: str, redis: Redis, shard: str) -> None:
    """Logged, and the same at every replay: one broken writer does not end the market."""
    keys = Keys(shard)
    await fill(redis, keys, seed=8, count=50)
    for rubbish in (b"", b"\xc1", b"\x93\xa1w\x01\x91\x92\x63\x01", b"\x93\xa1w\x01\x91\x92\x02\x01"):
        await redis.xadd(keys.journal, {FIELD: rubbish})
    await fill(redis, keys, seed=9, count=50)
    async with engine_process(valkey_url, shard) as engine:
        await engine.ready()
        assert (await caught_up(redis, keys)).difference is None
        await engine.stop()
        assert sum("is not a command frame" in line for line in engine.log) == 4


async def test_missing_entries_end_it_with_a_message(valkey_url: str, redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    await fill(redis, keys, seed=10)
    await lead_once(redis, keys)
    await redis.delete(keys.journal, keys.leader)
    async with engine_process(valkey_url, shard) as engine:
        code, log = await engine.ended()
    assert code == 1
    assert "journal entries behind the others are missing" in log


@pytest.mark.parametrize("forbidden", [False, True], ids=["everysec", "CONFIG forbidden"])
async def test_weak_durability_has_to_be_allowed(shard: str, forbidden: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    server = await start_valkey(folder)
    try:
        redis = connect(server.url)
        if forbidden:
            await redis.acl_setuser("default", enabled=True, nopass=True, categories=["+@all"], commands=["-config"])
        else:
            await redis.config_set("appendfsync", "everysec")
        shown = "unknown" if forbidden else "appendonly=yes,appendfsync=everysec"
        async with engine_process(server.url, shard) as engine:
            code, log = await engine.ended()
        assert code == 1
        assert f"the server's durability is {shown}" in log
        async with engine_process(server.url, shard, {"GOLDX_ALLOW_WEAK_DURABILITY": "true"}) as engine:
            assert f"durability={shown}" in await engine.ready()
            await engine.stop()
        await redis.aclose()
    finally:
        await server.stop()
        shutil.rmtree(folder)


async def test_an_engine_that_waits_for_the_lease_or_the_server_can_be_stopped(
    redis: Redis, valkey_url: str, shard: str
) -> None:
    await redis.set(Keys(shard).leader, 99)
    async with (
        engine_process(valkey_url, shard) as waiting,
        engine_process("unix:///nowhere/valkey.sock", shard) as lonely,
    ):
        while not any("this one follows" in line for line in waiting.log):
            await asyncio.sleep(0.05)
        while not any("the server is away" in line for line in lonely.log):
            await asyncio.sleep(0.05)
        await waiting.stop()
        await lonely.stop()


async def test_an_engine_that_replays_says_how_far_it_is(
    redis: Redis,
    valkey_url: str,
    shard: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``goldx serve`` waits for it as long as it makes progress."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    positions = await fill(redis, Keys(shard), seed=SEED)
    stop = asyncio.Event()
    process = EngineProcess(Settings(shard=shard, allow_weak_durability=True), valkey_url, standby=False)
    running = asyncio.create_task(process.run(stop))
    printed: list[str] = []
    while not any(line.startswith("READY engine") for line in printed):
        await asyncio.sleep(0.05)
        printed += capsys.readouterr().out.splitlines()
    stop.set()
    await running
    await process.close()
    reached = [line for line in printed if line.startswith("PROGRESS engine ")]
    assert reached == [f"PROGRESS engine {position}" for position in positions]
