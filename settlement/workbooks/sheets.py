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
from typing import IO, Final, TypeVar

from settlement.workbooks.cells import BadFile, Cell, Row, RowError, Table
from settlement.workbooks.formats import MAX_BYTES
from settlement.workbooks.reader import MAX_CPU_SECONDS, MAX_FOUND, MAX_MEMORY

MAX_SECONDS: Final = 120
"""Seconds after which the process is killed."""
AT_ONCE: Final = 2
"""Files that ``read_async`` reads at the same time in one gateway; others wait."""

T = TypeVar("T")

_READERS: Final = ThreadPoolExecutor(AT_ONCE, "file")
_KEPT_SETTINGS: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


async def read_async(data: bytes, sheet: str | None = None) -> Table:
    """Do the same as ``read`` without blocking the event loop, or the threads for other work."""
    return await in_turn(lambda: read(data, sheet))


async def in_turn(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, which reads a file in a process of its own, when its turn has come."""
    return await asyncio.get_running_loop().run_in_executor(_READERS, work)


def read(data: bytes, sheet: str | None = None) -> Table:
    """Return the non-empty rows; ``sheet`` names the sheet of a workbook with several. Raises BadFile."""
    with found_by("settlement.workbooks.reader", data, *([] if sheet is None else [sheet])) as found:
        return _table(found)


@contextmanager
def found_by(reader: str, data: bytes, *arguments: str) -> Iterator[IO[bytes]]:
    """Run the module ``reader``, which limits itself, on the file, and give what it wrote. Raises BadFile."""
    if len(data) > MAX_BYTES:
        raise _refused(f"{len(data)} bytes; at most {MAX_BYTES} are read")
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
            raise _refused(f"it takes longer than {MAX_SECONDS} seconds to read") from error
        if done.returncode:
            raise _refused(_why(done.returncode, done.stderr))
        found.seek(0)
        yield found


def _refused(problem: str) -> BadFile:
    return BadFile([RowError(1, "file", problem)])


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


def _table(found: IO[bytes]) -> Table:
    """Return the process's output: a line with the table's head or the errors, then one line for each row."""
    head = json.loads(found.readline())
    if "errors" in head:
        raise BadFile([RowError(*error) for error in head["errors"]])
    rows = []
    for text in found:
        line, cells = json.loads(text)
        rows.append(Row(line, tuple(Cell(*cell) for cell in cells)))
    return Table(head["format"], head["dialect"], rows)
