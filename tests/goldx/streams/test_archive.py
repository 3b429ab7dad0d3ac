"""The archive: written entries are read back, and every later change of the files is found and named."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from goldx.streams.archive import Archive, ArchiveInUse
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.segments import EVENTS, GENESIS, JOURNAL, BadArchive, Entry
from tests.goldx.streams.conftest import SHARD_STATE, entries

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))


def test_what_is_written_is_read(archive: Archive) -> None:
    assert list(archive.entries(JOURNAL)) == entries(1, 18)
    assert list(archive.entries(EVENTS)) == entries(1, 14)
    assert list(archive.entries(JOURNAL, Position(9, 1))) == entries(10, 9)
    newest = archive.newest(JOURNAL)
    assert newest is not None
    assert (newest.total, newest.until, newest.shard_state) == (18, 19, SHARD_STATE)
    proof = archive.prove()
    assert (proof.segments, proof.shard, proof.entries) == (5, "0", {JOURNAL: 18, EVENTS: 14})
    assert set(proof.digests) == {"1-0", "11-0", "18-0", "6-0"}
    hashes = [found for _, found in archive.headers()]
    assert proof.hash == hashes[-1]
    assert [header.previous for header, _ in archive.headers()] == [GENESIS, *hashes[:-1]]


@pytest.mark.parametrize("count", [1, 3, 100])
def test_reading_goes_across_segments(archive: Archive, count: int) -> None:
    found: list[Entry] = []
    after = BEGINNING
    while more := archive.read(JOURNAL, after, Position(15, 0), count):
        assert len(more) <= count
        found += more
        after = more[-1][0]
    assert found == entries(1, 14)


def test_a_reader_sees_segments_that_are_added_later(archive: Archive) -> None:
    assert archive.read(JOURNAL, Position(18, 0), Position(99, 0), 10) == []
    with archive.writing():
        Archive(archive.folder).append("0", JOURNAL, entries(19, 2), 21, {}, SHARD_STATE)
    assert archive.read(JOURNAL, Position(18, 0), Position(99, 0), 10) == entries(19, 2)


def test_entries_before_an_id_are_counted(archive: Archive) -> None:
    for number in range(1, 21):
        assert archive.count_before(JOURNAL, Position(number, number % 3)) == min(number - 1, 18)
    assert archive.count_before(JOURNAL, BEGINNING) == 0


def test_every_changed_byte_is_found(archive: Archive) -> None:
    print(f"SEED={SEED}")
    random = Random(SEED)
    for segment in archive.segments():
        whole = segment.path.read_bytes()
        segment.path.chmod(0o644)
        for place in {0, len(whole) - 1, *random.sample(range(len(whole)), 60)}:
            changed = bytearray(whole)
            changed[place] ^= 1 << random.randrange(8)
            segment.path.write_bytes(changed)
            with pytest.raises(BadArchive, match=segment.path.name):
                archive.prove()
        for kept in (0, 10, len(whole) // 2, len(whole) - 1):
            segment.path.write_bytes(whole[:kept])
            with pytest.raises(BadArchive, match=f"{segment.path.name} is torn or altered"):
                archive.prove()
        segment.path.write_bytes(whole + b"\0")
        with pytest.raises(BadArchive, match=segment.path.name):
            archive.prove()
        segment.path.write_bytes(whole)
    archive.prove()


def remove(number: int) -> Callable[[list[Path]], object]:
    return lambda paths: paths[number - 1].unlink()


def swap_names(paths: list[Path]) -> None:
    first, second = paths[2], paths[3]
    first.rename(first.with_name("aside"))
    second.rename(first)
    first.with_name("aside").rename(second)


def renumber(paths: list[Path]) -> None:
    """Journal segments 3 and 4 change places under names that would fit."""
    rest = [path.name.partition("-")[2] for path in paths]
    paths[2].rename(paths[2].with_name("aside"))
    paths[3].rename(paths[3].with_name(f"00000003-{rest[3]}"))
    paths[2].with_name("aside").rename(paths[2].with_name(f"00000004-{rest[2]}"))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (remove(1), "segment 1 of the archive .* is missing"),
        (remove(3), "segment 3 of the archive .* is missing"),
        (swap_names, "00000003-journal-17-2.gxa holds segment 4"),
        (renumber, "00000003-journal-18-0.gxa holds segment 4"),
        (
            lambda paths: shutil.copy(paths[0], paths[0].with_name("00000001-journal-9-0.gxa")),
            "segment 1 .* is there twice",
        ),
    ],
    ids=["first missing", "one missing", "reordered", "renumbered", "twice"],
)
def test_missing_and_reordered_segments_are_named(
    archive: Archive, spoil: Callable[[list[Path]], object], named: str
) -> None:
    spoil([segment.path for segment in archive.segments()])
    with pytest.raises(BadArchive, match=named):
        archive.prove()


def test_an_anchor_proves_the_end_and_everything_before_it(archive: Archive) -> None:
    anchor = archive.prove().hash
    earlier = next(found for header, found in archive.headers() if header.number == 2)
    archive.prove([anchor, earlier])
    archive.segments()[-1].path.unlink()
    archive.prove([earlier])
    with pytest.raises(BadArchive, match=f"no segment of the hash {anchor}"):
        archive.prove([anchor])


def test_a_forged_segment_breaks_the_chain(archive: Archive) -> None:
    """A complete segment with other entries replaces one; the next segment has the hash of the one it replaced."""
    paths = [segment.path for segment in archive.segments()]
    forged = Archive(archive.folder.with_name("forged"))
    with forged.writing():
        forged.append("0", JOURNAL, [*entries(1, 9), (Position(10, 1), b"other")], 11, {}, SHARD_STATE)
    shutil.copy(forged.segments()[0].path, paths[0])
    with pytest.raises(BadArchive, match=f"{paths[1].name} does not follow the segment before it"):
        archive.prove()


def test_segments_that_do_not_continue_each_other_are_refused(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with archive.writing():
        archive.append("0", JOURNAL, entries(5, 3), 8, {}, SHARD_STATE)
        with pytest.raises(BadArchive, match="that of shard 0, not of shard 1"):
            archive.append("1", JOURNAL, entries(8, 1), 8, {}, SHARD_STATE)
        archive.append("0", JOURNAL, entries(7, 3), 8, {}, SHARD_STATE)
    with pytest.raises(BadArchive, match=r"00000002-journal-9-0.gxa does not continue the journal"):
        archive.prove()


def test_one_process_writes_at_a_time_and_removes_what_a_killed_one_left(archive: Archive) -> None:
    partial = archive.folder / "00000006-journal-19-0.partial"
    partial.write_bytes(b"GOLDX")
    with archive.writing():
        assert not partial.exists()
        with pytest.raises(ArchiveInUse, match="another process writes"), Archive(archive.folder).writing():
            raise AssertionError("two write at once")
    archive.prove()


def test_the_header_has_the_names_that_the_format_has_always_had(archive: Archive) -> None:
    """A segment must stay readable for as long as orders are kept, whatever the code calls its fields."""
    header = json.loads(archive.segments()[0].path.read_bytes().split(b"\n", 2)[1])
    assert " ".join(header) == "shard stream number first last count before until body previous digests beside"
    assert header["beside"] == {
        "epoch": 3,
        "runs": {"gateway-1": 7},
        "sessions": {"gateway-1": {"gateway-1.7.1": "FIRM-A"}},
    }


def test_segments_are_read_only(archive: Archive) -> None:
    assert {segment.path.stat().st_mode & 0o777 for segment in archive.segments()} == {0o400}
    assert [segment.number for segment in archive.segments()] == [1, 2, 3, 4, 5]
