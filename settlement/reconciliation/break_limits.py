"""The ages and values at which breaks are passed on, stop the next day, or may be written off, kept by the operator.

===========  ==================================================================================  =============
limit        meaning                                                                             unit
===========  ==================================================================================  =============
OWNER        from this age on its owner has to deal with a break                                 working days
OPERATIONS   the head of operations                                                              working days
RISK         risk                                                                                working days
SUPERVISOR   the regulator is given notice                                                       working days
LIMIT        from this age on a break that nothing explains stops the next day                   working days
WRITE_OFF    two people may write a break of up to this value off                                fen
===========  ==================================================================================  =============

Each area of breaks has limits of its own. Until the operator changes one, those of domain sheet 8.4 hold. A difference
between engine and ledger always stops the next day and is never written off.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money, parse_money
from settlement.base import audit
from settlement.base.arithmetic import parse_padded_decimal
from settlement.base.database import now_ms
from settlement.base.paging import ALL, SEPARATOR, Page, PageRequest, cut
from settlement.base.texts import printable
from settlement.reconciliation.break_areas import ENGINE
from settlement.tables.reconciliation import BREAK_AREAS, BREAK_LIMITS, break_limit

DESKS: Final[Mapping[str, str]] = {
    "OWNER": "its owner",
    "OPERATIONS": "head of operations",
    "RISK": "risk",
    "SUPERVISOR": "notice to the regulator",
}
"""The desk that has to deal with a break from each age on, in the order in which a break is passed on."""
MATCHING: Final = "matching"
"""Before it has an owner: a later run may find the difference no more."""
AGE_LIMIT: Final = "LIMIT"
WRITE_OFF: Final = "WRITE_OFF"
DEFAULTS: Final[Mapping[str, int]] = {
    "OWNER": 1,
    "OPERATIONS": 2,
    "RISK": 3,
    "SUPERVISOR": 5,
    AGE_LIMIT: 3,
    WRITE_OFF: 100_000,
}
OLDEST_DAYS: Final = 250
"""A year of working days."""
LARGEST_WRITE_OFF_FEN: Final = 10_000_000

Limits: TypeAlias = Mapping[str, int]
"""The limits of one area by their names."""


class CurrentLimit(NamedTuple):
    """A limit as it holds now; ``reason`` and ``by`` are empty while it was never changed."""

    area: str
    name: str
    value: int
    reason: str = ""
    by: str = ""
    at: int | None = None


def shown(name: str, value: int) -> tuple[str, str]:
    """Return a limit and its unit as people read them."""
    return (format_money(value), "CNY") if name == WRITE_OFF else (str(value), "working days")


def parse(name: str, text: str) -> int:
    """Return a limit that is written in the unit in which it is shown. Raises BadValue."""
    if name == WRITE_OFF:
        return parse_money(text, "value")
    return parse_padded_decimal("value", text, 0, 0, OLDEST_DAYS, "working days")


def desk(days: int, limits: Limits) -> str:
    """Return the desk that has to deal with a break of an age in working days."""
    return next((DESKS[name] for name in reversed(tuple(DESKS)) if days >= limits[name]), MATCHING)


async def by_area(connection: AsyncConnection) -> dict[str, Limits]:
    """Return the limits as they hold now, by area."""
    found: dict[str, dict[str, int]] = {area: {} for area in BREAK_AREAS}
    for one in await listing(connection):
        found[one.area][one.name] = one.value
    return dict(found)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[CurrentLimit]:
    """Return the limits of every area, in the order of the table of this module."""
    newest = select(break_limit).ext(distinct_on(break_limit.c.area, break_limit.c.name))
    newest = newest.order_by(break_limit.c.area, break_limit.c.name, break_limit.c.limit_no.desc())
    changed: dict[tuple[str, str], Any] = {(row.area, row.name): row for row in await connection.execute(newest)}
    found = []
    for area in BREAK_AREAS:
        for name in BREAK_LIMITS:
            row = changed.get((area, name))
            if row is not None:
                found.append(CurrentLimit(area, name, row.value, row.reason, row.by, row.at))
            else:
                found.append(CurrentLimit(area, name, 0 if _is_fixed(area, name) else DEFAULTS[name]))
    return cut(found, lambda one: SEPARATOR.join((one.area, one.name)), page)


def _is_fixed(area: str, name: str) -> bool:
    return area == ENGINE and name in (AGE_LIMIT, WRITE_OFF)


async def change(connection: AsyncConnection, by: str, area: str, name: str, value: int, reason: str) -> None:
    """Change a limit of an area from now on.

    Raises BadValue, also for the two that engine and ledger have fixed, and where a break would reach a later desk
    before an earlier one.
    """
    if area not in BREAK_AREAS:
        raise BadValue("area", area, "one of " + ", ".join(BREAK_AREAS))
    if name not in BREAK_LIMITS:
        raise BadValue("name", name, "one of " + ", ".join(BREAK_LIMITS))
    if _is_fixed(area, name):
        text = "another one: a difference between engine and ledger stops the next day and is never written off"
        raise BadValue("name", name, text)
    largest = LARGEST_WRITE_OFF_FEN if name == WRITE_OFF else OLDEST_DAYS
    if not 0 <= value <= largest:
        raise BadValue("value", shown(name, value)[0], "0 to " + " ".join(shown(name, largest)))
    await audit.lock(connection)
    ages = {**(await by_area(connection))[area], name: value}
    order = [ages[each] for each in DESKS]
    if order != sorted(order):
        raise BadValue("value", str(value), "an age by which OWNER, OPERATIONS, RISK, SUPERVISOR stay in this order")
    row = {"area": area, "name": name, "value": value, "reason": printable("reason", reason, 200), "by": by}
    await connection.execute(insert(break_limit).values(**row, at=now_ms()))
    await audit.record(connection, audit.Act(by, "break_limit.change", f"{area}.{name}", row))
