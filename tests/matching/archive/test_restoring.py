"""A server is rebuilt from the archive, and nothing else is changed."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from goldx.streams.archive import Archive
from goldx.streams.entries import FIELD
from goldx.streams.keys import Keys
from goldx.streams.segments import JOURNAL, BadArchive
from matching.archive import export
from matching.archive.archiver import Archiver, Retention
from matching.archive.restore import EPOCHS_SKIPPED, NotRestored, restore
from matching.archive.sources import extent
from tests.faults.proxy import Proxy
from tests.matching.archive.archived_shards import EVERYTHING, advance, archived_shard, whole
from tests.matching.shards import fill, lead_once, published


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
    assert int(await other.get(keys.epoch) or 0) >= int(await redis.get(keys.epoch) or 0) + EPOCHS_SKIPPED
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


@pytest.mark.parametrize("command", ["XADD", "XSETID", "EVALSHA"])
async def test_a_restore_that_was_killed_has_changed_nothing_and_is_repeated(
    command: str, valkey_url: str, redis: Redis, other: Redis, keys: Keys, shard: str, archive: Archive, folder: Path
) -> None:
    """At its first entry, at the end of its first stream, and before the step that puts everything in place."""
    await archived_shard(redis, keys, archive, passes=3)
    proxy = Proxy("restore>valkey", folder / "proxy.sock", Path(valkey_url.removeprefix("unix://")))
    await proxy.open()
    proxy.hold_before(command.encode())
    settings = {"GOLDX_REDIS_URL": f"unix://{folder / 'proxy.sock'}?db=1", "GOLDX_SHARD": shard}
    arguments = ("journal", "restore", "--archive", str(archive.folder))
    restoring = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "goldx.cli", *arguments, env=os.environ | settings, stdout=-1, stderr=-1
    )
    while proxy.passing:
        assert restoring.returncode is None, await restoring.communicate()
        await asyncio.sleep(0.01)
    restoring.kill()
    await restoring.communicate()
    await proxy.close()
    assert await other.exists(f"{keys.journal}:restoring") == (command != "XADD")
    assert await whole(other, keys, None) == ([], [])
    await restore(other, keys, archive)
    assert await whole(other, keys, None) == await whole(redis, keys, archive)
    assert not [key async for key in other.scan_iter("*restoring*")]
