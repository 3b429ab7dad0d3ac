"""How large a table may be, and the refusal of a file as a whole."""

from typing import Final

from settlement.workbooks.cells import BadFile, RowError

MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 200
MAX_CELLS: Final = 2_000_000
"""Non-empty rows, times the columns of each."""


def refused(problem: str, line: int = 1) -> BadFile:
    """Return the refusal of a file as a whole; ``line`` is where it shows."""
    return BadFile([RowError(line, "file", problem)])


def check_size(rows: int, columns: int, cells: int, line: int) -> None:
    """Raise BadFile for a table that is too large."""
    if rows > MAX_ROWS:
        raise refused(f"more than {MAX_ROWS} rows", line)
    if columns > MAX_COLUMNS:
        raise refused(f"more than {MAX_COLUMNS} columns", line)
    if cells > MAX_CELLS:
        raise refused(f"more than {MAX_CELLS} cells", line)
