"""Archiving and trimming on a real server: what is copied, what is trimmed, and what readers then read."""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from goldx.streams.archive import Archive
from goldx.streams.entries import BEGINNING, FIELD
from goldx.streams.history import EventsMissing, WholeEvents, WholeJournal
from goldx.streams.keys import Keys
from goldx.streams.segments import EVENTS, JOURNAL, BadArchive, Entry, read_segment
from matching.archive import export
from matching.archive.archiver import Archiver, Retention
from matching.archive.sources import Archived, ArchivedServer, extent
from matching.run import snapshots
from matching.run.publisher import StreamBroken
from matching.run.snapshot_store import SnapshotStore
from tests.matching.archive.archived_shards import EVERYTHING, advance, archived_shard, whole
from tests.matching.shards import fill, lead_once


async def test_what_is_trimmed_is_archived_and_readers_see_no_difference(
    redis: Redis, keys: Keys, archive: Archive
) -> None:
    kept: list[Entry] = []
    for number in range(6):
        await advance(redis, keys, seed=number)
        kept += [entry async for entry in ArchivedServer(redis, keys).journal() if not kept or entry[0] > kept[-1][0]]
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
    needed = snapshots.restore(data).entries
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
    assert found == [entry async for entry in ArchivedServer(redis, keys, archive).journal()]
    assert len(found) == (await extent(redis, keys.journal)).added
