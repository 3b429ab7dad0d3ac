"""The Ed25519 keys with which warehouses sign their statements; the venue knows only the public halves.

A key is proposed for a warehouse by one person and approved by another, who compares its fingerprint with the one that
the warehouse gives over another line. One person can end it; an ended key is never accepted again.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.client.keys import fingerprint, parse_public_key, verify_signature
from goldx.protocol.units import BadValue
from settlement.base import audit, proposals
from settlement.base.key_points import check_point
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.documents.reconciliation import WAREHOUSE_KEY
from settlement.lots import warehouses
from settlement.tables.base import api_key
from settlement.tables.reconciliation import warehouse_key

_PROPOSED: Final = WAREHOUSE_KEY.steps["propose"].after
_LIVE: Final = WAREHOUSE_KEY.steps["approve"].after
_ENDED: Final = WAREHOUSE_KEY.steps["end"].after
_DECLINED: Final = WAREHOUSE_KEY.steps["decline"].after


async def propose(connection: AsyncConnection, by: str, place: str, pem: str, reason: str) -> int:
    """Propose a key for a warehouse and return the proposal's number; ``pem``: its public half.

    Raises BadValue, also for a key that a member, one of the staff or a warehouse has or had.
    """
    await warehouses.customs_of(connection, place)
    public = parse_public_key(pem)
    check_point(public)
    row = {"warehouse": place, "public_key": public, "reason": printable("reason", reason, 200)}
    await audit.lock(connection)
    mark = fingerprint(public)
    allowed = "a key that no member, none of the staff and no warehouse has or had"
    if await connection.scalar(select(api_key.c.key_id).where(api_key.c.public_key == public)) is not None:
        raise BadValue("public_key", mark, allowed)
    try:
        added = insert(warehouse_key).values(**row, status=_PROPOSED).returning(warehouse_key.c.key_no)
        number = int((await connection.execute(added)).scalar_one())
    except IntegrityError as error:
        raise BadValue("public_key", mark, allowed) from error
    summary = {"key": number, "warehouse": place, "fingerprint": mark, "reason": reason}
    return await proposals.propose(connection, by, WAREHOUSE_KEY.kind, [number], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Let the warehouse sign with the key from now on."""
    await advance(connection, warehouse_key, WAREHOUSE_KEY, by, "approve", subjects)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Decline the key, which may be proposed again."""
    await advance(connection, warehouse_key, WAREHOUSE_KEY, by, "decline", subjects)


async def end(connection: AsyncConnection, by: str, key_no: int, reason: str) -> None:
    """End a key: statements signed by it are refused from now on. Raises BadValue, and Refused if it is not live."""
    values = {"end_reason": printable("reason", reason, 200)}
    await advance(connection, warehouse_key, WAREHOUSE_KEY, by, "end", [key_no], values)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the keys of all warehouses by number, the ended and declined ones too."""
    return await fetch(connection, select(warehouse_key), (warehouse_key.c.key_no,), page)


async def signer(connection: AsyncConnection, place: str, data: bytes, signature: bytes) -> int:
    """Return the number of the live key of a warehouse that made a signature over a file.

    Raises BadValue for an unknown warehouse, and Refused (WRONG_SIGNATURE), which names the key that signed, if known.
    """
    await warehouses.customs_of(connection, place)
    query = select(warehouse_key).where(warehouse_key.c.status != _DECLINED).order_by(warehouse_key.c.key_no)
    for row in await connection.execute(query):
        if not verify_signature(row.public_key, signature, data):
            continue
        why = f"the signature is by key {row.key_no} of {row.warehouse}"
        if row.warehouse != place:
            raise Refused("WRONG_SIGNATURE", f"{why}, and the statement is to be one of {place}")
        if row.status == _ENDED:
            raise Refused("WRONG_SIGNATURE", f"{why}, which has ended: {row.end_reason}")
        if row.status != _LIVE:
            raise Refused("WRONG_SIGNATURE", f"{why}, which nobody has approved yet")
        return int(row.key_no)
    why = "no registered key has made this signature over these bytes"
    raise Refused("WRONG_SIGNATURE", f"{why}: ask {place} for the file and its signature")
