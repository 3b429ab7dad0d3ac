"""The sign-off of a closed day by three people, and the record that it makes.

Settlement, warehouse and risk sign the same hash: that of the day's range and of all its steps. The third signature
makes the record of the day, which holds the steps' hashes, the signatures, and the hash of the record before it.
Records are never changed.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, registry
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.closing.canonical import canonical, digest
from settlement.closing.close import steps_of, summary
from settlement.closing.day import Day
from settlement.documents.closing import CAPACITIES, CLOSING
from settlement.tables.closing import business_day, day_record, day_signature

GENESIS: Final = bytes(32)
"""Hash before the first record."""


class Signed(NamedTuple):
    """The outcome of a signature: the capacities that have not signed yet, and the record, if it was the last one."""

    missing: tuple[str, ...]
    record: bytes | None


async def sign(connection: AsyncConnection, by: str, day: date, capacity: str) -> Signed:
    """Sign a closed day in a capacity. The day before it must be signed.

    Raises BadValue for an unknown capacity or a day that is not being closed, Refused: ILLEGAL_STEP for a day that is
    not closed or comes after one without a record, or a capacity that has signed; NOT_PERMITTED; SAME_PERSON for
    somebody who has signed the day in another capacity.
    """
    if capacity not in CAPACITIES:
        raise BadValue("capacity", capacity, "one of " + ", ".join(CAPACITIES))
    await audit.lock(connection)
    row = await find(connection, day)
    if row.state == CLOSING:
        raise Refused("ILLEGAL_STEP", f"{day} is {row.state}; to sign it it must be CLOSED")
    if CAPACITIES[capacity] not in await registry.staff_permissions(connection, by):
        raise Refused("NOT_PERMITTED", f"{by} may not sign for {capacity}: that takes {CAPACITIES[capacity]}")
    if (before := await unsigned_before(connection, row.last_sequence)) is not None:
        raise Refused("ILLEGAL_STEP", f"{before} comes before {day} and is not signed yet")
    given = await signatures(connection, day)
    for other in given:
        if other.capacity == capacity:
            raise Refused("ILLEGAL_STEP", f"{other.signed_by} has signed {day} for {capacity} already")
        if other.signed_by == by:
            raise Refused("SAME_PERSON", f"{by} has signed {day} for {other.capacity}; it takes three different people")
    signature = {"day": day, "capacity": capacity, "signed_by": by, "closing_hash": row.closing_hash}
    await connection.execute(insert(day_signature).values(**signature, signed_at=now_ms()))
    detail = {"capacity": capacity, "hash": row.closing_hash.hex()}
    await audit.record(connection, audit.Act(by, "day.sign", f"day:{day.isoformat()}", detail))
    missing = tuple(name for name in CAPACITIES if name not in {capacity, *(other.capacity for other in given)})
    return Signed(missing, None if missing else await _record(connection, by, row))


async def find(connection: AsyncConnection, day: date) -> Row[Any]:
    """Return a day that is closed or being closed. Raises BadValue for any other."""
    row = (await connection.execute(select(business_day).where(business_day.c.day == day))).first()
    if row is None:
        raise BadValue(
            "day", day.isoformat(), "a trading day that is closed; `goldx day close` closes those that are over"
        )
    return row


async def signatures(connection: AsyncConnection, day: date) -> Sequence[Row[Any]]:
    """Return the signatures of a day in the order in which they were given."""
    query = select(day_signature).where(day_signature.c.day == day).order_by(day_signature.c.signed_at)
    return (await connection.execute(query)).all()


async def unsigned_before(connection: AsyncConnection, last: int) -> date | None:
    """Return the first day before the one that ends with event ``last`` that has no record, None if there is none."""
    query = select(business_day.c.day).outerjoin(day_record, day_record.c.day == business_day.c.day)
    query = query.where(day_record.c.day.is_(None), business_day.c.last_sequence < last)
    found: date | None = await connection.scalar(query.order_by(business_day.c.last_sequence).limit(1))
    return found


async def head(connection: AsyncConnection) -> bytes:
    """Return the hash of the newest record, GENESIS if there is none."""
    newest = select(day_record.c.hash).order_by(day_record.c.record_no.desc()).limit(1)
    return bytes(await connection.scalar(newest) or GENESIS)


async def _record(connection: AsyncConnection, by: str, row: Row[Any]) -> bytes:
    """Make the record of a day that all three have signed and return its hash."""
    previous = await head(connection)
    written = await content(connection, row, previous)
    hashed = bytes.fromhex(digest(written))
    values = {"day": row.day, "previous": previous, "content": written, "hash": hashed, "made_at": now_ms()}
    await connection.execute(insert(day_record).values(values))
    detail = {"record": hashed.hex(), "previous": previous.hex()}
    await audit.record(connection, audit.Act(by, "day.record", f"day:{row.day.isoformat()}", detail))
    return hashed


async def content(connection: AsyncConnection, row: Row[Any], previous: bytes) -> bytes:
    """Return what the record of a day holds: range, hashes of the steps, signatures, and the record before."""
    day = Day(row.day, row.first_sequence, row.last_sequence)
    signed = [
        {"capacity": one.capacity, "signed_by": one.signed_by, "signed_at": one.signed_at}
        for one in sorted(await signatures(connection, row.day), key=lambda one: one.capacity)
    ]
    whole = summary(day, await steps_of(connection, row.day))
    hashes = {"closing_sha256": row.closing_hash.hex(), "previous": previous.hex()}
    return canonical({**whole, **hashes, "signatures": signed})
