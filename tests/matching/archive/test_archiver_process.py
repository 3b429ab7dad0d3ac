"""Archiving beside a running engine, killed in the middle, on a full disk; and the commands on an archive."""

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

import pytest
from redis.asyncio import Redis

from goldx.streams.archive import Archive
from goldx.streams.frames import CommandFrame
from goldx.streams.history import WholeEvents
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.segments import JOURNAL
from matching.archive import export
from matching.archive.archiver import Archiver
from matching.archive.replay import Replay
from matching.archive.sources import Archived, extent
from tests.matching.archive.archived_shards import EVERYTHING, advance, archived_shard
from tests.matching.archive.goldx_command import run_goldx
from tests.matching.shards import engine_process, lead_once, traffic

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))


@pytest.mark.campaign
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
        sys.executable, "-m", "goldx.cli", "archiver", env=os.environ | settings, stdout=-1, stderr=-1
    )
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"READY archiver ")
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.campaign
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
            sys.executable, "-m", "goldx.cli", *arguments, env=os.environ | settings, stdout=-1, stderr=-1
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
    again = await run_goldx(settings, "journal", "archive", "--retain", "0s")
    assert again.returncode == 0, again.stderr
    assert f"anchor {archive.prove().hash}\n" in again.stdout.decode()
    for number in range(10, 13):
        await advance(redis, keys, seed=number)
    assert (await Archiver(redis, keys, archive, EVERYTHING).run()).trimmed[JOURNAL] > 0
    assert (await export.verify(redis, keys, archive)).difference is None


async def test_the_commands(
    valkey_url: str, redis: Redis, keys: Keys, shard: str, archive: Archive, tmp_path: Path
) -> None:
    """Verify, export and replay: of the archive alone, and of archive and server together."""
    settings = {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": shard, "GOLDX_ARCHIVE_DIR": str(archive.folder)}
    done = await archived_shard(redis, keys, archive, passes=4)
    fold = await lead_once(redis, keys)
    folder = str(archive.folder)

    together = await run_goldx(settings, "journal", "verify", "--anchor", done.hash)
    alone = await run_goldx({}, "journal", "verify", "--archive", folder)
    for found in (together, alone):
        assert found.returncode == 0, (found.stdout, found.stderr)
        assert f"anchor {done.hash}\n" in found.stdout.decode()
        assert f"digest {fold.engine.digest()}\n" in found.stdout.decode()
    wrong = await run_goldx({}, "journal", "verify", "--archive", folder, "--anchor", "0" * 64)
    assert wrong.returncode == 1
    assert b"DIFFERENCE: the archive in" in wrong.stdout

    events = await run_goldx(settings, "journal", "events")
    assert events.stdout
    replayed = await run_goldx({}, "replay", folder, "--digest")
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
        missing = await run_goldx({}, *arguments)
        assert missing.returncode == (2 if "replay" in arguments else 1)
        assert b"segment 3 of the archive" in missing.stdout + missing.stderr
    late = await run_goldx({}, "replay", str(tmp_path / middle.name))
    assert late.returncode == 2
    assert b"does not continue the journal" in late.stderr
