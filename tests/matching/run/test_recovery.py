"""Recovery rebuilds the state from snapshot and journal, or names what is missing."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from goldx.streams.entries import BEGINNING, FIELD
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.archive import export
from matching.archive.sources import ArchivedServer
from matching.run import snapshots
from matching.run.fold import Fold
from matching.run.forked_snapshot import ForkedSnapshot
from matching.run.publisher import StreamBroken
from matching.run.snapshot_store import KEPT, SnapshotStore, StateDiffers
from matching.run.snapshots import Snapshot
from tests.matching.shards import determined, fill, lead_once, leadership, published


async def half_way(redis: Redis, keys: Keys, rounds: int = 1) -> Fold:
    """Fill a shard of which half is applied and published, with some snapshots on the way; return that state."""
    for number in range(rounds):
        await fill(redis, keys, seed=number, count=100)
        async with leadership(redis, keys) as (fold, publisher):
            await publisher.wait_confirmed(fold.engine.sequence)
            await SnapshotStore(redis, keys).save(snapshots.take(fold))
    await fill(redis, keys, seed=99)
    return fold


async def test_recovery_equals_the_uninterrupted_run(redis: Redis, shard: str) -> None:
    """With a snapshot, without one, and with a part of the events published: the same state and the same bytes."""
    keys = Keys(shard)
    await half_way(redis, keys)
    from_snapshot = await lead_once(redis, keys)
    whole, determined_whole = await published(redis, keys), await determined(redis, keys)

    await redis.delete(keys.snapshots)
    from_beginning = await lead_once(redis, keys)
    assert from_beginning.entries == from_snapshot.entries
    assert from_beginning.engine.digest() == from_snapshot.engine.digest()
    assert await published(redis, keys) == whole

    for kept in (len(whole) // 2, 1, 0):
        await redis.delete(keys.events)
        for entry_id, frame in whole[:kept]:
            await redis.xadd(keys.events, {FIELD: frame}, id=str(entry_id))
        again = await lead_once(redis, keys)
        assert again.engine.digest() == from_snapshot.engine.digest()
        assert await determined(redis, keys) == determined_whole
    assert (await export.verify(redis, keys)).difference is None


async def test_recovery_from_a_snapshot_applies_only_the_journal_after_it(redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    before = await half_way(redis, keys)
    after = await lead_once(redis, keys)
    assert after.entries > before.entries
    whole = Fold(type(after.engine)())
    async for position, data in ArchivedServer(redis, keys).journal():
        whole.apply(position, data)
    assert after.commands == whole.commands - before.commands
    assert after.engine.digest() == whole.engine.digest()


def _with(data: bytes, **changes: object) -> bytes:
    return msgspec.msgpack.encode(msgspec.structs.replace(msgspec.msgpack.decode(data, type=Snapshot), **changes))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[: len(data) // 2], "cannot be read"),
        (lambda data: data[:0], "cannot be read"),
        (lambda data: _with(data, version=0), "version 0"),
        (lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], "torn or altered"),
        (lambda data: _with(data, digest="0" * 64), "another sequence or digest"),
    ],
    ids=["torn", "empty", "other version", "one bit", "other digest"],
)
async def test_a_bad_snapshot_falls_back_to_the_one_before(
    redis: Redis, shard: str, capfd: pytest.CaptureFixture[str], spoil: Callable[[bytes], bytes], reason: str
) -> None:
    keys = Keys(shard)
    await half_way(redis, keys, rounds=2)
    newest, older = await SnapshotStore(redis, keys).positions()
    data = await redis.hget(keys.snapshots, str(newest))
    assert isinstance(data, bytes)
    await redis.hset(keys.snapshots, str(newest), spoil(data))
    fold = await SnapshotStore(redis, keys).newest(Journal(redis, keys), EventStream(redis, keys))
    assert fold is not None
    assert fold.position == older
    assert reason in capfd.readouterr().out
    # And with none left, from the whole journal.
    await redis.hset(keys.snapshots, str(older), b"\xff")
    recovered = await lead_once(redis, keys)
    assert (await export.verify(redis, keys)).digest == recovered.engine.digest()


async def test_the_newest_snapshots_are_kept_and_all_digests_published(redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    await half_way(redis, keys, rounds=KEPT + 2)
    assert len(await SnapshotStore(redis, keys).positions()) == KEPT
    await lead_once(redis, keys)
    verdict = await export.verify(redis, keys)
    assert (verdict.difference, verdict.digests, verdict.unpublished) == (None, KEPT + 2, 0)


async def test_a_forked_snapshot_is_of_the_state_at_the_fork(redis: Redis, shard: str) -> None:
    """The market goes on while the child writes: what happens meanwhile is not in the snapshot."""
    keys = Keys(shard)
    await fill(redis, keys, seed=1)
    async with leadership(redis, keys) as (fold, _):
        expected = snapshots.take(fold)
        forked = ForkedSnapshot(fold)
        position = await Journal(redis, keys).append(CommandFrame("gateway-1.1", 99, ()))
        fold.apply(position, (await Journal(redis, keys).read(fold.position))[0][1])
        assert await forked.result() == expected


def state_of(pid: int) -> str:
    """Return the state of a process as ``ps`` shows it: ``T`` is stopped; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


async def stopped(pid: int) -> None:
    """Wait until a process is stopped for the first time. The test's time limit ends the wait."""
    while state_of(pid) != "T":
        await asyncio.sleep(0.001)


async def ended(pid: int) -> None:
    async with asyncio.timeout(60):
        while state_of(pid) not in ("", "Z"):
            await asyncio.sleep(0.01)


