"""An archive that is ahead of its server, and a folder that is not the archive, are noticed."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from goldx.streams.archive import Archive
from goldx.streams.keys import Keys
from goldx.streams.segments import JOURNAL, BadArchive
from matching.archive import export
from matching.archive.archiver import Archiver
from matching.archive.restore import restore
from matching.run.publisher import StreamBroken
from tests.matching.archive.archived_shards import EVERYTHING, advance, archived_shard
from tests.matching.archive.goldx_command import run_goldx
from tests.matching.shards import leadership


async def an_older_past(redis: Redis, keys: Keys, older: Keys) -> None:
    """Copy a shard's data on the server, to be put back later like an older backup."""
    for name in ("journal", "events", "snapshots", "digests", "epoch"):
        await redis.copy(getattr(keys, name), getattr(older, name), replace=True)


async def test_entries_that_the_archive_alone_has_are_missing_on_the_server(
    redis: Redis, keys: Keys, archive: Archive, valkey_url: str
) -> None:
    await archived_shard(redis, keys, archive, passes=2)
    backup = Keys(f"{keys.shard}backup")
    await an_older_past(redis, keys, backup)
    await advance(redis, keys, seed=77)
    missing = (await Archiver(redis, keys, archive, EVERYTHING).run()).archived[JOURNAL]
    assert (await export.verify(redis, keys, archive)).difference is None

    await an_older_past(redis, backup, keys)
    difference = (await export.verify(redis, keys, archive)).difference
    assert difference is not None
    assert f"{missing} archived entries are missing on the server" in difference
    settings = {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": keys.shard, "GOLDX_ARCHIVE_DIR": str(archive.folder)}
    printed = await run_goldx(settings, "journal", "verify")
    assert (printed.returncode, b"DIFFERENCE: the archive has the journal up to" in printed.stdout) == (1, True)

    with pytest.raises(StreamBroken, match="orders that were acknowledged are missing on the server"):
        async with leadership(redis, keys, archive):
            pass
    await redis.delete(keys.leader)
    await restore(redis, keys, archive)
    assert (await export.verify(redis, keys, archive)).difference is None
    async with leadership(redis, keys, archive):
        pass


async def test_a_server_that_has_lost_everything_is_behind_its_archive(
    redis: Redis, keys: Keys, archive: Archive
) -> None:
    await archived_shard(redis, keys, archive, passes=1)
    await redis.delete(keys.journal, keys.events, keys.snapshots, keys.digests)
    difference = (await export.verify(redis, keys, archive)).difference
    assert difference is not None
    assert "the server only up to 0-0" in difference
    with pytest.raises(StreamBroken, match=r"goldx journal restore"):
        async with leadership(redis, keys, archive):
            pass


async def test_a_folder_without_the_segments_that_were_written_starts_no_new_chain(
    redis: Redis, keys: Keys, tmp_path: Path, valkey_url: str
) -> None:
    archive = Archive(tmp_path / "archive")
    # Nothing was trimmed yet, so the server has everything for a new chain.
    await advance(redis, keys, seed=5)
    settings = {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": keys.shard, "GOLDX_ARCHIVE_DIR": str(archive.folder)}
    assert (await run_goldx(settings, "journal", "archive")).returncode == 0
    archive.folder.rename(tmp_path / "mounted elsewhere")
    archive.folder.mkdir()
    with pytest.raises(BadArchive, match=r"has 0 segments, but 2 were written .*: is its disk mounted"):
        await Archiver(redis, keys, archive, EVERYTHING).run()
    assert list(archive.folder.iterdir()) == []
    refused = await run_goldx(settings, "journal", "archive")
    assert (refused.returncode, b"is its disk mounted" in refused.stderr) == (1, True)
    assert (await run_goldx(settings, "journal", "archive", "--new")).returncode == 0
    assert len(archive.segments()) == 2
    assert (await run_goldx(settings, "journal", "archive")).returncode == 0
