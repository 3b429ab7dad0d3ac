"""The restore: a server rebuilt from the archive alone, with both streams, their counters, digests and a snapshot.

The archive is proved first. Then everything is built under other keys, and one step on the server puts it in place, if
nothing has happened there meanwhile. So a restore that is killed has changed nothing. A server that has data is only
restored if all of it is in the archive: it gets what it lacks at its end, as after the loss of its newest writes.
"""

import asyncio
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.archive import Archive
from goldx.streams.entries import BEGINNING, FIELD, Position
from goldx.streams.keys import Keys
from goldx.streams.segments import EVENTS, JOURNAL, BadArchive, Entry, ShardState
from matching.archive.archiver import Retention
from matching.archive.export import Verdict, verify_source
from matching.archive.sources import Archived, Extent, archived_digests, compare, extent
from matching.run import snapshots
from matching.run.fold import Fold
from matching.run.snapshot_store import SnapshotStore
from matching.run.snapshots import Snapshot

ENTRIES_PER_WRITE = 500
EPOCHS_SKIPPED: Final = 1_000
"""Epochs that are skipped at a restore: more than there may have been since the end of the archive.

Messages published in those epochs are lost, and members who have seen them must notice that the epochs differ.
"""
_STAGED: Final = ("journal", "events", "snapshots", "digests")

# KEYS: leader; the four live keys; the four staged ones. ARGV: the last ids of the two streams when they were copied.
_COMMIT = """
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('LED an engine leads') end
for i = 1, 2 do
  local newest = redis.call('XREVRANGE', KEYS[1 + i], '+', '-', 'COUNT', 1)[1]
  if (newest and newest[1] or '0-0') ~= ARGV[i] then return redis.error_reply('CHANGED ' .. KEYS[1 + i]) end
end
for i = 2, 5 do
  if redis.call('EXISTS', KEYS[4 + i]) == 1 then redis.call('RENAME', KEYS[4 + i], KEYS[i]) end
end
return 1
"""


class NotRestored(RuntimeError):
    """The server cannot or need not be restored from this archive; nothing was changed."""


class Restored(NamedTuple):
    """The result of a restore: entries added by stream, and the proof of the archive."""

    added: dict[str, int]
    verdict: Verdict


async def restore(redis: Redis, keys: Keys, archive: Archive, retention: Retention | None = None) -> Restored:
    """Bring the server of a shard to the end of its archive. Services must be stopped.

    With ``retention`` an empty server gets only the newest entries, as if the others had been trimmed there; their
    readers then need the archive. Raises NotRestored, BadArchive, CoreFailed, OSError and redis' errors.
    """
    proof = await asyncio.to_thread(archive.prove)
    if proof.shard != keys.shard:
        raise NotRestored(f"the archive in {archive.folder} is that of shard {proof.shard!r}, not of {keys.shard!r}")
    live = {JOURNAL: await extent(redis, keys.journal), EVENTS: await extent(redis, keys.events)}
    await _check_room(redis, keys, archive, live)
    newest: list[Snapshot] = []

    def take_snapshot(fold: Fold) -> None:
        newest.append(snapshots.take(fold))

    verdict = await verify_source(Archived(archive), take_snapshot)
    if verdict.difference is not None:
        raise BadArchive(verdict.difference)
    staged = _staged(keys)
    await _clear(redis, staged)
    for name in _STAGED:
        await redis.copy(getattr(keys, name), getattr(staged, name))
    added = {}
    for stream, key in ((JOURNAL, staged.journal), (EVENTS, staged.events)):
        cut = BEGINNING
        if retention is not None and not live[stream].length and newest:
            covered = Position(*newest[0].position) if stream == JOURNAL else None
            cut = await asyncio.to_thread(_cut, archive, stream, retention, covered)
        added[stream] = await _fill(redis, key, archive, stream, max(cut, live[stream].last))
    digests: dict[Any, Any] = dict(archived_digests(archive))
    if digests:
        await redis.hset(staged.digests, mapping=digests)
    for snapshot in newest:
        await SnapshotStore(redis, staged).save(snapshot)
    await _put_shard_state(redis, keys, archive)
    await _commit(redis, keys, staged, live)
    return Restored(added, verdict)


