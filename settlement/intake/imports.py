"""Bar lists from file to register: a preview that changes nothing, then all of it or nothing."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.intake import bar_list, fabrication, files, pre_advice
from settlement.intake.bar_list import Declared, Measured
from settlement.intake.bar_rows import Reading
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile, RowError, Table

CHUNK: Final = 1_000
"""Lots that are taken in between two reports of progress."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of lots taken in so far and the number of all."""


class Taken(NamedTuple):
    """The numbers of a file and of its lots, and the obstacle of each that is certified and not registered yet."""

    file: int
    lots: list[int]
    waiting: dict[int, str]


class Preview(NamedTuple):
    """The content of a file that is not taken in yet, and its problems.

    ``known_as`` is the number of the file if it was taken in before; ``gross_cg`` the sum of the rows' gross weights,
    in 0.01 g.
    """

    sha256: str
    format: str
    dialect: str
    rows: int
    gross_cg: int
    problems: list[RowError]
    known_as: int | None


def _silent(_done: int, _all: int) -> None:
    pass


async def preview(connection: AsyncConnection, kind: str, data: bytes, reading: Reading) -> Preview:
    """Return a bar list's content and problems; change nothing. Raises BadValue for an unknown kind."""
    digest = sha256(data).hexdigest()
    before = await files.known(connection, kind, data)
    number = None if before is None else int(before.file_no)
    try:
        table = await sheets.read_async(data, reading.sheet)
    except BadFile as bad:
        return Preview(digest, "unreadable", "", 0, 0, bad.errors, number)
    try:
        rows = await _read(kind, table, reading)
    except BadFile as bad:
        return Preview(digest, table.format, table.dialect, max(len(table.rows) - 1, 0), 0, bad.errors, number)
    found = await _problems(connection, rows, reading)
    gross = sum(row.gross_cg if isinstance(row, Declared) else row.weighed.cg for row in rows)
    return Preview(digest, table.format, table.dialect, len(rows), gross, found, number)


async def _read(kind: str, table: Table, reading: Reading) -> list[Declared] | list[Measured]:
    if kind == "declared":
        return await asyncio.to_thread(bar_list.declared_rows, table, reading)
    if kind == "measured":
        return await asyncio.to_thread(bar_list.measured_rows, table, reading)
    raise BadValue("kind", kind, "declared or measured")


async def _problems(
    connection: AsyncConnection, rows: Sequence[Declared] | Sequence[Measured], reading: Reading
) -> list[RowError]:
    declared = [row for row in rows if isinstance(row, Declared)]
    measured = [row for row in rows if isinstance(row, Measured)]
    against = await pre_advice.problems(connection, declared, other_years=reading.other_years)
    return sorted(against + await fabrication.problems(connection, measured))


async def take_in(
    connection: AsyncConnection,
    by: str,
    kind: str,
    name: str,
    data: bytes,
    reading: Reading = Reading(),  # noqa: B008
    progress: Progress = _silent,
) -> Taken:
    """Take in all lots of a bar list in the caller's transaction, and keep the file.

    ``kind`` is declared (the lots are advised) or measured (advised lots arrive and go to the register). Raises BadFile
    with every bad row, Refused (FILE_KNOWN) for a file that was taken in before, and what the steps raise.
    """
    await files.check_new(connection, kind, data)
    rows = await _read(kind, await sheets.read_async(data, reading.sheet), reading)
    if problems := await _problems(connection, rows, reading):
        raise BadFile(problems)
    numbers: list[int] = []
    waiting: dict[int, str] = {}
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        declared = [row for row in some if isinstance(row, Declared)]
        measured = [row for row in some if isinstance(row, Measured)]
        if declared:
            numbers += await pre_advice.pre_advise(connection, by, declared, other_years=reading.other_years)
        else:
            done = await fabrication.process(connection, by, measured)
            numbers += [*done.registered, *done.waiting]
            waiting |= done.waiting
        progress(start + len(some), len(rows))
    result = {"lots": [min(numbers), max(numbers)]}
    file = await files.keep(connection, by, kind, name, data, len(rows), result)
    return Taken(file, sorted(numbers), waiting)
