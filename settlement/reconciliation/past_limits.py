"""The breaks that stop the next day, and who can clear each.

A difference between engine and ledger stops it at once and whatever is known about it. Any other break stops it from
its area's age limit on, until it is explained, resolved or written off, or a run finds it no more.
"""

from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.base.paging import ALL, Page, PageRequest, cut_in_order, parse_number
from settlement.base.working_days import today
from settlement.documents.reconciliation import BREAK, BREAK_LISTED, BREAK_WAITS
from settlement.reconciliation import break_limits, break_values
from settlement.reconciliation.break_areas import DAY_END, ENGINE, WAREHOUSE, area_of
from settlement.reconciliation.break_limits import Limits
from settlement.reconciliation.breaks import days_old
from settlement.tables.reconciliation import recon_break

_OPEN: Final = BREAK.steps["find"].after


class Stop(NamedTuple):
    """A break that stops the next day: its age and its limit in working days, its value in fen if it is known.

    ``difference`` is what was found less what was expected, ``asset`` what it is of, ``account`` whose, if of one.
    ``why`` says why it stops the day, ``clear`` what ends that and who can do it, each as a sentence.
    """

    break_id: int
    area: str
    kind: str
    subject: str
    account: str | None
    asset: str
    difference: int
    status: str
    owner: str
    days: int
    limit: int
    value_fen: int | None
    desk: str
    why: str
    clear: tuple[str, ...]


def is_past(status: str, area: str, days: int, limits: Limits) -> bool:
    """Return whether a break in a state and of an age in working days stops the next day."""
    if area == ENGINE:
        return status in BREAK_WAITS
    return status == _OPEN and days >= limits[break_limits.AGE_LIMIT]


async def past_limit(connection: AsyncConnection, day: date | None = None) -> list[Stop]:
    """Return the breaks that stop the trading day after ``day`` (default: today) from opening, oldest first."""
    found = await _rows(connection, day)
    values = await break_values.of(connection, [row for row, _, _ in found])
    return [_stop(row, area, limits, values[row.break_id]) for row, area, limits in found]


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Stop]:
    """Return one page of the breaks that stop the next trading day from opening, oldest first."""
    return cut_in_order(await past_limit(connection), lambda stop: str(stop.break_id), parse_number, page)


async def count(connection: AsyncConnection, day: date | None = None) -> dict[str, int]:
    """Return by area how many breaks stop the day after ``day`` (default: today)."""
    numbers: dict[str, int] = {}
    for _, area, _ in await _rows(connection, day):
        numbers[area] = numbers.get(area, 0) + 1
    return numbers


async def _rows(connection: AsyncConnection, day: date | None) -> list[tuple[Row[Any], str, Limits]]:
    by_area = await break_limits.by_area(connection)
    query = select(recon_break, days_old(day or today())).where(recon_break.c.status.in_(BREAK_LISTED))
    found = []
    for row in await connection.execute(query.order_by(recon_break.c.break_id)):
        area = area_of(row.scope, row.kind)
        if is_past(row.status, area, row.days, by_area[area]):
            found.append((row, area, by_area[area]))
    return found


def _stop(row: Row[Any], area: str, limits: Limits, value: int | None) -> Stop:
    limit = limits[break_limits.AGE_LIMIT]
    if row.kind == DAY_END:
        why = f"engine and ledger differed {row.note}, and no entry has corrected it"
    elif area == ENGINE:
        why = "engine and ledger differ"
    else:
        why = f"it is {row.days} working days old, and unexplained breaks of {area} stop the day from {limit} on"
    desk = break_limits.desk(row.days, limits)
    what = (row.break_id, area, row.kind, row.subject, row.account, row.asset, int(row.found - row.expected))
    return Stop(*what, row.status, row.owner, row.days, limit, value, desk, why, _clear(row, area, limits, value))


def _clear(row: Row[Any], area: str, limits: Limits, value: int | None) -> tuple[str, ...]:
    """Return what can be done about a break, and by whom."""
    if row.kind == DAY_END:
        return (
            "two clerks correct it by an entry, a clerk resolves it by that correction, and a run finds no difference",
            "two clerks write it off, once engine and ledger agree about the account",
        )
    if area == ENGINE:
        return (
            "settlement catches up with the engine: the operator looks at goldx health settlement",
            "two clerks correct it by an entry, which brings the engine's holding anew, and a run finds it no more",
            "where the ledger is wrong no entry helps: the operator restores the database from a backup from before it",
        )
    ways = [f"its owner {row.owner}, or another clerk, explains it"]
    if row.lot_id is not None:
        ways.append("two clerks correct the weight of its lot, or a laboratory assays it again; a clerk resolves it")
    elif area != WAREHOUSE:
        ways.append("two clerks correct it by an entry; a clerk resolves it")
    write_off = limits[break_limits.WRITE_OFF]
    if value is not None and value <= write_off:
        ways.append(f"two clerks write it off, as it is worth {format_money(value)} CNY")
    ways.append("a run finds it no more")
    return tuple(ways)
