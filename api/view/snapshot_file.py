"""The snapshot of a gateway's view in a file of its own, written regularly while the market goes on."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from api.view import snapshot
from api.view.snapshot import ViewSnapshot, ViewSnapshotFailed
from api.view.view import View
from goldx.hosting.forked import ForkedFile, ForkFailed

log = structlog.get_logger()

WORTH_AT_STOP: Final = 10
"""At a clean stop a tenth of the usual number of events is enough for a snapshot to be written."""


class SnapshotFile:
    """The file, which a forked child writes every ``every`` events (``goldx.hosting.forked``).

    Only a complete snapshot replaces the one before it.
    """

    def __init__(self, path: Path, every: int) -> None:
        self._path = path
        self._every = every
        self.sequence = 0
        """The sequence of the snapshot in the file, if this run knows it."""
        self._forked: ForkedFile | None = None
        self._writing: asyncio.Task[None] | None = None

    def load(self) -> ViewSnapshot | None:
        """Return the snapshot in the file, or None if there is none that is valid."""
        try:
            return snapshot.parse(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ViewSnapshotFailed) as error:
            log.warning("the snapshot of the view is not used", file=str(self._path), reason=str(error))
            return None

    def update(self, view: View) -> None:
        """Begin to write a snapshot of a view between two frames, if one is due."""
        if view.sequence - self.sequence >= self._every and (self._writing is None or self._writing.done()):
            self._begin(view)

    async def finish(self, view: View) -> None:
        """Wait for the snapshot that is being written, and write one of the last state if it has enough new events."""
        if self._writing is not None and self._forked is not None:
            self._forked.stop_pacing()
            await self._writing
        if view.sequence - self.sequence >= max(1, self._every // WORTH_AT_STOP):
            self._begin(view)
            if self._writing is not None and self._forked is not None:
                self._forked.stop_pacing()
                await self._writing

    def _begin(self, view: View) -> None:
        sequence, self.sequence = view.sequence, view.sequence
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._forked = ForkedFile(lambda file: file.write(snapshot.write(view)), self._path.parent)
        except OSError as error:
            log.error("no snapshot of the view", sequence=sequence, reason=str(error))
            return
        self._writing = asyncio.create_task(self._finish(self._forked, sequence))

    async def _finish(self, forked: ForkedFile, sequence: int) -> None:
        """Put a child's snapshot into place. A failure is only logged: the next snapshot will replace it."""
        try:
            with await forked.file() as file:
                size = await asyncio.to_thread(self._replace, file)
        except (OSError, ForkFailed) as error:
            log.error("no snapshot of the view", sequence=sequence, reason=str(error))
            return
        seconds = round(forked.processor_seconds, 2)
        log.info("snapshot of the view", sequence=sequence, size=size, processor_seconds=seconds)

    def _replace(self, file: BinaryIO) -> int:
        """Replace the snapshot on the disk by a new one; return its size."""
        partial = self._path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            shutil.copyfileobj(file, output, 1 << 20)
            output.flush()
            os.fsync(output.fileno())
            size = output.tell()
        partial.replace(self._path)
        return size
