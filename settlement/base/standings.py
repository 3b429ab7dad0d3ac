"""The standing of members, staff and keys in the register: in use, suspended, taken up again, ended.

Each change is a ``Notice`` with a unique id, and is written once, either by the command that made it, or by a gateway
that read it on Redis or Valkey while the database was away. Whether a key may be used follows from its own standing and
from that of its holder.
"""

import secrets
from typing import Any, Final

from sqlalchemy import Row, Select, Table, insert, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from goldx.streams.standings import Notice
from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.documents.registered import ACTIVE, ENDED, STANDINGS, STATUSES, SUSPENDED
from settlement.tables.base import api_key, member, staff, standing_change

TABLES: Final[dict[str, Table]] = {"member": member, "staff": staff, "key": api_key}
LONGEST_REASON: Final = 200
NAMES: Final = {"member": "member", "staff": "staff", "key": "key_id"}
"""The column of a kind's code, which refusals name as well."""


def key_column(kind: str) -> Any:
    """Return the column of a kind's codes."""
    return TABLES[kind].c[NAMES[kind]]


def new_notice(step: str, kind: str, code: str, by: str, reason: str) -> Notice:
    """Return the notice of a step that somebody takes now. Raises BadValue for a reason that is no text."""
    status = STANDINGS[kind].steps[step].after
    return Notice(secrets.token_hex(16), kind, code, status, by, printable("reason", reason, LONGEST_REASON), now_ms())


def step_to(kind: str, status: str) -> str:
    """Return the name of the step that leads to a status."""
    return next(name for name, step in STANDINGS[kind].steps.items() if step.after == status and step.before)


def check(notice: Notice, status: str) -> None:
    """Raise Refused (ILLEGAL_STEP) if this status does not allow the step of a notice."""
    name = step_to(notice.kind, notice.status)
    before = STANDINGS[notice.kind].steps[name].before
    if status not in before:
        allowed = " or ".join(before)
        raise Refused("ILLEGAL_STEP", f"{notice.kind} {notice.code} is {status}; to {name} it must be {allowed}")


def unknown(kind: str, code: str) -> BadValue:
    """Return the refusal of a code that is not registered."""
    allowed = {"member": "the code of a member", "staff": "the code of one of the staff", "key": "a registered key"}
    return BadValue(NAMES[kind], code, allowed[kind])


async def status_of(connection: AsyncConnection, kind: str, code: str) -> str:
    """Return a standing. Raises BadValue for an unregistered code."""
    found = await connection.scalar(select(TABLES[kind].c.status).where(key_column(kind) == code))
    if found is None:
        raise unknown(kind, code)
    return str(found)


async def require_active(connection: AsyncConnection, kind: str, code: str) -> None:
    """Raise BadValue for an unregistered code, Refused (NOT_ACTIVE) for a suspended or ended one."""
    status = await status_of(connection, kind, code)
    if status != ACTIVE:
        raise Refused("NOT_ACTIVE", f"{kind} {code} is {status}")


async def write(connection: AsyncConnection, notice: Notice, *, strict: bool = False) -> bool:
    """Write a change into the register, and return False if it is there already.

    What was published while the register was away may come late: what has ended stays ended, and the change is recorded
    all the same. ``strict``: it is refused (ILLEGAL_STEP) instead. Raises BadValue for what is not registered.
    """
    await audit.lock(connection)
    known = select(standing_change.c.change_id).where(standing_change.c.change_id == notice.change_id)
    if await connection.scalar(known) is not None:
        return False
    status = await status_of(connection, notice.kind, notice.code)
    if strict:
        check(notice, status)
    if status != ENDED:
        status = notice.status
    changed = update(TABLES[notice.kind]).where(key_column(notice.kind) == notice.code)
    await connection.execute(changed.values(status=status))
    await record(connection, notice)
    detail = {"reason": notice.reason, "status": status}
    action = f"{notice.kind}.{step_to(notice.kind, notice.status)}"
    await audit.record(connection, audit.Act(notice.by, action, notice.code, detail))
    return True


async def record(connection: AsyncConnection, notice: Notice) -> None:
    """Add a change to the history of a standing."""
    row = {"change_id": notice.change_id, "kind": notice.kind, "code": notice.code, "status": notice.status}
    more = {"changed_by": notice.by, "reason": notice.reason, "changed_at": notice.at}
    await connection.execute(insert(standing_change).values(**row, **more))


def takes_one(notice: Notice) -> bool:
    """Return whether one person may take a step: each step that protects, as a new key is quickly made."""
    return notice.status == SUSPENDED or (notice.kind == "key" and notice.status == ENDED)


async def check_another(connection: AsyncConnection, notice: Notice) -> None:
    """Raise Refused if a step of two people is taken by the person who suspended, or without a suspension before it."""
    if takes_one(notice):
        return
    last = (await changes(connection, notice.kind, notice.code))[-1:]
    if not last or last[0].status != SUSPENDED:
        text = f"{notice.kind} {notice.code} is suspended first; then another person ends it"
        raise Refused("TWO_PEOPLE", text)
    if last[0].changed_by == notice.by:
        step = step_to(notice.kind, notice.status)
        text = f"{notice.kind} {notice.code} was suspended by {notice.by}; to {step} it takes another person"
        raise Refused("SAME_PERSON", text)


async def changes(connection: AsyncConnection, kind: str, code: str) -> list[Row[Any]]:
    """Return the changes of a standing, oldest first."""
    query = select(standing_change).where(standing_change.c.kind == kind, standing_change.c.code == code)
    return list(await connection.execute(query.order_by(standing_change.c.change_number)))


def _query(kind: str) -> Select[Any]:
    """Return the query of all of a kind, each with its last change."""
    newest = select(standing_change).where(standing_change.c.kind == kind)
    newest = newest.ext(distinct_on(standing_change.c.code))
    last = newest.order_by(standing_change.c.code, standing_change.c.change_number.desc()).subquery()
    return select(TABLES[kind], last.c.changed_by, last.c.changed_at, last.c.reason).join_from(
        TABLES[kind], last, key_column(kind) == last.c.code, isouter=True
    )


async def listing(
    connection: AsyncConnection,
    kind: str,
    page: PageRequest = ALL,
    *,
    status: str | None = None,
    member_code: str | None = None,
    staff_code: str | None = None,
) -> Page[Row[Any]]:
    """Return members, staff or keys by their codes, each with its last change; keys of one holder if asked for.

    Raises BadValue for a status that there is not.
    """
    query = _query(kind)
    if status is not None:
        if status not in STATUSES:
            raise BadValue("status", status, "one of " + ", ".join(STATUSES))
        query = query.where(TABLES[kind].c.status == status)
    for column, code in ((api_key.c.member, member_code), (api_key.c.staff, staff_code)):
        if code is not None:
            query = query.where(column == code)
    return await fetch(connection, query, (key_column(kind),), page)


async def keys_of(connection: AsyncConnection, kind: str, code: str) -> list[Row[Any]]:
    """Return the keys of a member or of one of the staff, each with its last change; a key has none."""
    if kind == "member":
        return await listing(connection, "key", member_code=code)
    return await listing(connection, "key", staff_code=code) if kind == "staff" else []


async def find(connection: AsyncConnection, kind: str, code: str) -> Row[Any]:
    """Return one member, one of the staff or one key, with its last change. Raises BadValue for an unknown code."""
    await status_of(connection, kind, code)
    found: Row[Any] = (await connection.execute(_query(kind).where(key_column(kind) == code))).one()
    return found