async def _check_room(redis: Redis, keys: Keys, archive: Archive, live: dict[str, Extent]) -> None:
    """Check that the server has nothing that the archive has not, and lacks something. Raises NotRestored."""
    if await redis.exists(keys.leader):
        raise NotRestored(f"an engine leads shard {keys.shard!r}: stop the services first")
    if difference := await compare(archive, redis, keys):
        raise NotRestored(f"{difference}: the server goes on from something else")
    ends = {}
    for stream in (JOURNAL, EVENTS):
        newest = await asyncio.to_thread(archive.newest, stream)
        ends[stream] = BEGINNING if newest is None else newest.end
        if live[stream].last > ends[stream]:
            raise NotRestored(
                f"the server has the {stream} up to {live[stream].last}, the archive only up to {ends[stream]}: the "
                "server has nothing to gain from it"
            )
        gone = live[stream].added - live[stream].length
        if gone != await asyncio.to_thread(archive.count_before, stream, live[stream].first):
            raise NotRestored(f"entries of the server's {stream} are missing behind its first, {live[stream].first}")
    if all(live[stream].last == ends[stream] for stream in ends):
        raise NotRestored("the server has all that the archive has")


def _staged(keys: Keys) -> Keys:
    """Return the keys under which everything is built first."""
    staged = Keys(keys.shard)
    for name in _STAGED:
        setattr(staged, name, getattr(keys, name) + ":restoring")
    return staged


async def _clear(redis: Redis, staged: Keys) -> None:
    await redis.delete(*(getattr(staged, name) for name in _STAGED))


def _cut(archive: Archive, stream: str, retention: Retention, covered: Position | None) -> Position:
    """Return the last entry that an empty server does not get: the end of a segment, at ``covered`` or before."""
    headers = [header for header, _ in archive.headers()]
    until = max(header.until for header in headers)
    own = [header for header in headers if header.stream == stream]
    cut = BEGINNING
    for header in own[:-1]:
        aged = header.until <= until - retention.ms and header.total <= own[-1].total - retention.entries
        if aged and (covered is None or header.end <= covered):
            cut = header.end
    return cut


async def _fill(redis: Redis, key: str, archive: Archive, stream: str, after: Position) -> int:
    """Add the entries after an id, with their ids, and set the stream's counter; return how many entries that were."""
    newest = archive.newest(stream)
    if newest is None:
        return 0
    added = 0
    batch: list[Entry] = []
    for entry in archive.entries(stream, Position(after.ms, after.counter + 1)):
        batch.append(entry)
        if len(batch) == ENTRIES_PER_WRITE:
            added += await _add(redis, key, batch)
            batch = []
    added += await _add(redis, key, batch)
    # In this form since Redis 7.0; the client has no method for it.
    set_counter: Any = redis.execute_command
    await set_counter("XSETID", key, newest.last, "ENTRIESADDED", newest.total)
    return added


async def _add(redis: Redis, key: str, batch: list[Entry]) -> int:
    async with redis.pipeline(transaction=False) as pipe:
        for position, data in batch:
            pipe.xadd(key, {FIELD: data}, id=str(position))
        await pipe.execute()
    return len(batch)


async def _commit(redis: Redis, keys: Keys, staged: Keys, live: dict[str, Extent]) -> None:
    names = [getattr(where, name) for where in (keys, staged) for name in _STAGED]
    ends = [str(live[stream].last) for stream in (JOURNAL, EVENTS)]
    try:
        await redis.register_script(_COMMIT)(keys=[keys.leader, *names], args=ends)
    except ResponseError as error:
        await _clear(redis, staged)
        if str(error).startswith("LED"):
            raise NotRestored("an engine took the lead meanwhile: stop the services first") from error
        if str(error).startswith("CHANGED"):
            raise NotRestored(f"{str(error)[8:]} was written to meanwhile: stop the services first") from error
        raise


async def _put_shard_state(redis: Redis, keys: Keys, archive: Archive) -> None:
    """Set the values that the archive keeps besides the streams; run numbers never fall behind the archive's."""
    shard_state = next((header.shard_state for header, _ in archive.headers(newest_first=True)), ShardState())
    epoch: Any = await redis.get(keys.epoch)
    await redis.set(keys.epoch, max(shard_state.epoch + EPOCHS_SKIPPED, int(epoch or 0)))
    runs: dict[Any, Any] = await redis.hgetall(keys.runs)
    for writer, run in shard_state.runs.items():
        await redis.hset(keys.runs, writer, str(max(run, int(runs.get(writer.encode(), 0)))))
    for gateway, sessions in shard_state.sessions.items():
        mapping: dict[Any, Any] = dict(sessions)
        await redis.hset(keys.sessions(gateway), mapping=mapping)
