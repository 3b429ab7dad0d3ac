"""The archive of signed days: each record is written to a file of its own, without anybody's doing.

The file can be checked without the database (``settlement.closing.records``). Files are never written anew: one that is
there already must have the same bytes.
"""

import os
from datetime import date
from pathlib import Path
from typing import Final

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.hosting.settings import Settings
from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import SERVICE
from settlement.closing import records
from settlement.closing.canonical import digest
from settlement.tables.closing import day_archive, day_record

_ARCHIVE_LOCK: Final = 0xA2C417E
"""Advisory lock of the transaction that writes files of the archive."""


async def waiting(connection: AsyncConnection) -> list[date]:
    """Return the days with a record that is not archived, oldest first."""
    query = select(day_record.c.day).outerjoin(day_archive, day_archive.c.day == day_record.c.day)
    query = query.where(day_archive.c.day.is_(None)).order_by(day_record.c.record_no)
    return list((await connection.execute(query)).scalars())


async def archive(connection: AsyncConnection, day: date, folder: Path) -> Path | None:
    """Write the record of a day into a folder and return its file, or None if it has been archived meanwhile.

    Two processes of settlement write one after the other. Raises Refused (ARCHIVE_DIFFERS) if the file is there with
    other bytes, and OSError.
    """
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ARCHIVE_LOCK})
    if await connection.scalar(select(day_archive.c.day).where(day_archive.c.day == day)) is not None:
        return None
    data = await records.archive(connection, day)
    file = folder / f"{day.isoformat()}.json"
    write_once(file, data)
    values = {"day": day, "file": file.name, "sha256": bytes.fromhex(digest(data)), "archived_at": now_ms()}
    await connection.execute(insert(day_archive).values(values))
    detail = {"file": file.name, "sha256": digest(data)}
    await audit.record(connection, audit.Act(SERVICE, "day.archive", f"day:{day.isoformat()}", detail))
    return file


async def newest(connection: AsyncConnection) -> date | None:
    """Return the newest day whose record is archived, None if there is none."""
    query = select(day_archive.c.day).join(day_record, day_record.c.day == day_archive.c.day)
    found: date | None = await connection.scalar(query.order_by(day_record.c.record_no.desc()).limit(1))
    return found


async def check(connection: AsyncConnection, day: date, folder: Path) -> Path | None:
    """Read the archived record of a day again and return its file; None if the record is not archived yet.

    Raises Refused if the file is not in the folder or cannot be read (ARCHIVE_MISSING), or has other bytes than it was
    written with (ARCHIVE_DIFFERS).
    """
    columns = day_archive.c
    row = (await connection.execute(select(columns.file, columns.sha256).where(columns.day == day))).first()
    if row is None:
        return None
    file = folder / str(row.file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Refused("ARCHIVE_MISSING", f"the archived record of {day} cannot be read: {error}") from error
    if bytes.fromhex(digest(data)) != row.sha256:
        text = f"{file} is not as it was written: its SHA-256 is {digest(data)}, and was {row.sha256.hex()}"
        raise Refused("ARCHIVE_DIFFERS", text)
    return file


def folder_of(settings: Settings) -> Path:
    """Return the folder in which settlement archives the records of the days of a shard."""
    return (settings.record_dir or settings.data_dir / "records") / settings.shard


def write_once(file: Path, data: bytes) -> None:
    """Write a file so that it is whole on the disk or not there. Raises Refused if it is there with other bytes.

    What a process left that was killed while it wrote is removed first, as it may be a file that cannot be written to.
    """
    if file.exists():
        if file.read_bytes() != data:
            raise Refused("ARCHIVE_DIFFERS", f"{file} is there with other bytes; it is left as it is")
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    partial.unlink(missing_ok=True)
    with partial.open("xb") as written:
        written.write(data)
        written.flush()
        os.fsync(written.fileno())
    partial.chmod(0o400)
    os.replace(partial, file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
