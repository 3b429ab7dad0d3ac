"""The obstacles of the close and of the opening after it: what they are, and who can clear them."""

import hashlib
from typing import Final

from sqlalchemy import any_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.paging import ALL, Page, PageRequest, cut
from settlement.closing import archive, close, opening, reconciled, signing
from settlement.closing.day import Day
from settlement.closing.obstacles import Obstacle
from settlement.closing.steps import STEPS
from settlement.documents.closing import BLOCKED, CAPACITIES, CLOSED, DONE
from settlement.documents.registered import ACTIVE
from settlement.ledger import market_proposals
from settlement.reconciliation import past_limits
from settlement.tables.base import staff
from settlement.tables.closing import business_day, day_record

_WHO_ARCHIVES: Final = "settlement, by itself; where it cannot, the operator clears what its log says of `record_dir`"


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Obstacle]:
    """Return one page of the obstacles. Raises BadValue if the obstacle named by ``after`` no longer exists."""
    return cut(await obstacles(connection), _key, page)


def _key(obstacle: Obstacle) -> str:
    """Return what identifies an obstacle: its texts are too long for that."""
    return hashlib.sha256("\0".join(obstacle).encode()).hexdigest()[:16]


async def obstacles(connection: AsyncConnection) -> list[Obstacle]:
    """Return all that keeps days that are over from being signed and archived, and the present one from opening.

    Each obstacle is looked at now, not as it was when the close stopped, as far as that takes no close.
    """
    unclosed = await close.unclosed(connection)
    found = await _not_ended(connection)
    found += await _unsigned(connection)
    found += [
        Obstacle("archive", f"the record of {day} is not archived", _WHO_ARCHIVES)
        for day in await archive.waiting(connection)
    ]
    if not unclosed:
        return found + await _opening(connection)
    day, *later = unclosed
    found += await _steps(connection, day)
    found += [
        Obstacle("close", f"{other.day} is over and not closed", f"a clerk, after {day.day}: `goldx day close`")
        for other in later
    ]
    known = {one.what for one in found}
    return found + [one for one in await _opening(connection) if one.what not in known]


async def _not_ended(connection: AsyncConnection) -> list[Obstacle]:
    """Return the end of the present day that an operator has proposed: the day does not end before it is confirmed."""
    return [
        Obstacle(
            "end",
            f"{one.lapses}: {one.does}, if another operator confirms what {one.proposed_by} has proposed",
            f"another operator confirms it: `{one.command}`",
        )
        for one in await market_proposals.listing(connection)
        if one.method == market_proposals.DAY_END
    ]


async def _steps(connection: AsyncConnection, day: Day) -> list[Obstacle]:
    """Return what stands in the way of the steps of the oldest day that is not closed.

    Of a step that has failed and has no obstacles of its own, it is what was found then.
    """
    begun = {row.step: row for row in await close.steps_of(connection, day.day)}
    found: list[Obstacle] = []
    for step in STEPS:
        row = begun.get(step.name)
        if row is not None and row.status == DONE:
            continue
        if step.obstacles is not None:
            found += await step.obstacles(connection, day)
        elif row is not None and row.status == BLOCKED:
            found += [Obstacle(**each) for each in row.obstacles]
    return found or [Obstacle("close", f"{day.day} is over and not closed", "a clerk: `goldx day close`")]


async def _opening(connection: AsyncConnection) -> list[Obstacle]:
    """Return the breaks and differences that keep the present day from opening, unless two people open it anyway."""
    found = await opening.present(connection)
    if found is None or found.may_open:
        return []
    breaks = [Obstacle("open", one.what, one.who) for one in await reconciled.stops(connection)]
    return breaks + [
        Obstacle("open", str(one), "a clerk: `goldx clerk reconcile` makes it a break, which says who can clear it")
        for one in await opening.unlisted(connection, await past_limits.past_limit(connection))
    ]


async def _unsigned(connection: AsyncConnection) -> list[Obstacle]:
    """Return the signatures that are missing, day by day, and who can give them."""
    query = select(business_day.c.day).outerjoin(day_record, day_record.c.day == business_day.c.day)
    query = query.where(day_record.c.day.is_(None), business_day.c.state == CLOSED).order_by(business_day.c.day)
    found = []
    for day in (await connection.execute(query)).scalars().all():
        given = await signing.signatures(connection, day)
        for capacity in CAPACITIES:
            if capacity not in {one.capacity for one in given}:
                people = await _holders(connection, CAPACITIES[capacity], {one.signed_by for one in given})
                who = (
                    f"{' or '.join(people)}: `goldx day sign {day} --for {capacity}`"
                    if people
                    else (f"one more of the staff with the permission {CAPACITIES[capacity]}: `goldx staff add`")
                )
                found.append(Obstacle("sign", f"{day} is not signed for {capacity}", who))
    return found


async def _holders(connection: AsyncConnection, permission: str, without: set[str]) -> list[str]:
    """Return the active staff with a permission, by code."""
    query = select(staff.c.staff).where(any_(staff.c.permissions) == permission, staff.c.status == ACTIVE)
    return [code for code in (await connection.execute(query.order_by(staff.c.staff))).scalars() if code not in without]
