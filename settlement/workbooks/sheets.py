"""Tables as people send them, read as rows of cells in a process of their own.

A workbook of a kilobyte can take any amount of memory and time. The process that reads it has limits on both; if it
exceeds one it ends, and the file is refused. It gets no settings of this process, and so no passwords.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any, Final, TypeVar

from settlement.workbooks.cells import BadFile, Cell, Row, RowError, SheetTable
from settlement.workbooks.formats import MAX_BYTES, Stated
from settlement.workbooks.limits import refused
from settlement.workbooks.reader import MAX_CPU_SECONDS, MAX_FOUND, MAX_MEMORY

MAX_SECONDS: Final = 120
"""Seconds after which the process is killed."""
AT_ONCE: Final = 2
"""Files that ``read_async`` reads at the same time in one gateway; others wait."""

NOTHING: Final = Stated()
"""Nothing is stated about a file."""
T = TypeVar("T")

_READERS: Final = ThreadPoolExecutor(AT_ONCE, "file")
_KEPT_SETTINGS: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


async def read_async(data: bytes, stated: Stated = NOTHING) -> SheetTable:
    """Do the same as ``read`` without blocking the event loop, or the threads for other work."""
    return await in_turn(lambda: read(data, stated))


async def in_turn(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, which reads a file in a process of its own, when its turn has come."""
    return await asyncio.get_running_loop().run_in_executor(_READERS, work)


def read(data: bytes, stated: Stated = NOTHING) -> SheetTable:
    """Return the non-empty rows; ``stated`` is what is known of the file beside it. Raises BadFile."""
    with found_by("settlement.workbooks.reader", data, json.dumps(stated)) as found:
        head = first_of(found)
        rows = []
        for text in found:
            line, cells = json.loads(text)
            rows.append(Row(line, tuple(Cell(*cell) for cell in cells)))
    return SheetTable(head["format"], head["dialect"], rows, tuple(head["how"]))


def first_of(found: IO[bytes]) -> Any:
    """Return the first line of what a process wrote, from JSON. Raises BadFile where it has all errors."""
    first = json.loads(found.readline())
    if isinstance(first, dict) and "errors" in first:
        raise BadFile([RowError(*error) for error in first["errors"]])
    return first


@contextmanager
def found_by(reader: str, data: bytes, *arguments: str) -> Iterator[IO[bytes]]:
    """Run the module ``reader``, which limits itself, on the file, and give what it wrote. Raises BadFile."""
    if len(data) > MAX_BYTES:
        raise refused(f"{len(data)} bytes; at most {MAX_BYTES} are read")
    command = [sys.executable, "-m", reader, *arguments]
    settings = {name: os.environ[name] for name in _KEPT_SETTINGS if name in os.environ}
    with TemporaryFile() as given, TemporaryFile() as found:
        given.write(data)
        given.seek(0)
        try:
            done = subprocess.run(
                command,
                stdin=given,
                stdout=found,
                stderr=subprocess.PIPE,
                env=settings,
                timeout=MAX_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise refused(f"it takes longer than {MAX_SECONDS} seconds to read") from error
        if done.returncode:
            raise refused(_why(done.returncode, done.stderr))
        found.seek(0)
        yield found


def _why(code: int, said: bytes) -> str:
    """Return why the reading process ended by itself. Raises RuntimeError if no limit was the cause."""
    if code == -signal.SIGKILL:
        return "reading it was ended for want of memory or time"
    if code == -signal.SIGXCPU:
        return f"it takes more than {MAX_CPU_SECONDS} seconds of computing to read"
    if code == -signal.SIGABRT or b"MemoryError" in said:
        return f"it takes more than {MAX_MEMORY // 2**20} MiB of memory to read"
    if b"File too large" in said:
        return f"it holds more than {MAX_FOUND // 2**20} MiB of cells"
    if b"PanicException" in said:
        return "it is not a readable workbook"
    raise RuntimeError(f"the process that reads files ended with {code}: {said.decode(errors='replace')[-2000:]}")
