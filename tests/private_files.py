"""Files that are for their own user alone."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path


def open_to_others(paths: Iterable[Path]) -> dict[str, str]:
    """Return those of the paths on which others than their owner have a permission, each with its mode."""
    found = {}
    for path in paths:
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & 0o077:
            found[str(path)] = oct(mode)
    return found


@contextlib.contextmanager
def usual_umask() -> Iterator[None]:
    """Let files be readable by all, as most systems do, where a program does not ask for anything else."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
