"""The temporary folder of a test session: in memory if there is room, since most of the servers' time is fsync.

Servers and processes behave the same on any file system. Only the long campaigns, which test what a disk still has
after a kill, and sessions with TMPDIR set use the system's folder for temporary files.
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
    """The temporary folder of this process and its children for a session; ``description`` is a line about it."""

    def __init__(self, marks: str, memory: Path = MEMORY, room: int = ROOM) -> None:
        """Make the folder in ``memory`` if that has ``room`` bytes; ``marks`` is the value of ``-m``."""
        self.folder: Path | None = None
        reason = _reason_for_disk(marks, memory, room)
        if reason is None:
            self.folder, self._lock = _take(memory)
            os.environ["TMPDIR"] = str(self.folder)
            tempfile.tempdir = None
        self.description = f"data of the tests' servers: {tempfile.gettempdir()}, {reason or 'in memory'}"

    def close(self) -> None:
        """Remove the folder with everything in it."""
        if self.folder is not None:
            del os.environ["TMPDIR"]
            tempfile.tempdir = None
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self.folder = None


def _reason_for_disk(marks: str, memory: Path, room: int) -> str | None:
    """Return why the data does not lie in memory, or None."""
    if "TMPDIR" in os.environ:
        return "as TMPDIR says"
    if not marks or re.search(r"(?<!not )\b(slow|faults)\b", marks):
        return "these tests are about the disk"
    if not os.access(memory, os.W_OK | os.X_OK):
        return f"{memory} cannot be written"
    free = shutil.disk_usage(memory).free
    if free < room:
        return f"{memory} has {free >> 20} MB free, {room >> 20} are needed"
    return None


def _take(memory: Path) -> tuple[Path, int]:
    """Make a folder and lock it; the system releases the lock however this process ends.

    Folders that are not locked were left by a session that was killed, and are removed.
    """
    for left in memory.glob(f"{PREFIX}*"):
        lock = _lock(left)
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
    while True:
        # The path is short, because a socket's path has to fit 107 bytes. Others may enter it, because a PostgreSQL
        # with a user id of its own has to; the folders in it are private.
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=memory))
        lock = _lock(folder)
        if lock is not None and folder.exists():
            folder.chmod(0o711)
            return folder, lock
        # Another session that began at the same moment has removed it as one that was left.
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder; return None if another process has, or if the folder is gone or another user's."""
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
