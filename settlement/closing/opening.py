"""The opening of a trading day: it waits until every day before is closed, signed and archived, and no break stops it.

Engine and ledger are compared anew, too. While they differ nobody opens a day (domain sheet 8.4). Where anything else
cannot be waited for, two people open a day in spite of it, each with a reason; at least one of them operates the
market. That counts for what stood in the way then: what is found later takes two people again. The first trading day of
an exchange waits for nothing.
"""

from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import any_, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from goldx.protocol.units import BadValue
from settlement.base import audit, registry
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.closing import close
from settlement.documents.closing import CLOSED
from settlement.documents.registered import ACTIVE
from settlement.reconciliation import holdings, past_limits
from settlement.reconciliation.break_areas import ENGINE
from settlement.tables.base import staff, trading_day
from settlement.tables.closing import (
    business_day,
    day_archive,
    day_opening,
    day_opening_obstacle,
    day_record,
    phase_change,
)
from settlement.tables.ledger import trade

PEOPLE: Final = 2
"""The number of people who open a day in spite of what stands in the way."""
OPERATE: Final = "operate"
"""The permission that one of them has."""
OPENERS: Final = (OPERATE, "settle")
"""The permissions with which somebody may be one of them."""
LONGEST_REASON: Final = 200


class InTheWay(NamedTuple):
    """An obstacle to an opening, as a sentence.

    ``about`` is the day, the break with its difference, or the account with its difference. It stays the same while a
    day gets closed and signed and a break gets older, and is another one when a difference changes. ``differs``: engine
    and ledger differ, and nobody may open a day in spite of that.
    """

    about: str
    what: str
    differs: bool = False


class Opening(NamedTuple):
    """The present trading day, the sequence of the event that began it, and what keeps it from opening.

    ``opened_by`` are the people who open it in spite of all that, as far as they are active and permitted now, and
    ``operated`` says whether one of them operates the market. ``opened``: it has opened. ``differs``: engine and ledger
    differ, so that it does not open whoever wants it.
    """

    day: date
    sequence: int
    obstacles: tuple[str, ...]
    opened_by: tuple[str, ...]
    operated: bool
    opened: bool
    differs: bool = False

    @property
    def may_open(self) -> bool:
        """Return whether the day may open."""
        return not self.obstacles or (len(self.opened_by) >= PEOPLE and self.operated and not self.differs)


async def present(connection: AsyncConnection) -> Opening | None:
    """Return the opening of the present trading day, or None before the engine has begun any.

    Nothing stands in the way of a day that has opened.
    """
    found = await _look(connection)
    return None if found is None else found[0]


async def _look(connection: AsyncConnection) -> tuple[Opening, list[InTheWay]] | None:
    newest = select(trading_day.c.day, trading_day.c.sequence).order_by(trading_day.c.sequence.desc()).limit(2)
    rows = (await connection.execute(newest)).all()
    if not rows:
        return None
    day, sequence = rows[0]
    opened = await _has_opened(connection, sequence)
    found = [] if opened or len(rows) == 1 else await _in_the_way(connection)
    people = await _people(connection, sequence, found) if found else {}
    texts = tuple(each.what for each in found)
    differs = any(each.differs for each in found)
    return Opening(day, sequence, texts, tuple(people), any(people.values()), opened, differs), found


async def _has_opened(connection: AsyncConnection, sequence: int) -> bool:
    """Return whether a phase of trading has begun, or a trade was made, since the event that began the trading day."""
    columns = phase_change.c
    trading = columns.phase.not_in((terms.CLOSED, terms.HALTED))
    begun = select(literal(1)).where(columns.sequence > sequence, trading).exists()
    traded = select(literal(1)).where(trade.c.sequence > sequence).exists()
    return bool(await connection.scalar(select(begun | traded)))


async def _in_the_way(connection: AsyncConnection) -> list[InTheWay]:
    """Return the obstacles: days that are not done with, oldest first, breaks, differences that are no breaks yet."""
    days = select(business_day.c.day, day_record.c.hash, day_archive.c.sha256).where(business_day.c.state == CLOSED)
    joined = business_day.outerjoin(day_record, day_record.c.day == business_day.c.day)
    joined = joined.outerjoin(day_archive, day_archive.c.day == business_day.c.day)
    waiting = days.select_from(joined).where(day_archive.c.day.is_(None)).order_by(business_day.c.day)
    found = [
        InTheWay(
            f"day {row.day}",
            f"{row.day} is not signed" if row.hash is None else f"the record of {row.day} is not archived",
        )
        for row in await connection.execute(waiting)
    ]
    found += [InTheWay(f"day {each.day}", f"{each.day} is not closed") for each in await close.unclosed(connection)]
    stops = await past_limits.past_limit(connection)
    for stop in stops:
        what = f"break {stop.break_id} ({stop.kind} {stop.subject}): {stop.why}"
        found.append(InTheWay(f"break {stop.break_id} {stop.difference}", what, stop.area == ENGINE))
    found += [
        InTheWay(f"holding {each.account} {each.asset} {each.engine - each.ledger}", str(each), differs=True)
        for each in await unlisted(connection, stops)
    ]
    return found


