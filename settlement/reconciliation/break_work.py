"""Work on a break: its owner, the notes about it, and the files that belong to it.

Every step is kept with its person and time and is never changed; explanations and resolutions are steps as well.
"""

import zipfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from io import BytesIO
from typing import Any, Final

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, registry
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import allow
from settlement.base.texts import printable
from settlement.documents.reconciliation import BREAK
from settlement.tables.reconciliation import BREAK_FILE_KINDS, LARGEST_BREAK_FILE, break_file, break_step, recon_break

LONGEST_NOTE: Final = 500
MOST_FILES: Final = 20
"""The files of one break."""


async def load(connection: AsyncConnection, break_id: int) -> Row[Any]:
    """Return a break that is not corrected, locked until the transaction ends. Raises BadValue."""
    await audit.lock(connection)
    query = select(recon_break).where(recon_break.c.break_id == break_id).with_for_update(key_share=True)
    row = (await connection.execute(query)).first()
    if row is None or row.status in BREAK.final:
        raise BadValue("break", break_id, "the number of a break that is not corrected")
    return row


async def check_staff(connection: AsyncConnection, owner: str) -> None:
    """Raise BadValue for an owner who is none of the staff."""
    try:
        await registry.staff_permissions(connection, owner)
    except BadValue as error:
        raise BadValue("owner", owner, error.allowed) from error


async def record(
    connection: AsyncConnection, by: str, break_id: int, step: str, text: str, document: str = "", **detail: object
) -> None:
    """Keep a step with its person and time, here and in the audit log; ``document`` is what it refers to."""
    values = {"break_id": break_id, "step": step, "text": text, "document": document, "at": now_ms(), "by": by}
    await connection.execute(insert(break_step).values(values))
    found = {"text": text, **({"document": document} if document else {}), **detail}
    await audit.record(connection, audit.Act(by, f"break.{step}", f"break:{break_id}", found))


async def assign(connection: AsyncConnection, by: str, break_id: int, owner: str, reason: str) -> None:
    """Give a break another owner, one of the staff. Raises BadValue."""
    printable("reason", reason, LONGEST_NOTE)
    await check_staff(connection, owner)
    row = await load(connection, break_id)
    if row.owner == owner:
        raise BadValue("owner", owner, "another one than the break has")
    await connection.execute(update(recon_break).where(recon_break.c.break_id == break_id).values(owner=owner))
    await record(connection, by, break_id, "assign", reason, owner=owner, was=row.owner)


async def note(connection: AsyncConnection, by: str, break_id: int, text: str) -> None:
    """Note something about a break. Raises BadValue."""
    printable("note", text, LONGEST_NOTE)
    await load(connection, break_id)
    await record(connection, by, break_id, "note", text)


async def explain(connection: AsyncConnection, by: str, break_id: int, owner: str, explanation: str) -> None:
    """Record which of the staff deals with a break and what is known of it.

    Raises BadValue for an owner who is none of the staff, and if there is no such open break; Refused (ILLEGAL_STEP)
    for one that is resolved or written off.
    """
    printable("explanation", explanation, LONGEST_NOTE)
    await check_staff(connection, owner)
    row = await load(connection, break_id)
    await move(connection, row, "explain", owner=owner, explanation=explanation)
    await record(connection, by, break_id, "explain", explanation, owner=owner)


async def move(connection: AsyncConnection, row: Row[Any], step: str, **values: Any) -> None:
    """Take a step of the break's life and set further columns with it. Raises Refused (ILLEGAL_STEP)."""
    after = allow(BREAK, step, row.break_id, row.status).after
    changed = update(recon_break).where(recon_break.c.break_id == row.break_id)
    await connection.execute(changed.values(status=after, **values))


async def steps(connection: AsyncConnection, break_id: int, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return what was done about a break, oldest first."""
    query = select(break_step).where(break_step.c.break_id == break_id)
    return await fetch(connection, query, (break_step.c.step_no,), page)


def _is_text(data: bytes) -> bool:
    if b"\0" in data:
        return False
    for encoding in ("utf-8", "gb18030"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


def _is_workbook(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(data)) as found:
            return "xl/workbook.xml" in found.namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


_IS_KIND: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "pdf": lambda data: data.startswith(b"%PDF-"),
    "png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
    "jpeg": lambda data: data.startswith(b"\xff\xd8\xff"),
    "xlsx": _is_workbook,
    "csv": _is_text,
    "txt": _is_text,
}
"""Whether the bytes of a file are of each kind."""


def kind_of(name: str, data: bytes) -> str:
    """Return the kind of a file by the end of its name. Raises BadValue if its bytes are of another one."""
    kind = name.rpartition(".")[2].lower()
    kind = {"jpg": "jpeg"}.get(kind, kind)
    if kind not in BREAK_FILE_KINDS:
        raise BadValue("name", name, "a file that ends with ." + ", .".join((*BREAK_FILE_KINDS, "jpg")))
    if not _IS_KIND[kind](data):
        raise BadValue("file", name, f"the bytes of a {kind} file")
    return kind


async def attach(connection: AsyncConnection, by: str, break_id: int, name: str, data: bytes) -> int:
    """Keep a file with a break and return the file's number.

    Raises BadValue for one that is empty, too large, or not of its kind; Refused: FILE_KNOWN if the break has these
    bytes already, TOO_MANY_FILES.
    """
    printable("name", name, 128)
    if not 1 <= len(data) <= LARGEST_BREAK_FILE:
        raise BadValue("file", f"{name}, {len(data)} bytes", f"1 to {LARGEST_BREAK_FILE} bytes")
    kind = kind_of(name, data)
    await load(connection, break_id)
    count = select(func.count()).where(break_file.c.break_id == break_id)
    digest = sha256(data).digest()
    values = {"break_id": break_id, "name": name, "kind": kind, "sha256": digest, "content": data, "at": now_ms()}
    if int(await connection.scalar(count) or 0) >= MOST_FILES:
        raise Refused("TOO_MANY_FILES", f"break {break_id} has {MOST_FILES} files, which is the most")
    added = insert_or(break_file).values(**values, by=by).on_conflict_do_nothing().returning(break_file.c.file_no)
    number = await connection.scalar(added)
    if number is None:
        raise Refused("FILE_KNOWN", f"break {break_id} has these bytes already")
    detail = {"file": int(number), "name": name, "kind": kind, "sha256": digest.hex(), "bytes": len(data)}
    await audit.record(connection, audit.Act(by, "break.attach", f"break:{break_id}", detail))
    return int(number)


async def files(connection: AsyncConnection, break_id: int, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the files of a break without their content, oldest first, each with its ``size`` in bytes."""
    about = [column for column in break_file.c if column.name != "content"]
    query = select(*about, func.length(break_file.c.content).label("size")).where(break_file.c.break_id == break_id)
    return await fetch(connection, query, (break_file.c.file_no,), page)


async def content(connection: AsyncConnection, break_id: int, file_no: int) -> Row[Any]:
    """Return a file of a break with its content. Raises BadValue."""
    query = select(break_file).where(break_file.c.break_id == break_id, break_file.c.file_no == file_no)
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("file", file_no, f"the number of a file of break {break_id}")
    return row
