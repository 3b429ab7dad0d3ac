"""Where a session's servers and processes keep their data: in memory, if it has room, for most of their time is fsync.

What they do is the same on any file system; only the long campaigns, which are about what a disk still has after a
kill, and whoever has set TMPDIR, get the folder for temporary files of the system.
"""

import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that have to be free in memory."""
PREFIX = "goldx-tests-"


class Scratch:
    """The temporary folder of this process and its children for a session, and ``said``, the line that tells it."""

    def __init__(self, marks: str, memory: Path = MEMORY, room: int = ROOM) -> None:
        """Takes the folder in ``memory`` if that has ``room`` bytes; ``marks`` is what ``-m`` says."""
        self.folder: Path | None = None
        reason = _against(marks, memory, room)
        if reason is None:
            self.folder, self._lock = _take(memory)
            os.environ["TMPDIR"] = str(self.folder)
            tempfile.tempdir = None
        self.said = f"data of the tests' servers: {tempfile.gettempdir()}, {reason or 'in memory'}"

    def close(self) -> None:
        """Removes the folder and what is in it."""
        if self.folder is not None:
            del os.environ["TMPDIR"]
            tempfile.tempdir = None
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self.folder = None


def _against(marks: str, memory: Path, room: int) -> str | None:
    """Why the data does not lie in memory, or None."""
    if "TMPDIR" in os.environ:
        return "as TMPDIR says"
    if not marks or re.search(r"(?<!not )\b(slow|faults)\b", marks):
        return "a campaign is about the disk"
    if not os.access(memory, os.W_OK | os.X_OK):
        return f"{memory} cannot be written"
    free = shutil.disk_usage(memory).free
    if free < room:
        return f"{memory} has {free >> 20} MB free, {room >> 20} are needed"
    return None


def _take(memory: Path) -> tuple[Path, int]:
    """A new folder and a lock on it, which the system lets go of however this process ends.

    Folders that nobody holds were left by a session that was killed: they go.
    """
    for left in memory.glob(f"{PREFIX}*"):
        lock = _lock(left)
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
    while True:
        # Short: a socket's path has to fit 107 bytes. The folders in it are closed each for itself; a PostgreSQL with
        # a user id of its own has to pass through this one.
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=memory))
        lock = _lock(folder)
        if lock is not None and folder.exists():
            folder.chmod(0o711)
            return folder, lock
        # Another session that began at the same moment took it for one that was left.
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """The lock, or None if somebody holds it or the folder is gone or another user's."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