async def test_a_forked_snapshot_runs_a_small_part_of_the_time_until_it_is_waited_for(
    redis: Redis, shard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*args: Any, **options: Any) -> Snapshot:
        until = time.process_time() + 0.5
        while time.process_time() < until:
            pass
        return take(*args, **options)

    take = snapshots.take
    monkeypatch.setattr(snapshots, "take", slowly)
    keys = Keys(shard)
    await fill(redis, keys, seed=1)
    async with leadership(redis, keys) as (fold, _):
        forked = ForkedSnapshot(fold)
        waiting = asyncio.create_task(forked.result())
        await stopped(forked._child)
        seen: list[str] = []
        while len(seen) < 50:
            await asyncio.sleep(0.001)
            seen.append(state_of(forked._child))
        # A loop that is always late sees it stopped every other time.
        assert seen.count("T") > len(seen) // 4, seen
        forked.stop_pacing()
        assert await waiting == take(fold)


async def test_a_cancelled_snapshot_ends_its_child(redis: Redis, shard: str) -> None:
    """The child may be stopped at that moment, and would stay for ever."""
    keys = Keys(shard)
    await fill(redis, keys, seed=1)
    async with leadership(redis, keys) as (fold, _):
        forked = ForkedSnapshot(fold)
        waiting = asyncio.create_task(forked.result())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await ended(forked._child)


ENDS_ABRUPTLY = """
import os, signal, time
from matching.core.engine import Engine
from matching.run.fold import Fold
from matching.run import snapshots
from matching.run.forked_snapshot import ForkedSnapshot

snapshots.take = lambda *_, **__: time.sleep(600)
forked = ForkedSnapshot(Fold(Engine()))
time.sleep(0.3)
os.kill(forked._child, signal.SIGSTOP)
print(forked._child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_the_child_of_a_snapshot_does_not_outlive_an_engine_that_was_killed() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ENDS_ABRUPTLY, stdout=-1)
    assert process.stdout is not None
    child = int(await process.stdout.readline())
    await process.wait()
    await ended(child)


async def test_a_snapshot_ahead_of_the_event_stream_is_passed_over(redis: Redis, shard: str) -> None:
    """Its events have to be made again, so recovery starts before them."""
    keys = Keys(shard)
    await half_way(redis, keys)
    whole = await determined(redis, keys)
    await redis.delete(keys.events)
    await lead_once(redis, keys)
    assert (await determined(redis, keys))[: len(whole)] == whole


async def test_another_state_at_the_same_place_is_noticed(redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    fold = await half_way(redis, keys)
    await redis.hset(keys.digests, str(fold.position), f"{fold.engine.sequence} {'0' * 64}")
    with pytest.raises(StateDiffers, match="when it was published"):
        await SnapshotStore(redis, keys).save(snapshots.take(fold))
    difference = (await export.verify(redis, keys)).difference
    assert difference is not None
    assert "0000" in difference


async def test_events_ahead_of_the_journal_stop_the_engine(redis: Redis, shard: str) -> None:
    """The journal lost its newest entries: what they gave is published and cannot be produced again."""
    keys = Keys(shard)
    positions = await fill(redis, keys, seed=3)
    await lead_once(redis, keys)
    frames = await Journal(redis, keys).read(BEGINNING)
    await redis.delete(keys.journal)
    for position, data in frames[:-5]:
        await redis.xadd(keys.journal, {FIELD: data}, id=str(position))
    with pytest.raises(StreamBroken, match=rf"journal, which ends at {positions[-6]}, gives only"):
        await lead_once(redis, keys)
    difference = (await export.verify(redis, keys)).difference
    assert difference is not None
    assert "the journal gives only those up to" in difference


async def test_a_snapshot_behind_the_journals_end_stops_the_engine(redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    fold = await half_way(redis, keys)
    await redis.delete(keys.journal)
    with pytest.raises(StreamBroken, match=rf"went on to {fold.position}: its tail is missing"):
        await lead_once(redis, keys)


@pytest.mark.parametrize("which", [0, 7, -1], ids=["first", "middle", "last"])
async def test_a_missing_journal_entry_stops_the_engine(redis: Redis, shard: str, which: int) -> None:
    keys = Keys(shard)
    positions = await fill(redis, keys, seed=4)
    await redis.xdel(keys.journal, str(positions[which]))
    with pytest.raises(StreamBroken, match=f"only {len(positions) - 1} can be accounted for"):
        await lead_once(redis, keys)


async def test_other_events_than_published_stop_the_engine(redis: Redis, shard: str) -> None:
    """The last published frame is not what the journal gives: an altered stream, or another program's."""
    keys = Keys(shard)
    await fill(redis, keys, seed=6)
    await lead_once(redis, keys)
    whole = await published(redis, keys)
    entry_id, frame = whole[-1]
    await redis.xtrim(keys.events, maxlen=0)
    await redis.delete(keys.events)
    for known_id, known in whole[:-1]:
        await redis.xadd(keys.events, {FIELD: known}, id=str(known_id))
    parts = msgspec.msgpack.decode(frame)
    parts[1][-1][-1][2] += 1  # the time of the last event of the last command
    await redis.xadd(keys.events, {FIELD: msgspec.msgpack.encode(parts)}, id=str(entry_id))
    with pytest.raises(StreamBroken, match="gives other events now than were published"):
        await lead_once(redis, keys)
    difference = (await export.verify(redis, keys)).difference
    assert difference is not None
    assert "other content" in difference
