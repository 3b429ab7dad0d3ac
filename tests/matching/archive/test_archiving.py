"""Archiving and trimming on a real server: under a running engine, killed in the middle, on a full disk; restoring."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from goldx.streams.archive import Archive
from goldx.streams.entries import BEGINNING, FIELD
from goldx.streams.frames import CommandFrame
from goldx.streams.history import EventsMissing, WholeEvents, WholeJournal
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.streams.segments import EVENTS, JOURNAL, BadArchive, Entry, read_segment
from matching.archive import export
from matching.archive.archiver import Archiver, Pass, Retention
from matching.archive.replay import Replay
from matching.archive.restore import NotRestored, restore
from matching.archive.sources import Archived, Server, extent
from matching.run.publisher import StreamBroken
from matching.run.snapshot_store import SnapshotStore, picture
from matching.run.snapshot_store import restore as restored_state
from tests.matching.archive.test_journal_command import goldx
from tests.matching.shards import engine_process, fill, lead_once, leadership, published, traffic

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))
EVERYTHING = Retention()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def keys(shard: str) -> Keys:
    return Keys(shard)


@pytest_asyncio.fixture
async def other(valkey_url: str) -> AsyncIterator[Redis]:
    """A server without data: another database of the same server, with the same names of keys."""
    client = connect(f"{valkey_url}?db=1")
    await client.flushdb()
    yield client
    await client.flushdb()
    await client.aclose()


async def advance(redis: Redis, keys: Keys, seed: int, count: int = 300) -> None:
    """More traffic, applied and published, a snapshot at its end, and settlement has posted all of it."""
    await fill(redis, keys, seed, count)
    async with leadership(redis, keys) as (fold, publisher):
        await publisher.settled(fold.engine.sequence)
        await SnapshotStore(redis, keys).save(picture(fold))
    await redis.set(keys.posted, fold.engine.sequence)
    await redis.delete(keys.leader)


async def archived_shard(redis: Redis, keys: Keys, archive: Archive, passes: int = 5) -> Pass:
    """Traffic and a pass in turn, everything trimmed that may be."""
    for number in range(passes):
        await advance(redis, keys, seed=number)
        done = await Archiver(redis, keys, archive, EVERYTHING).run()
    return done


async def whole(redis: Redis, keys: Keys, archive: Archive | None) -> tuple[list[Entry], ...]:
    source = Server(redis, keys, archive)
    end = await source.published()
    return [entry async for entry in source.journal()], [entry async for entry in source.events(end)]


async def test_what_is_trimmed_is_archived_and_readers_see_no_difference(
    redis: Redis, keys: Keys, archive: Archive
) -> None:
    kept: list[Entry] = []
    for number in range(6):
        await advance(redis, keys, seed=number)
        kept += [entry async for entry in Server(redis, keys).journal() if not kept or entry[0] > kept[-1][0]]
        done = await Archiver(redis, keys, archive, EVERYTHING).run()
        assert done.archived[JOURNAL] > 0
        assert done.archived[EVENTS] > 0
    assert done.trimmed[JOURNAL] > 0
    live = await extent(redis, keys.journal)
    assert live.length < live.added == len(kept)
    journal, events = await whole(redis, keys, archive)
    assert journal == kept
    assert len(events) == (await extent(redis, keys.events)).added > (await extent(redis, keys.events)).length
    verdict = await export.verify(redis, keys, archive)
    assert verdict.difference is None
    assert verdict.digests == 6
    assert verdict.entries == len(kept)
    without = await export.verify(redis, keys)
    assert without.difference is not None
    assert "no archive is given" in without.difference
    # From anywhere in the past, in steps of any size.
    stream = WholeEvents(redis, keys, archive)
    for after, count in ((0, 3), (1, 1_000), (verdict.events // 2, 7), (verdict.events - 1, 1)):
        frames = await stream.read_raw(after, count)
        expected = [entry for entry in events if entry[0] > (after, 0)]
        assert 0 < len(frames) <= count
        assert frames == expected[: len(frames)]
        assert [await stream.wait(after, count, 10)] == [await stream.read(after, count)]
    with pytest.raises(EventsMissing, match=r"; 1 was expected, and no archive_dir is set"):
        await WholeEvents(redis, keys, None).read(0)


async def test_the_retention_keeps_entries_on_the_server(redis: Redis, keys: Keys, archive: Archive) -> None:
    for number in range(6):
        await advance(redis, keys, seed=number)
        done = await Archiver(redis, keys, archive, Retention(ms=3_600_000)).run()
        assert done.trimmed == {JOURNAL: 0, EVENTS: 0}
    live = await extent(redis, keys.journal)
    await Archiver(redis, keys, archive, Retention(entries=live.length)).run()
    assert await extent(redis, keys.journal) == live
    done = await Archiver(redis, keys, archive, Retention(entries=live.length - 50)).run()
    assert 0 < done.trimmed[JOURNAL] <= 50


async def test_what_comes_while_it_trims_does_not_change_the_count(
    redis: Redis, keys: Keys, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archived_shard(redis, keys, archive)
    await advance(redis, keys, seed=5)
    trim = redis.xtrim

    async def trim_in_a_busy_market(*arguments: Any, **options: Any) -> Any:
        gone = await trim(*arguments, **options)
        await fill(redis, keys, 6, 50)
        return gone

    monkeypatch.setattr(redis, "xtrim", trim_in_a_busy_market)
    before = await extent(redis, keys.journal)
    done = await Archiver(redis, keys, archive, EVERYTHING).run()
    after = await extent(redis, keys.journal)
    assert after.added > before.added
    assert done.trimmed[JOURNAL] == (after.added - after.length) - (before.added - before.length) > 0


async def test_nothing_is_trimmed_that_somebody_needs(redis: Redis, keys: Keys, archive: Archive) -> None:
    for number in range(5):
        await advance(redis, keys, seed=number)
        if number < 4:
            await Archiver(redis, keys, archive, Retention(ms=3_600_000)).run()
    posted = int(await redis.get(keys.posted) or 0)
    await redis.delete(keys.posted)
    assert (await Archiver(redis, keys, archive, EVERYTHING).run()).trimmed[EVENTS] == 0, (
        "settlement has posted nothing"
    )
    oldest = (await SnapshotStore(redis, keys).positions())[-1]
    data = await redis.hget(keys.snapshots, str(oldest))
    assert isinstance(data, bytes)
    needed = restored_state(data).entries
    live = await extent(redis, keys.journal)
    assert 0 < live.added - live.length <= needed, "the oldest snapshot can still be gone on from"
    some = posted // 2
    await redis.set(keys.posted, some)
    assert (await Archiver(redis, keys, archive, EVERYTHING).run()).trimmed[EVENTS] > 0
    assert (await extent(redis, keys.events)).first.ms <= some
    await redis.set(keys.posted, posted)
    await redis.delete(keys.snapshots)
    before = await extent(redis, keys.journal)
    await Archiver(redis, keys, archive, EVERYTHING).run()
    assert await extent(redis, keys.journal) == before, "no snapshot covers it"
    assert (await extent(redis, keys.events)).length >= 1, "the newest frame stays"


async def test_a_segment_that_is_damaged_on_the_disk_is_not_trimmed(redis: Redis, keys: Keys, archive: Archive) -> None:
    for number in range(5):
        await advance(redis, keys, seed=number)
        await Archiver(redis, keys, archive, Retention(ms=3_600_000)).run()
    before = await extent(redis, keys.journal)
    path = archive.segments()[0].path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(BadArchive, match=path.name):
        await Archiver(redis, keys, archive, EVERYTHING).run()
    assert await extent(redis, keys.journal) == before


async def test_recovery_after_trimming(redis: Redis, keys: Keys, archive: Archive) -> None:
    """From a snapshot; with none left, from the archive; with neither, it stops."""
    await archived_shard(redis, keys, archive)
    await fill(redis, keys, seed=77)
    from_snapshot = await lead_once(redis, keys)
    assert from_snapshot.commands > 0
    await redis.delete(keys.snapshots)
    from_archive = await lead_once(redis, keys, archive)
    assert from_archive.entries == from_snapshot.entries
    assert from_archive.engine.digest() == from_snapshot.engine.digest()
    with pytest.raises(StreamBroken, match="neither a valid snapshot nor the archive covers them"):
        await lead_once(redis, keys)
    assert (await export.verify(redis, keys, archive)).difference is None


async def test_a_stream_that_is_not_the_archived_one_is_refused(redis: Redis, keys: Keys, archive: Archive) -> None:
    await advance(redis, keys, seed=1)
    await Archiver(redis, keys, archive, EVERYTHING).run()
    entries, _ = await whole(redis, keys, None)
    before = [segment.path.name for segment in archive.segments()]

    async def put(kept: list[Entry]) -> None:
        await redis.delete(keys.journal)
        for position, data in kept:
            await redis.xadd(keys.journal, {FIELD: data}, id=str(position))

    await put(entries[:-1])
    with pytest.raises(BadArchive, match=r"server's journal ends at .*, but the archive in .* has it up to"):
        await Archiver(redis, keys, archive, EVERYTHING).run()
    await put([*entries[:-1], (entries[-1][0], b"other")])
    with pytest.raises(BadArchive, match=r"has another entry .* than the archive"):
        await Archiver(redis, keys, archive, EVERYTHING).run()
    found = await export.verify(redis, keys, archive)
    assert found.difference is not None
    assert "other content where the archive has the entry" in found.difference
    await put(entries)
    await redis.xdel(keys.journal, str(entries[4][0]))
    with pytest.raises(BadArchive, match="1 entries of the journal are no longer on the server"):
        await Archiver(redis, keys, archive, EVERYTHING).run()
    assert [segment.path.name for segment in archive.segments()] == before


async def test_archived_under_a_running_engine(
    valkey_url: str, redis: Redis, keys: Keys, shard: str, tmp_path: Path
) -> None:
    """The engine works, the archiver trims behind it, and at random moments one of them is killed."""
    print(f"SEED={SEED}")
    random = Random(SEED)
    archive = Archive(tmp_path / "archive")
    settings = {"GOLDX_SNAPSHOT_EVERY": "100", "GOLDX_ARCHIVE_DIR": str(archive.folder)}
    settings |= {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": shard, "GOLDX_ARCHIVE_AFTER_HOURS": "0"}
    settings |= {"GOLDX_ARCHIVE_EVERY_SECONDS": "1"}
    frames = list(traffic(SEED, 1_500))
    share = len(frames) // 5 + 1

    async def append(some: Sequence[CommandFrame]) -> None:
        for frame in some:
            await Journal(redis, keys).append(frame)
            await redis.set(keys.posted, (await WholeEvents(redis, keys, None).last_sequence()))
            await asyncio.sleep(random.random() * 0.08)

    for number, first in enumerate(range(0, len(frames), share)):
        async with engine_process(valkey_url, shard, settings) as engine, archiver_process(settings) as archiver:
            await engine.ready()
            before = len(archive.segments())
            appending = asyncio.create_task(append(frames[first : first + share]))
            await asyncio.sleep(0.5 + random.random())
            while number % 2 == 0 and len(archive.segments()) == before:
                await asyncio.sleep(0.02)  # on a slow machine too something is archived between the kills
            await engine.kill()
            archiver.kill()
        await appending
    async with engine_process(valkey_url, shard, settings) as engine:
        await engine.ready()
        await engine.stop()
    done = await Archiver(redis, keys, archive, EVERYTHING).run()
    assert done.segments > 3
    live = await extent(redis, keys.journal)
    assert live.length < live.added
    verdict = await export.verify(redis, keys, archive)
    assert verdict.difference is None
    assert verdict.digests > 2
    assert verdict.commands >= sum(len(frame.commands) for frame in frames)


@contextlib.asynccontextmanager
async def archiver_process(settings: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "goldx.cli", "archiver"), env=os.environ | settings, stdout=-1, stderr=-1
    )
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"READY archiver ")
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_killed_while_it_archives_it_goes_on(
    valkey_url: str, redis: Redis, keys: Keys, shard: str, archive: Archive
) -> None:
    print(f"SEED={SEED}")
    random = Random(SEED)
    settings = {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": shard, "GOLDX_ARCHIVE_DIR": str(archive.folder)}
    arguments = ("journal", "archive", "--retain", "0s")
    killed = 0
    for number in range(5):
        await advance(redis, keys, seed=number, count=1_000)
        archive.folder.mkdir(exist_ok=True)
        before = set(os.listdir(archive.folder)) | {"lock"}
        archiving = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "goldx.cli", *arguments), env=os.environ | settings, stdout=-1, stderr=-1
        )
        while archiving.returncode is None and set(os.listdir(archive.folder)) <= before:
            await asyncio.sleep(0.001)
        await asyncio.sleep(random.random() * 0.01)
        with contextlib.suppress(ProcessLookupError):
            archiving.send_signal(signal.SIGKILL)
        killed += await archiving.wait() == -signal.SIGKILL
    assert killed, "it was killed in its work at least once"
    await Archiver(redis, keys, archive, EVERYTHING).run()
    assert (await export.verify(redis, keys, archive)).difference is None
    assert [path.name for path in archive.folder.glob("*.partial")] == []
    await advance(redis, keys, seed=10)
    done = await Archiver(redis, keys, archive, EVERYTHING).run()
    assert (await extent(redis, keys.journal)).length < (await extent(redis, keys.journal)).added
    assert done.hash == archive.prove().hash
    assert (await export.verify(redis, keys, archive)).difference is None


async def test_a_full_disk_loses_nothing_and_trims_nothing(
    valkey_url: str, redis: Redis, keys: Keys, shard: str, archive: Archive
) -> None:
    """No file may grow beyond what one segment needs: the write fails in its middle, as on a full disk."""
    settings = {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": shard, "GOLDX_ARCHIVE_DIR": str(archive.folder)}
    for number in range(5):
        await advance(redis, keys, seed=number)
    before = {key: await extent(redis, key) for key in (keys.journal, keys.events)}
    command = [sys.executable, "-m", "goldx.cli", "journal", "archive", "--retain", "0s"]

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))

    full = await asyncio.to_thread(
        subprocess.run, command, env=os.environ | settings, capture_output=True, check=False, preexec_fn=small
    )
    assert full.returncode == 1
    assert b"File too large" in full.stderr
    assert sorted(path.name for path in archive.folder.iterdir()) == ["lock"], "and nothing half-written stays"
    assert {key: await extent(redis, key) for key in before} == before
    again = await goldx(settings, "journal", "archive", "--retain", "0s")
    assert again.returncode == 0, again.stderr
    assert f"anchor {archive.prove().hash}\n" in again.stdout.decode()
    for number in range(10, 13):
        await advance(redis, keys, seed=number)
    assert (await Archiver(redis, keys, archive, EVERYTHING).run()).trimmed[JOURNAL] > 0
    assert (await export.verify(redis, keys, archive)).difference is None


async def test_restored_from_the_archive_alone(redis: Redis, other: Redis, keys: Keys, archive: Archive) -> None:
    """An empty server gets everything back, to the id, the byte and the counter, and the engine goes on."""
    await redis.hset(keys.runs, "gateway-1", "17")
    await redis.hset(keys.sessions("gateway-1"), "gateway-1.17.4", "FIRM-A")
    await archived_shard(redis, keys, archive)
    done = await restore(other, keys, archive)
    assert done.verdict.difference is None
    assert await whole(other, keys, None) == await whole(redis, keys, archive)
    for key in (keys.journal, keys.events):
        there, here = await other.xinfo_stream(key), await redis.xinfo_stream(key)
        for counter in ("last-generated-id", "entries-added", "max-deleted-entry-id", "last-entry"):
            assert there[counter] == here[counter], counter
    assert (await other.hgetall(keys.digests)).items() >= (await redis.hgetall(keys.digests)).items()
    assert await other.hgetall(keys.runs) == {b"gateway-1": b"17"}
    assert await other.hgetall(keys.sessions("gateway-1")) == {b"gateway-1.17.4": b"FIRM-A"}
    assert int(await other.get(keys.epoch) or 0) >= int(await redis.get(keys.epoch) or 0)
    recovered = await lead_once(other, keys)
    assert recovered.commands == 0, "a snapshot stands at the end"
    assert recovered.engine.digest() == (await lead_once(redis, keys)).engine.digest()
    # Both go on alike from here.
    await advance(other, keys, seed=50)
    verdict = await export.verify(other, keys)
    assert verdict.difference is None
    assert verdict.digests == 6
    assert not [key async for key in other.scan_iter("*restoring*")]
    # And the archive is continued from the restored server.
    await Archiver(other, keys, archive, EVERYTHING).run()
    assert (await export.verify(other, keys, archive)).difference is None


async def test_restored_with_the_newest_entries_only(redis: Redis, other: Redis, keys: Keys, archive: Archive) -> None:
    await archived_shard(redis, keys, archive)
    await restore(other, keys, archive, EVERYTHING)
    for key in (keys.journal, keys.events):
        restored = await extent(other, key)
        assert restored.length < restored.added == (await extent(redis, key)).added
    assert await whole(other, keys, archive) == await whole(redis, keys, archive)
    assert (await lead_once(other, keys)).engine.digest() == (await lead_once(redis, keys)).engine.digest()
    await advance(other, keys, seed=51)
    assert (await export.verify(other, keys, archive)).difference is None


async def test_an_archive_whose_events_end_before_its_journal(
    redis: Redis, other: Redis, keys: Keys, archive: Archive
) -> None:
    """As when the engine was behind at the last pass: it publishes the rest after the restore."""
    await advance(redis, keys, seed=1)
    await fill(redis, keys, seed=2)
    await Archiver(redis, keys, archive, EVERYTHING).run()
    done = await restore(other, keys, archive)
    assert done.verdict.unpublished > 0
    recovered = await lead_once(other, keys)
    assert recovered.engine.digest() == (await lead_once(redis, keys)).engine.digest()
    assert [entry[0] for entry in await published(other, keys)] == [entry[0] for entry in await published(redis, keys)]


async def test_a_server_with_older_data_gets_what_it_lacks(
    redis: Redis, other: Redis, keys: Keys, archive: Archive
) -> None:
    """The disk of some days ago was put back: all that it has is in the archive, which goes on further."""
    for number in range(3):
        await advance(redis, keys, seed=number)
        await Archiver(redis, keys, archive, Retention(ms=3_600_000)).run()
        if number == 1:
            for key in (keys.journal, keys.events, keys.snapshots, keys.digests):
                await redis.copy(key, key, destination_db="1")
            await other.xtrim(keys.journal, minid=str(archive.segments()[2].last), approximate=False)
            await other.xtrim(keys.events, minid=str(archive.segments()[3].last), approximate=False)
    done = await restore(other, keys, archive)
    assert 0 < done.added[JOURNAL] < done.verdict.entries
    assert await whole(other, keys, archive) == await whole(redis, keys, None)
    assert (await lead_once(other, keys)).engine.digest() == (await lead_once(redis, keys)).engine.digest()
    await advance(other, keys, seed=52)
    assert (await export.verify(other, keys, archive)).difference is None


async def test_a_server_with_something_else_is_not_restored(
    redis: Redis, other: Redis, keys: Keys, archive: Archive
) -> None:
    await archived_shard(redis, keys, archive)
    with pytest.raises(NotRestored, match="has all that the archive has"):
        await restore(redis, keys, archive)
    await fill(redis, keys, seed=60, count=20)
    with pytest.raises(NotRestored, match="the archive only up to"):
        await restore(redis, keys, archive)
    await fill(other, keys, seed=61, count=20)
    with pytest.raises(NotRestored, match="the archive only up to"):
        await restore(other, keys, archive)
    await other.flushdb()
    for position, data in list(archive.entries(JOURNAL))[:5]:
        await other.xadd(keys.journal, {FIELD: data[:-1] + b"?"}, id=str(position))
    with pytest.raises(NotRestored, match=r"other content where .* goes on from something else"):
        await restore(other, keys, archive)
    await other.flushdb()
    await other.set(keys.leader, 4)
    with pytest.raises(NotRestored, match="an engine leads"):
        await restore(other, keys, archive)
    await other.flushdb()
    with pytest.raises(NotRestored, match=f"is that of shard '{keys.shard}', not of 'another'"):
        await restore(other, Keys("another"), archive)
    path = archive.segments()[1].path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(BadArchive, match=path.name):
        await restore(other, keys, archive)
    assert await other.dbsize() == 0


async def test_a_restore_that_was_killed_has_changed_nothing_and_is_repeated(
    valkey_url: str, redis: Redis, other: Redis, keys: Keys, shard: str, archive: Archive
) -> None:
    await archived_shard(redis, keys, archive, passes=3)
    settings = {"GOLDX_REDIS_URL": f"{valkey_url}?db=1", "GOLDX_SHARD": shard}
    command = (sys.executable, "-m", "goldx.cli", "journal", "restore", str(archive.folder))
    restoring = await asyncio.create_subprocess_exec(*command, env=os.environ | settings, stdout=-1, stderr=-1)
    while not await other.exists(f"{keys.journal}:restoring"):
        assert restoring.returncode is None
    restoring.kill()
    await restoring.wait()
    assert await whole(other, keys, None) in (([], []), await whole(redis, keys, archive))
    with contextlib.suppress(NotRestored):
        await restore(other, keys, archive)
    assert await whole(other, keys, None) == await whole(redis, keys, archive)


async def test_the_commands(
    valkey_url: str, redis: Redis, keys: Keys, shard: str, archive: Archive, tmp_path: Path
) -> None:
    """Verify, export and replay: of the archive alone, and of archive and server together."""
    settings = {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": shard, "GOLDX_ARCHIVE_DIR": str(archive.folder)}
    done = await archived_shard(redis, keys, archive, passes=4)
    fold = await lead_once(redis, keys)
    folder = str(archive.folder)

    together = await goldx(settings, "journal", "verify", "--anchor", done.hash)
    alone = await goldx({}, "journal", "verify", "--archive", folder)
    for found in (together, alone):
        assert found.returncode == 0, (found.stdout, found.stderr)
        assert f"anchor {done.hash}\n" in found.stdout.decode()
        assert f"digest {fold.engine.digest()}\n" in found.stdout.decode()
    wrong = await goldx({}, "journal", "verify", "--archive", folder, "--anchor", "0" * 64)
    assert wrong.returncode == 1
    assert b"DIFFERENCE: the archive in" in wrong.stdout

    events = await goldx(settings, "journal", "events")
    assert events.stdout
    replayed = await goldx({}, "replay", folder, "--digest")
    assert replayed.stdout == events.stdout, replayed.stderr
    assert replayed.stderr.decode().strip() == fold.engine.digest()
    lines = b"".join([line async for line in export.journal_lines(Archived(archive))])
    assert b"".join(Replay().run(lines.splitlines())) == events.stdout, "the exported archive"
    work = Replay()
    for number, made in enumerate(work.run_archived(segment.path for segment in archive.segments()), 1):
        assert events.stdout.startswith(made)
        events.stdout = events.stdout[len(made) :]
        if number == 123:
            work.reread(None)
    assert events.stdout == b""

    middle = archive.segments()[2].path
    shutil.move(middle, tmp_path / middle.name)
    for arguments in (("journal", "verify", "--archive", folder), ("replay", folder)):
        missing = await goldx({}, *arguments)
        assert missing.returncode == (2 if "replay" in arguments else 1)
        assert b"segment 3 of the archive" in missing.stdout + missing.stderr
    late = await goldx({}, "replay", str(tmp_path / middle.name))
    assert late.returncode == 2
    assert b"does not continue the journal" in late.stderr


async def test_altered_events_in_an_intact_chain_are_found(
    redis: Redis, keys: Keys, archive: Archive, tmp_path: Path
) -> None:
    """Somebody who can write a chain of his own cannot make the journal give his events."""
    await advance(redis, keys, seed=3)
    await Archiver(redis, keys, archive, EVERYTHING).run()
    forged = Archive(tmp_path / "forged")
    with forged.writing():
        for segment in archive.segments():
            header, _, entries = read_segment(segment.path)
            if segment.stream == EVENTS:
                entries[3] = (entries[3][0], entries[4][1])
            forged.append(header.shard, header.stream, entries, header.until, header.digests, header.shard_state)
    forged.prove()
    verdict = await export.verify_source(Archived(forged))
    assert verdict.difference is not None
    assert "other content" in verdict.difference


async def test_reading_the_journal_while_it_is_trimmed(redis: Redis, keys: Keys, archive: Archive) -> None:
    await archived_shard(redis, keys, archive, passes=4)
    journal = WholeJournal(redis, keys, archive)
    found = await journal.read(BEGINNING, 5)
    await advance(redis, keys, seed=70)
    await Archiver(redis, keys, archive, EVERYTHING).run()
    while more := await journal.read(found[-1][0], 5):
        found += more
    assert found == [entry async for entry in Server(redis, keys, archive).journal()]
    assert len(found) == (await extent(redis, keys.journal)).added
