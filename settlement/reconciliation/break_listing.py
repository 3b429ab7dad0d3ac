"""Breaks as people see them: each with its area, value and age, its desk, and whether it stops the next day."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.paging import ALL, Page, PageRequest, cut_in_order, parse_number
from settlement.reconciliation import break_limits, break_values, breaks, past_limits
from settlement.reconciliation.break_areas import area_of


class ListedBreak(NamedTuple):
    """A row of ``recon_break`` with what follows from it; ``value_fen`` is None where it is unknown.

    ``past_limit``: it stops the next day from opening.
    """

    row: Row[Any]
    area: str
    value_fen: int | None
    desk: str
    past_limit: bool


async def listing(
    connection: AsyncConnection, page: PageRequest = ALL, *, past_limit: bool = False
) -> Page[ListedBreak]:
    """Return the breaks that are not corrected, oldest first; only those past their limit if ``past_limit``."""
    if past_limit:
        found = [one for one in await _seen(connection, await breaks.open_breaks(connection)) if one.past_limit]
        return cut_in_order(found, lambda one: str(one.row.break_id), parse_number, page)
    rows = await breaks.open_breaks(connection, page)
    return Page(await _seen(connection, rows), rows.next)


async def _seen(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[ListedBreak]:
    limits, values = await break_limits.by_area(connection), await break_values.of(connection, rows)
    seen = []
    for row in rows:
        area = area_of(row.scope, row.kind)
        desk = break_limits.desk(row.days, limits[area])
        past = past_limits.is_past(row.status, area, row.days, limits[area])
        seen.append(ListedBreak(row, area, values[row.break_id], desk, past))
    return seen


async def show(connection: AsyncConnection, break_id: int) -> ListedBreak:
    """Return one break in any state. Raises BadValue."""
    (found,) = await _seen(connection, [await breaks.find(connection, break_id)])
    return found
