"""Files that were taken in. The original of each is kept with its SHA-256, and none is taken in twice."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.tables.intake import file

_ABOUT = tuple(column for column in file.c if column.name != "content")


async def known(connection: AsyncConnection, kind: str, data: bytes, about: str = "") -> Row[Any] | None:
    """Return the file of the same bytes that was taken in as this kind and about the same thing, None without one."""
    digest = sha256(data).digest()
    query = select(*_ABOUT).where(file.c.kind == kind, file.c.sha256 == digest, file.c.about == about)
    return (await connection.execute(query)).first()


async def check_new(connection: AsyncConnection, kind: str, data: bytes, about: str = "") -> None:
    """Raise Refused (FILE_KNOWN) where the same file was taken in before."""
    before = await known(connection, kind, data, about)
    if before is not None:
        raise Refused(
            "FILE_KNOWN", f"these bytes were taken in by {before.taken_by} as file {before.file_no}, {before.name!r}"
        )


async def keep(
    connection: AsyncConnection,
    by: str,
    kind: str,
    name: str,
    data: bytes,
    rows: int,
    result: Mapping[str, Any],
    about: str = "",
) -> int:
    """Keep the original, in the transaction that takes its content in, and return the file's number.

    ``name`` is the sender's name of the file, ``result`` a summary of the outcome; ``about`` is the warehouse and day
    of a statement, whose bytes may well be those of the day before. Raises BadValue, and Refused (FILE_KNOWN).
    """
    printable("name", name, 128)
    values = {
        "kind": kind,
        "name": name,
        "sha256": sha256(data).digest(),
        "content": data,
        "rows": rows,
        "result": dict(result),
        "taken_at": now_ms(),
        "taken_by": by,
        "about": about,
    }
    added = insert_or(file).values(values).on_conflict_do_nothing().returning(file.c.file_no)
    number = await connection.scalar(added)
    if number is None:
        await check_new(connection, kind, data, about)
    taken = {"kind": kind, "name": name, "sha256": sha256(data).hexdigest(), "rows": rows, **result}
    await audit.record(connection, audit.Act(by, "file.take_in", f"file:{number}", taken))
    return int(number or 0)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return files by number, without their content."""
    return await fetch(connection, select(*_ABOUT), (file.c.file_no,), page)


async def original(connection: AsyncConnection, file_no: int) -> Row[Any]:
    """Return a file with its content, as it came. Raises BadValue for an unknown number."""
    row = (await connection.execute(select(file).where(file.c.file_no == file_no))).first()
    if row is None:
        raise BadValue("file", file_no, "the number of a file that was taken in")
    return row
