"""The register of member firms, of the venue's staff, and of the Ed25519 keys that they sign with.

A key belongs to one member or to one member of staff. A member's key may ``trade``; a key of staff may have some of its
holder's permissions: ``operate`` (the market), ``settle`` (money and metal), ``warehouse`` (sign days for it) and
``supervise`` (read everything). What is suspended or ended stays registered, so that no code and no key is used
twice (``settlement.base.standings``).
"""

from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.units import BadValue, parse_identifier
from settlement.base import audit, standings
from settlement.base.database import now_ms
from settlement.base.key_points import check_point
from settlement.base.sub_accounts import CUSTODY_MEMBER
from settlement.base.texts import printable
from settlement.documents.registered import ACTIVE
from settlement.tables.base import PERMISSIONS, api_key, member, staff
from settlement.tables.reconciliation import warehouse_key

if TYPE_CHECKING:
    from settlement.base.public_keys import PublicHalf

MEMBER_PERMISSIONS = frozenset(("trade",))
STAFF_PERMISSIONS = frozenset(PERMISSIONS) - MEMBER_PERMISSIONS


class Principal(NamedTuple):
    """The holder of a key: exactly one of ``member`` and ``staff`` is given."""

    key_id: str
    public_key: bytes
    member: str | None
    staff: str | None
    permissions: frozenset[str]


def _permissions(wanted: Iterable[str], allowed: frozenset[str], whose: str) -> list[str]:
    found = frozenset(wanted)
    if not found or not found <= allowed:
        raise BadValue("permissions", ",".join(sorted(found)), f"some of {', '.join(sorted(allowed))} ({whose})")
    return sorted(found)


async def add_member(connection: AsyncConnection, by: str, code: str, name: str, name_zh: str = "") -> None:
    """Register a member firm. Raises BadValue, also if the code is taken."""
    if code == CUSTODY_MEMBER:
        raise BadValue("member", code, "another code: the accounts of pledged and held gold belong to this one")
    row = {
        "member": parse_identifier(code, "member"),
        "name": printable("name", name, 64),
        "name_zh": name_zh,
        "created_at": now_ms(),
    }
    added = insert_or(member).values(row).on_conflict_do_nothing().returning(member.c.member)
    if (await connection.execute(added)).first() is None:
        raise BadValue("member", code, "a code that is not taken")
    await audit.record(connection, audit.Act(by, "member.add", code, {"name": name, "name_zh": name_zh}))


async def why_no_account(engine: AsyncEngine, code: str) -> str | None:
    """Return why no account is opened for a member: it is not registered, or suspended or ended; None if one is."""
    async with engine.connect() as connection:
        status = await connection.scalar(select(member.c.status).where(member.c.member == code))
    if status is None:
        return f"{code} is not registered; `goldx member add` does that"
    return None if status == ACTIVE else f"{code} is {status}; accounts are opened for members that are {ACTIVE}"


async def add_staff(connection: AsyncConnection, by: str, code: str, name: str, permissions: Iterable[str]) -> None:
    """Register one of the venue's staff. Raises BadValue, also if the code is taken."""
    granted = _permissions(permissions, STAFF_PERMISSIONS, "what staff may hold")
    row = {"staff": parse_identifier(code, "staff"), "name": printable("name", name, 64), "permissions": granted}
    added = insert_or(staff).values(**row, created_at=now_ms()).on_conflict_do_nothing().returning(staff.c.staff)
    if (await connection.execute(added)).first() is None:
        raise BadValue("staff", code, "a code that is not taken")
    await audit.record(connection, audit.Act(by, "staff.add", code, {"name": name, "permissions": granted}))


async def staff_permissions(connection: AsyncConnection, code: str) -> frozenset[str]:
    """Return what one of the staff may do. Raises BadValue for an unknown code, Refused (NOT_ACTIVE) if suspended."""
    await standings.require_active(connection, "staff", code)
    granted = await connection.scalar(select(staff.c.permissions).where(staff.c.staff == code))
    return frozenset(granted or ())


async def add_key(
    connection: AsyncConnection,
    by: str,
    key_id: str,
    public_key: bytes,
    *,
    member_code: str | None = None,
    staff_code: str | None = None,
    permissions: Iterable[str] = ("trade",),
) -> None:
    """Register a raw 32-byte Ed25519 public key for one member or one of the staff.

    Raises BadValue, and Refused (NOT_ACTIVE) for a holder who is suspended or ended.
    """
    if (member_code is None) == (staff_code is None):
        raise BadValue("holder", [member_code, staff_code], "either a member or one of the staff")
    if member_code is not None:
        await standings.require_active(connection, "member", member_code)
        granted = _permissions(permissions, MEMBER_PERMISSIONS, "what a member's key may do")
    else:
        held = await staff_permissions(connection, str(staff_code))
        granted = _permissions(permissions, held, f"what {staff_code} may do")
    of_warehouse = select(warehouse_key.c.warehouse).where(warehouse_key.c.public_key == public_key)
    if await connection.scalar(of_warehouse) is not None:
        raise BadValue("public_key", key_id, "a key with which no warehouse signs statements")
    check_point(public_key)
    row = {"key_id": parse_identifier(key_id, "key_id"), "public_key": public_key, "permissions": granted}
    same = select(api_key.c.key_id, api_key.c.member, api_key.c.staff).where(api_key.c.public_key == public_key)
    if (known := (await connection.execute(same)).first()) is not None:
        allowed = f"one that is not registered; it is {known.key_id} of {known.member or known.staff}"
        raise BadValue("public_key", public_key.hex(), allowed)
    holding = {"member": member_code, "staff": staff_code, "created_at": now_ms()}
    try:
        await connection.execute(insert(api_key).values(**row, **holding))
    except IntegrityError as error:
        raise BadValue("key_id", key_id, "a key id that was never taken") from error
    holder = member_code or staff_code
    await audit.record(connection, audit.Act(by, "key.add", key_id, {"holder": holder, "permissions": granted}))


async def add_public_half(
    connection: AsyncConnection,
    by: str,
    half: "PublicHalf",
    key_id: str | None,
    *,
    member_code: str | None = None,
    staff_code: str | None = None,
    permissions: Iterable[str] = ("trade",),
) -> str:
    """Register a public half sent by the holder of a key pair, and return its key id. Raises as ``add_key``.

    The key id is the given one, else the request's, else a free one. A request is refused for another holder than the
    one that its key has signed.
    """
    holder = str(member_code or staff_code)
    if half.holder not in (None, holder):
        raise BadValue("holder", holder, f"the one that the request names: {half.holder}")
    if half.key_id is not None and key_id not in (None, half.key_id):
        raise BadValue("key_id", key_id, f"the one that the request names: {half.key_id}")
    name = key_id or half.key_id or await free_key_id(connection, holder)
    holding = {"member_code": member_code, "staff_code": staff_code}
    await add_key(connection, by, name, half.public_key, **holding, permissions=permissions)
    return name


async def free_key_id(connection: AsyncConnection, holder: str) -> str:
    """Return a key id that is not taken: the holder's code, ``.key-`` and a number."""
    taken = set((await connection.execute(select(api_key.c.key_id))).scalars())
    return next(name for number in count(1) if (name := f"{holder}.key-{number}") not in taken)
