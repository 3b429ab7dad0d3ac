"""The opening of a trading day: it waits until every day before is closed, signed and archived, and no break stops it.

Where that cannot be waited for, two people open a day in spite of what stands in the way, each with a reason; at least
one of them operates the market. The first trading day of an exchange waits for nothing.
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
from settlement.base.texts import printable
from settlement.closing import close
from settlement.documents.closing import CLOSED
from settlement.reconciliation import past_limits
from settlement.tables.base import trading_day
from settlement.tables.closing import business_day, day_archive, day_opening, day_record

PEOPLE: Final = 2
"""The number of people who open a day in spite of what stands in the way."""
OPENERS: Final = ("operate", "settle")
"""The permissions with which somebody may be one of them."""
LONGEST_REASON: Final = 200


class Opening(NamedTuple):
    """The present trading day, the sequence of the event that began it, and what keeps it from opening.

    ``opened_by`` are the people who open it in spite of that; with PEOPLE of them it opens.
    """

    day: date
    sequence: int
    obstacles: tuple[str, ...]
    opened_by: tuple[str, ...]

    @property
    def may_open(self) -> bool:
        """Return whether the day may open."""
        return not self.obstacles or len(self.opened_by) >= PEOPLE


async def present(connection: AsyncConnection) -> Opening | None:
    """Return the opening of the present trading day, or None before the engine has begun any."""
    newest = select(trading_day.c.day, trading_day.c.sequence).order_by(trading_day.c.sequence.desc()).limit(2)
    rows = (await connection.execute(newest)).all()
    if not rows:
        return None
    obstacles = () if len(rows) == 1 else tuple(await _obstacles(connection))
    given = await openings(connection, rows[0].sequence) if obstacles else ()
    return Opening(rows[0].day, rows[0].sequence, obstacles, tuple(row.given_by for row in given))


async def _obstacles(connection: AsyncConnection) -> list[str]:
    """Return what keeps the present trading day from opening: days that are not done with, oldest first, and breaks."""
    days = select(business_day.c.day, day_record.c.hash, day_archive.c.sha256).where(business_day.c.state == CLOSED)
    joined = business_day.outerjoin(day_record, day_record.c.day == business_day.c.day)
    joined = joined.outerjoin(day_archive, day_archive.c.day == business_day.c.day)
    waiting = days.select_from(joined).where(day_archive.c.day.is_(None)).order_by(business_day.c.day)
    found = [
        f"{row.day} is not signed" if row.hash is None else f"the record of {row.day} is not archived"
        for row in await connection.execute(waiting)
    ]
    found += [f"{each.day} is not closed" for each in await close.unclosed(connection)]
    for stop in await past_limits.past_limit(connection):
        found.append(f"break {stop.break_id} ({stop.kind} {stop.subject}): {stop.why}")
    return found


async def openings(connection: AsyncConnection, sequence: int) -> Sequence[Row[Any]]:
    """Return who opens the day that an event began in spite of what stands in the way, in the order of time."""
    query = select(day_opening).where(day_opening.c.sequence == sequence).order_by(day_opening.c.given_at)
    return (await connection.execute(query)).all()


async def open_anyway(connection: AsyncConnection, by: str, day: date, reason: str) -> Opening:
    """Open the present trading day in spite of what stands in the way; it opens once another person has done so too.

    Raises BadValue for another day or an empty reason; Refused: ILLEGAL_STEP where nothing stands in the way or the day
    is open, NOT_PERMITTED, SAME_PERSON.
    """
    printable("reason", reason.strip(), LONGEST_REASON)
    await audit.lock(connection)
    found = await present(connection)
    if found is None or found.day != day:
        allowed = "none has begun" if found is None else f"the present one, {found.day}"
        raise BadValue("day", day.isoformat(), f"the trading day that waits for its opening: {allowed}")
    held = await registry.staff_permissions(connection, by)
    if not held & set(OPENERS):
        raise Refused("NOT_PERMITTED", f"{by} may not open a day: that takes {' or '.join(OPENERS)}")
    if not found.obstacles or found.may_open:
        raise Refused("ILLEGAL_STEP", f"{day} may open already: nothing stands in its way any more")
    if by in found.opened_by:
        raise Refused("SAME_PERSON", f"{by} has asked to open {day} already; it takes another person")
    if found.opened_by and "operate" not in held | await registry.staff_permissions(connection, found.opened_by[0]):
        raise Refused("NOT_PERMITTED", f"{by} and {found.opened_by[0]} may not open {day}: one of them must operate")
    values = {"sequence": found.sequence, "day": day, "given_by": by, "reason": reason.strip(), "given_at": now_ms()}
    await connection.execute(insert(day_opening).values(**values, obstacles=list(found.obstacles)))
    detail = {"reason": reason.strip(), "obstacles": list(found.obstacles)}
    await audit.record(connection, audit.Act(by, "day.open", f"day:{day.isoformat()}", detail))
    return found._replace(opened_by=(*found.opened_by, by))