async def unlisted(connection: AsyncConnection, stops: list[past_limits.Stop]) -> list[holdings.HoldingDifference]:
    """Return the differences between engine and ledger now that are not among the breaks that stop the day."""
    listed = {(stop.account, stop.asset, stop.difference) for stop in stops if stop.kind == "HOLDING"}
    found = await holdings.differences(connection)
    return [each for each in found if (each.account, each.asset, each.engine - each.ledger) not in listed]


async def _people(connection: AsyncConnection, sequence: int, found: list[InTheWay]) -> dict[str, bool]:
    """Return who opens the day in spite of all these obstacles, in the order of time, and whether each operates.

    Whoever is not active or not permitted any more is left out.
    """
    columns = day_opening_obstacle.c
    query = select(columns.given_by, columns.about, staff.c.permissions)
    query = query.join_from(day_opening_obstacle, staff, staff.c.staff == columns.given_by)
    permitted = or_(*(any_(staff.c.permissions) == name for name in OPENERS))
    query = query.where(columns.sequence == sequence, staff.c.status == ACTIVE, permitted)
    given: dict[str, set[str]] = {}
    operates: dict[str, bool] = {}
    for row in await connection.execute(query.order_by(columns.given_at, columns.given_by)):
        given.setdefault(row.given_by, set()).add(row.about)
        operates[row.given_by] = OPERATE in row.permissions
    return {who: operates[who] for who, about in given.items() if about >= {each.about for each in found}}


async def open_anyway(connection: AsyncConnection, by: str, day: date, reason: str) -> Opening:
    """Open the present trading day in spite of what stands in the way; it opens once another person has done so too.

    Somebody who has done so before does it again when there are new obstacles. Raises BadValue for another day or an
    empty reason; Refused: ILLEGAL_STEP where nothing stands in the way, the day is open, or engine and ledger differ,
    NOT_PERMITTED, SAME_PERSON.
    """
    printable("reason", reason.strip(), LONGEST_REASON)
    await audit.lock(connection)
    looked = await _look(connection)
    if looked is None or looked[0].day != day:
        allowed = "none has begun" if looked is None else f"the present one, {looked[0].day}"
        raise BadValue("day", day.isoformat(), f"the trading day that waits for its opening: {allowed}")
    found, in_the_way = looked
    held = await registry.staff_permissions(connection, by)
    if not held & set(OPENERS):
        raise Refused("NOT_PERMITTED", f"{by} may not open a day: that takes {' or '.join(OPENERS)}")
    if found.opened:
        raise Refused("ILLEGAL_STEP", f"{day} is open already")
    if found.may_open:
        raise Refused("ILLEGAL_STEP", f"{day} may open already: nothing stands in its way any more")
    if found.differs:
        first = next(each.what for each in in_the_way if each.differs)
        raise Refused(
            "ILLEGAL_STEP",
            f"nobody opens a day while engine and ledger differ: {first}; `goldx day why` shows who can clear it",
        )
    if by in found.opened_by:
        raise Refused("SAME_PERSON", f"{by} has asked to open {day} already; it takes another person")
    operated = found.operated or OPERATE in held
    if found.opened_by and not operated:
        others = " and ".join(found.opened_by)
        raise Refused("NOT_PERMITTED", f"{by} and {others} may not open {day}: one of them must operate")
    given = {"sequence": found.sequence, "given_by": by, "reason": reason.strip(), "given_at": now_ms()}
    opened = insert(day_opening).values(**given, day=day, obstacles=list(found.obstacles))
    await connection.execute(opened.on_conflict_do_nothing())
    rows = [{**given, "about": each.about, "obstacle": each.what} for each in in_the_way]
    await connection.execute(insert(day_opening_obstacle).on_conflict_do_nothing(), rows)
    detail = {"reason": reason.strip(), "obstacles": list(found.obstacles)}
    await audit.record(connection, audit.Act(by, "day.open", f"day:{day.isoformat()}", detail))
    return found._replace(opened_by=(*found.opened_by, by), operated=operated)
