"""Bar lists from file to register: all of it or nothing.

A preview is the same work in the same order, and takes back what it has done: what it finds is what the run would.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.database import trial
from settlement.base.database_errors import Meaning, describe, meaning_of
from settlement.base.refusal import Refused
from settlement.intake import bar_list, fabrication, files, pre_advice
from settlement.intake.bar_list import Declared, Measured
from settlement.intake.bar_rows import Reading
from settlement.workbooks import sheets
from settlement.workbooks.as_read import AsRead
from settlement.workbooks.cells import BadFile, RowError, SheetTable

CHUNK: Final = 1_000
"""Lots that are taken in between two reports of progress."""
MOST_PROBLEMS: Final = 100
"""After so many rows that a step has refused, the others are not tried."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of lots taken in so far and the number of all."""
Bars: TypeAlias = Sequence[Declared | Measured]
KINDS: Final = ("declared", "measured")


class ImportedLots(NamedTuple):
    """The numbers of a file and of its lots, and the obstacle of each that is certified and not registered yet."""

    file: int
    lots: list[int]
    waiting: dict[int, str]


class Preview(NamedTuple):
    """The content of a file that is not taken in yet, and its problems.

    ``known_as`` is the number of the file if it was taken in before; ``gross_cg`` the sum of the rows' gross weights,
    in 0.01 g; ``as_read`` is the file as it was read, None for one that could not be. ``waiting``: the obstacle of each
    lot that would be certified and not registered.
    """

    sha256: str
    format: str
    dialect: str
    rows: int
    gross_cg: int
    problems: list[RowError]
    known_as: int | None
    as_read: AsRead | None = None
    waiting: Mapping[int, str] = {}


def _silent(_done: int, _all: int) -> None:
    pass


async def preview(
    connection: AsyncConnection,
    by: str,
    kind: str,
    name: str,
    data: bytes,
    reading: Reading = Reading(),  # noqa: B008
) -> Preview:
    """Return what taking in a bar list would come to, with every problem; change nothing.

    Numbers of lots that it has used are left out. Raises BadValue for an unknown kind or name.
    """
    before = await files.known(connection, _checked(kind), data)
    number = None if before is None else int(before.file_no)
    digest = sha256(data).hexdigest()
    try:
        table = await sheets.read_async(data, reading.stated)
    except BadFile as bad:
        return Preview(digest, "unreadable", "", 0, 0, bad.errors, number)
    read = await asyncio.to_thread(_read, kind, table, reading)
    gross = sum(row.gross_cg if isinstance(row, Declared) else row.weighed.cg for row in read.rows)
    found = Preview(digest, table.format, table.dialect, read.as_read.total, gross, [], number, read.as_read)
    try:
        async with trial(connection):
            taken = await _take_in(connection, by, kind, name, data, read, reading)
    except BadFile as bad:
        return found._replace(problems=bad.errors)
    except Refused as refused:
        return found if number is not None else found._replace(problems=[RowError(1, "file", str(refused))])
    return found._replace(waiting=taken.waiting)


def _checked(kind: str) -> str:
    if kind not in KINDS:
        raise BadValue("kind", kind, "declared or measured")
    return kind


class _Read(NamedTuple):
    """The rows of a file that could be read, the errors of the others, and the file as it was read."""

    rows: Bars
    errors: list[RowError]
    as_read: AsRead


def _read(kind: str, table: SheetTable, reading: Reading) -> _Read:
    layout = bar_list.laid_out(table, reading, kind)
    rows = (bar_list.declared_rows if kind == "declared" else bar_list.measured_rows)(layout, reading)
    return _Read(rows.found, rows.errors, layout.as_read())


async def take_in(
    connection: AsyncConnection,
    by: str,
    kind: str,
    name: str,
    data: bytes,
    reading: Reading = Reading(),  # noqa: B008
    progress: Progress = _silent,
) -> ImportedLots:
    """Take in all lots of a bar list in the caller's transaction, and keep the file.

    ``kind`` is declared (the lots are advised) or measured (advised lots arrive and go to the register). Raises BadFile
    with every problem of every row, Refused (FILE_KNOWN) for a file that was taken in before, and BadValue.
    """
    await files.check_new(connection, _checked(kind), data)
    table = await sheets.read_async(data, reading.stated)
    read = await asyncio.to_thread(_read, kind, table, reading)
    async with connection.begin_nested():
        return await _take_in(connection, by, kind, name, data, read, reading, progress)


