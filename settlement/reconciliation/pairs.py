"""Two sides compared by key in SQL: all pairs are counted, and only those that differ are read.

A key that one side has lost whole makes a pair, too: a full outer join of both sides holds the other side's figure
against nothing.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, TextualSelect, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection


class ComparedPairs(NamedTuple):
    """The number of pairs that were compared, and those whose sides differ."""

    checked: int
    differing: Sequence[Row[Any]]


def joined(expected: Select[Any], found: Select[Any], *keys: str) -> Select[Any]:
    """Return the query of the pairs of two queries with a column ``figure``, joined by the columns ``keys``.

    The columns are the keys, ``expected`` and ``found``; the figure of a side without the key is 0.
    """
    here, there = expected.subquery("expected_side"), found.subquery("found_side")
    same = and_(*(here.c[key] == there.c[key] for key in keys))
    names = [func.coalesce(here.c[key], there.c[key]).label(key) for key in keys]
    figures = [func.coalesce(side.c.figure, 0).label(name) for side, name in ((here, "expected"), (there, "found"))]
    return select(*names, *figures).select_from(here.join(there, same, full=True))


async def differing(connection: AsyncConnection, query: Select[Any] | TextualSelect, *order: str) -> ComparedPairs:
    """Compare the columns ``expected`` and ``found`` of a query's rows; the differing ones come in this order.

    All of it is one statement, so that a comparison costs one answer of few rows, however many pairs there are.
    """
    pair = query.cte("pair")
    counted = select(func.count().label("checked")).select_from(pair).subquery("counted")
    both = counted.outerjoin(pair, pair.c.expected.is_distinct_from(pair.c.found))
    ordered = select(counted.c.checked, pair).select_from(both).order_by(*(pair.c[name] for name in order))
    rows = (await connection.execute(ordered)).all()
    # Without a difference there is one row, that of the count.
    return ComparedPairs(rows[0].checked, [row for row in rows if (row.expected, row.found) != (None, None)])
