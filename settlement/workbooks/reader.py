"""The process that reads one file: ``python -m settlement.workbooks.reader STATED``, the file on standard input.

STATED is what is stated about the file beside it, as JSON. It writes lines of JSON: the format and dialect and then
each row, or all errors.
"""

import json
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from settlement.workbooks.cells import BadFile, SheetTable
from settlement.workbooks.formats import Stated, parse

MAX_MEMORY: Final = 2**30
"""Bytes of address space that the process may have."""
MAX_CPU_SECONDS: Final = 40
MAX_FOUND: Final = 128 * 2**20
"""Bytes that it may write: a small file can have one long text in every cell."""
FIRST_TO_END: Final = Path("/proc/self/oom_score_adj")
"""If a machine or container has no memory left, this process is killed, not the gateway that started it."""


def limit() -> None:
    """Set the limits of this process, and let it be the first to be killed if memory is short."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FOUND, MAX_FOUND))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    FIRST_TO_END.write_text("1000")


def lines_of(table: SheetTable) -> Iterator[str]:
    """Return the lines that say what a table holds."""
    yield json.dumps({"format": table.format, "dialect": table.dialect, "how": table.how})
    for line, cells in table.rows:
        yield json.dumps([line, cells])


def main(
    arguments: list[str], given: IO[bytes], out: IO[str], written: Callable[[SheetTable], Iterator[str]] = lines_of
) -> None:
    """Read the file within the limits and write its contents, or what ``written`` makes of them."""
    limit()
    try:
        lines = written(parse(given.read(), Stated(*json.loads(arguments[0]))))
        first = next(lines)
    except BadFile as bad:
        print(json.dumps({"errors": bad.errors}), file=out)
        return
    print(first, file=out)
    for line in lines:
        print(line, file=out)
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin.buffer, sys.stdout)