async def _take_in(
    connection: AsyncConnection,
    by: str,
    kind: str,
    name: str,
    data: bytes,
    read: _Read,
    reading: Reading,
    progress: Progress = _silent,
) -> ImportedLots:
    """Take in the rows of a file and keep it. Raises BadFile, with every problem, and leaves the caller to undo it."""
    await files.check_new(connection, kind, data)
    taking = _Taking(connection, by, reading)
    rows = read.rows
    against = await taking.problems(rows)
    lines = {error.line for error in against}
    fit = [row for row in rows if row.line not in lines]
    if kind == "declared" and (read.errors or against):
        # All that pre-advice refuses is against the register, and each lot that it makes takes a number for good.
        fit = []
    for start in range(0, len(fit), CHUNK):
        await taking.take(fit[start : start + CHUNK])
        progress(min(start + CHUNK, len(fit)), len(rows))
    if errors := read.errors + against + taking.errors + taking.untried():
        raise BadFile(sorted(errors))
    numbers = sorted(taking.numbers)
    file = await files.keep(connection, by, kind, name, data, len(rows), {"lots": [numbers[0], numbers[-1]]})
    return ImportedLots(file, numbers, taking.waiting)


class _Taking:
    """Takes rows in: keeps the ``numbers`` of lots, the obstacles of ``waiting`` ones, and the errors by row."""

    def __init__(self, connection: AsyncConnection, by: str, reading: Reading) -> None:
        self._connection = connection
        self._by = by
        self._other_years = reading.other_years
        self.numbers: list[int] = []
        self.waiting: dict[int, str] = {}
        self.errors: list[RowError] = []
        self._untried = 0

    async def problems(self, rows: Bars) -> list[RowError]:
        """Return the register's objections to the rows of a whole file."""
        declared = [row for row in rows if isinstance(row, Declared)]
        measured = [row for row in rows if isinstance(row, Measured)]
        against = await pre_advice.problems(self._connection, declared, other_years=self._other_years)
        return sorted(against + await fabrication.problems(self._connection, measured))

    async def take(self, rows: Bars) -> None:
        """Take rows in, all at once; where a step refuses that, by halves, down to the rows that it refuses."""
        if rows and len(self.errors) >= MOST_PROBLEMS:
            self._untried = self._untried or rows[0].line
        if not rows or self._untried:
            return
        try:
            async with self._connection.begin_nested():
                await self._step(rows)
        except BadFile as bad:
            self.errors += bad.errors
            lines = {error.line for error in bad.errors}
            rest = [row for row in rows if row.line not in lines]
            await self.take(rest if len(rest) < len(rows) else [])
        except (BadValue, Refused, DBAPIError) as error:
            found = _problem(rows[0].line, error)
            if len(rows) == 1:
                self.errors.append(found)
                return
            middle = len(rows) // 2
            await self.take(rows[:middle])
            await self.take(rows[middle:])

    def untried(self) -> list[RowError]:
        """Return the note that names the first row that was not tried, where there is one."""
        why = f"this row and those after it were not tried: {len(self.errors)} others were refused"
        return [RowError(self._untried, "row", why)] if self._untried else []

    async def _step(self, rows: Bars) -> None:
        declared = [row for row in rows if isinstance(row, Declared)]
        measured = [row for row in rows if isinstance(row, Measured)]
        if declared:
            self.numbers += await pre_advice.pre_advise(
                self._connection, self._by, declared, other_years=self._other_years
            )
        else:
            done = await fabrication.process(self._connection, self._by, measured)
            self.numbers += [*done.registered, *done.waiting]
            self.waiting |= done.waiting


def _problem(line: int, error: BadValue | Refused | DBAPIError) -> RowError:
    """Return the refusal of one row. Raises what is about no row: a lack of permission, an outage, our mistake."""
    if isinstance(error, BadValue):
        return RowError(line, error.field, str(error))
    if isinstance(error, Refused):
        if error.reason == "NOT_PERMITTED":
            raise error
        return RowError(line, "row", str(error))
    if meaning_of(error) in (Meaning.AWAY, Meaning.MISTAKE):
        raise error
    return RowError(line, "row", describe(error))
