"""Pictures of the core: taken by a forked child while the market goes on, kept in Redis, checked on load.

A digest is a picture without the state. Snapshots shorten recovery and never define truth: one that is torn, altered or
of another version is passed over for the one before it, and in the end for the whole journal.
"""

import asyncio
import contextlib
import ctypes
import gc
import hashlib
import mmap
import os
import signal
import tempfile
import traceback
import zlib
from typing import Any, BinaryIO

import msgspec
import structlog
from redis.asyncio import Redis

from goldx.hosting import collector
from goldx.streams.chains import CommandChains, Head
from goldx.streams.entries import Position, parse_entry_id
from goldx.streams.event_stream import EventStream
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.core.engine import Engine
from matching.run.fold import Fold
from matching.run.publisher import StreamBroken

log = structlog.get_logger()

VERSION = 2
KEPT = 3
"""How many snapshots stay."""
SLICE, PAUSE = 0.001, 0.02
"""Seconds for which a child is let run, and is then stopped."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class SnapshotFailed(RuntimeError):
    """A snapshot could not be taken, or is not valid; the message says why."""


class StateDiffers(RuntimeError):
    """The same journal gave another state than before: the programs differ, or the core is not deterministic."""


class Snapshot(msgspec.Struct, array_like=True, frozen=True):
    """The state after the ``entries``-th journal entry, which stands at ``position``, and ``total`` commands.

    ``chains`` says where the journal's writers had got. ``body`` is the core's own snapshot, compressed by zlib, and
    empty in a mere digest; ``checksum`` is the SHA-256 of ``body``, ``digest`` that of the state, in hexadecimal.
    """

    version: int
    position: tuple[int, int]
    entries: int
    total: int
    sequence: int
    digest: str
    checksum: str
    chains: list[Head]
    body: bytes

    @property
    def published(self) -> str:
        """What is published about the state at ``position``."""
        return f"{self.sequence} {self.digest}"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


class Photograph:
    """A picture in the making: the process forks at once, and the child writes down the state as it is now.

    The pause of the market is that of the fork. Where every processor is needed a child that computes would take one
    from the orders, whatever its priority; so it is let run a small part of the time only, until ``hurry``. ``whole``:
    with the state itself, not only its digest. Afterwards ``processor_seconds`` is what it cost.
    """

    def __init__(self, fold: Fold, *, whole: bool = True) -> None:
        self.position = fold.position
        self.whole = whole
        self.processor_seconds = 0.0
        self._file = tempfile.TemporaryFile(prefix="goldx-snapshot-")  # noqa: SIM115
        self._hurried = False
        self._mortal = mmap.mmap(-1, 1)
        """Shared with the child: not 0 once it ends with its parent, and may be stopped."""
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            _write_and_exit(fold, whole, self._file, parent, self._mortal)
        self._handle = os.pidfd_open(self._child)

    async def develop(self) -> Snapshot:
        """Waits for the child. Raises SnapshotFailed."""
        with self._file as file:
            pacing = asyncio.create_task(self._pace())
            try:
                _, status, used = await asyncio.to_thread(os.wait4, self._child, 0)
            except asyncio.CancelledError:
                self._send(signal.SIGKILL)
                raise
            finally:
                pacing.cancel()
                handle, self._handle = self._handle, -1
                os.close(handle)
            self.processor_seconds = used.ru_utime + used.ru_stime
            if status != 0:
                raise SnapshotFailed(f"the process that writes it down ended with {os.waitstatus_to_exitcode(status)}")
            file.seek(0)
            return _decode(file.read())

    def hurry(self) -> None:
        """Somebody waits for it: from now on the child runs all the time."""
        self._hurried = True
        self._send(signal.SIGCONT)

    async def _pace(self) -> None:
        while not self._hurried:
            if self._mortal[0]:
                self._send(signal.SIGSTOP)
            await asyncio.sleep(PAUSE)
            self._send(signal.SIGCONT)
            await asyncio.sleep(SLICE)

    def _send(self, number: signal.Signals) -> None:
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)


def _write_and_exit(fold: Fold, whole: bool, file: BinaryIO, parent: int, mortal: mmap.mmap) -> None:
    """In the child: nothing of the parent's loop, connections or handlers may run here.

    It ends with its parent: one that is stopped would stay for ever, and with it the locks that it has inherited.
    """
    code = 1
    try:
        gc.disable()
        mortal[0] = _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) == 0
        if os.getppid() != parent:
            os._exit(code)
        os.nice(10)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        file.write(_encode(picture(fold, whole=whole)))
        file.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def picture(fold: Fold, *, whole: bool = True) -> Snapshot:
    """The picture of a state, taken here and now."""
    engine = fold.engine
    state = engine.snapshot()
    body = zlib.compress(state, 1) if whole else b""
    checksum, digest = (hashlib.sha256(data).hexdigest() for data in (body, state))
    counts = (fold.entries, fold.total, engine.sequence)
    return Snapshot(VERSION, fold.position, *counts, digest, checksum, fold.chains.heads, body)


def restore(data: bytes) -> Fold:
    """The state of a stored snapshot. Raises SnapshotFailed when it is not whole, not ours, or not what it says."""
    try:
        found = _decode(data)
    except msgspec.MsgspecError as error:
        raise SnapshotFailed(f"it cannot be read: {error}") from error
    if found.version != VERSION:
        raise SnapshotFailed(f"it has version {found.version}; this program reads version {VERSION}")
    if hashlib.sha256(found.body).hexdigest() != found.checksum:
        raise SnapshotFailed("its checksum is wrong: it is torn or altered")
    try:
        with collector.paused():
            engine = Engine.restore(zlib.decompress(found.body))
    except Exception as error:
        raise SnapshotFailed(f"the core does not take it: {error!r}") from error
    if engine.sequence != found.sequence or engine.digest() != found.digest:
        raise SnapshotFailed("the state in it has another sequence or digest than it says")
    return Fold(engine, Position(*found.position), found.entries, found.total, CommandChains(found.chains))


def is_whole(data: bytes) -> bool:
    """Whether a stored snapshot is readable and not torn; much cheaper than ``restore``, which says more."""
    try:
        found = _decode(data)
    except msgspec.MsgspecError:
        return False
    return found.version == VERSION and hashlib.sha256(found.body).hexdigest() == found.checksum


class SnapshotStore:
    """A shard's snapshots: a hash of journal position -> Snapshot, and one of position -> ``sequence digest``."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def published(self, position: Position) -> str | None:
        """What was published about the state at a position."""
        found = await self._redis.hget(self._keys.digests, str(position))
        return None if found is None else found.decode() if isinstance(found, bytes) else str(found)

    async def publish(self, snapshot: Snapshot) -> None:
        """Publishes the digest of a state whose events are all published. Raises StateDiffers, and redis' errors."""
        position = Position(*snapshot.position)
        await self.compare(snapshot)
        await self._redis.hset(self._keys.digests, str(position), snapshot.published)

    async def compare(self, snapshot: Snapshot) -> bool:
        """Whether a digest is published for this place. Raises StateDiffers when it is another, and redis' errors."""
        position = Position(*snapshot.position)
        published = await self.published(position)
        if published not in (None, snapshot.published):
            raise StateDiffers(
                f"the state at {position} was {published!r} when it was published, and is {snapshot.published!r} now"
            )
        return published is not None

    async def save(self, snapshot: Snapshot) -> None:
        """Stores a snapshot whose events are all published, publishes its digest, and lets the oldest go.

        Raises StateDiffers, and redis' errors.
        """
        await self.compare(snapshot)
        stale = (await self.positions())[KEPT - 1 :]
        position = str(Position(*snapshot.position))
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._keys.digests, position, snapshot.published)
            pipe.hset(self._keys.snapshots, position, _encode(snapshot))
            for old in stale:
                pipe.hdel(self._keys.snapshots, str(old))
            await pipe.execute()

    async def positions(self) -> list[Position]:
        """Where snapshots stand, the newest first. Names that are no position are left out."""
        found = []
        for name in await self._redis.hkeys(self._keys.snapshots):
            try:
                found.append(parse_entry_id(name))
            except ValueError:
                log.error("a snapshot has no valid position and is passed over", name=repr(name))
        return sorted(found, reverse=True)

    async def newest(self, journal: Journal, events: EventStream) -> Fold | None:
        """The newest valid snapshot's state that recovery may start from, or None: the whole journal has to be read.

        One whose events are not all published is passed over as well, because they have to be made again. Raises
        StreamBroken when a valid snapshot stands behind the journal's end: then the journal has lost its tail.
        """
        for position in await self.positions():
            data: Any = await self._redis.hget(self._keys.snapshots, str(position))
            try:
                fold = await asyncio.to_thread(restore, data or b"")
            except SnapshotFailed as error:
                log.error("a snapshot is not valid and is passed over", position=str(position), reason=str(error))
                continue
            # Asked for now: while another engine leads, both streams go on, and its snapshots with them.
            journal_end, published = await journal.end(), await events.last_sequence()
            if fold.position > journal_end:
                raise StreamBroken(
                    f"the journal ends at {journal_end}, but a snapshot shows that it went on to {fold.position}: "
                    "its tail is missing"
                )
            if fold.engine.sequence <= published:
                return fold
            log.warning("a snapshot is ahead of the event stream and is passed over", position=str(position))
        return None
