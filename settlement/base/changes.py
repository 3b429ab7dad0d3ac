"""Rows compared with the record of their changes, which triggers write (``settlement.tables.changes``).

A row is as its history says if each change that came with an act began with the row as the act before had left it, and
the row is now as the last one left it. So a change by hand is found, also where an act followed on it, and one that was
taken back is none.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Table, TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.refusal import Refused
from settlement.documents.kinds import KINDS
from settlement.tables.base import proposal
from settlement.tables.changes import FREE, watched
from settlement.tables.schema import metadata

REGISTERS: Final = frozenset(
    {
        "api_key",
        "fee_rate",
        "laboratory",
        "member",
        "payee_account",
        "scale",
        "staff",
        "tariff",
        "warehouse",
        "warehouse_key",
    }
)
"""Tables of people, places and rates, which do not grow with the days: they are always compared whole."""
_DIFFERENCES: Final = """
WITH act AS (
    SELECT c.key, c.change_no, c.before, c.digest,
           lag(c.digest) OVER each_row AS left_at, lead(c.change_no) OVER each_row AS next
    FROM {wanted} row_change c JOIN row_act a ON a.transaction = c.transaction AND a.begun = c.begun
    WHERE c.of_table = :of_table {of_wanted}
    WINDOW each_row AS (PARTITION BY c.key ORDER BY c.change_no)
), present AS (
    SELECT c.key, row_digest(c.content) AS digest
    FROM (
        SELECT {key} AS key, content
        FROM (SELECT to_jsonb(r) - '{{{free}}}'::text[] AS content FROM {table} r WHERE {first}) j
    ) c WHERE true {of_keys}
), last AS (
    SELECT key, digest, broken FROM (
        SELECT key, digest, next, bool_or(before IS DISTINCT FROM left_at) OVER (PARTITION BY key) AS broken FROM act
    ) each_act WHERE next IS NULL
), wrong AS (
    SELECT coalesce(p.key, a.key) AS key, p.digest FROM present p FULL JOIN last a USING (key)
    WHERE a.broken OR p.digest IS DISTINCT FROM a.digest
)
SELECT w.key, by_hand.change_no, by_hand.changed_by, by_hand.columns, by_hand.before IS NULL AS made,
       by_hand.digest IS NULL AS gone, recorded.unfit, w.digest IS DISTINCT FROM recorded.digest AS differs,
       encode(substr(w.digest, 1, 4), 'hex') AS present
FROM wrong w LEFT JOIN LATERAL (
    SELECT c.* FROM row_change c WHERE c.of_table = :of_table AND c.key = w.key AND NOT EXISTS (
        SELECT 1 FROM row_act a WHERE a.transaction = c.transaction AND a.begun = c.begun
    ) ORDER BY c.change_no DESC LIMIT 1
) by_hand ON true
LEFT JOIN LATERAL (
    SELECT max(c.change_no) FILTER (WHERE c.before IS DISTINCT FROM c.left_at) AS unfit,
           (array_agg(c.digest ORDER BY c.change_no DESC))[1] AS digest
    FROM (
        SELECT change_no, before, digest, lag(digest) OVER (ORDER BY change_no) AS left_at
        FROM row_change WHERE of_table = :of_table AND key = w.key
    ) c
) recorded ON true
ORDER BY w.key
"""
_BESIDE: Final = text(
    "SELECT DISTINCT later.of_table, later.key FROM row_change first "
    "JOIN row_change later ON later.transaction = first.transaction AND later.begun = first.begun "
    "WHERE first.of_table = 'proposal' AND first.key = :number AND first.before IS NULL"
)
"""The rows that were written in the transaction that wrote a proposal."""


class ChangedRow(NamedTuple):
    """A row that its history does not account for, and what is known of its change.

    ``note`` says it for people. ``by_hand``, ``unfit`` and ``present`` identify it: the number of the newest change by
    hand; that of the newest recorded change that began with another row than the change before had left; and, if no
    change that is recorded has left the row as it is, the first bytes of its digest in hexadecimal digits, empty if it
    is gone. Each is None where there is no such. Another change of the same row has others.
    """

    table: str
    key: str
    note: str
    by_hand: int | None
    unfit: int | None
    present: str | None


async def differences(connection: AsyncConnection, table: Table, keys: Sequence[str] | None = None) -> list[ChangedRow]:
    """Return the rows of a table, or those of these keys, that differ from the record of their changes."""
    parts = ", ".join(f"content ->> '{column.name}'" for column in table.primary_key.columns)
    of_keys = "" if keys is None else "AND c.key = ANY (CAST(:keys AS text[]))"
    # Joined, the keys are looked up one by one in the index, in whatever order the changes are needed.
    wanted = "" if keys is None else "unnest(CAST(:keys AS text[])) AS wanted (key) CROSS JOIN"
    of_wanted = "" if keys is None else "AND c.key = wanted.key"
    key, free = f"concat_ws(':', {parts})", ", ".join(FREE.get(table.name, ()))
    values: dict[str, object] = {"of_table": table.name}
    first = "true"
    if keys is not None:
        # Found by the index of the primary key, not by reading the whole table.
        column, *others = table.primary_key.columns
        first = f"{column.name} = ANY (CAST(:first AS text[])::{column.type.compile(connection.dialect)}[])"
        values |= {"keys": list(keys), "first": [key.partition(":")[0] if others else key for key in keys]}
    query = text(
        _DIFFERENCES.format(
            table=table.name, key=key, free=free, first=first, of_keys=of_keys, wanted=wanted, of_wanted=of_wanted
        )
    )
    return [_changed(table, row) for row in await connection.execute(query, values)]


def _changed(table: Table, row: Row[Any]) -> ChangedRow:
    present = (row.present or "") if row.differs else None
    return ChangedRow(table.name, row.key, _note(row), row.change_no, row.unfit, present)


def _note(row: Row[Any]) -> str:
    """Return for people what is known of a change."""
    past = [] if row.unfit is None else [f"before change {row.unfit}"]
    if row.differs:
        past.append("now it is gone" if row.present is None else f"its digest is now {row.present}")
    differs = f"it differs from the record of its changes ({', '.join(past)})"
    if row.changed_by is None:
        return differs
    done = "added" if row.made else "deleted" if row.gone else "changed"
    of_columns = f" ({', '.join(row.columns)})" if row.columns else ""
    note = f"{done}{of_columns} by {row.changed_by} in SQL, without an act (change {row.change_no})"
    return f"{note}; {differs}" if past else note


async def all_differences(
    connection: AsyncConnection, written: Mapping[str, Collection[str]] | None = None
) -> list[ChangedRow]:
    """Return the rows of all watched tables that differ from the record of their changes.

    ``written``: only rows of these tables with these keys, and all rows of REGISTERS.
    """
    used = set(await connection.scalars(_used())) if written is None else {*written, *REGISTERS}
    found = []
    for table in watched():
        if table.name in used:
            keys = None if written is None or table.name in REGISTERS else sorted(written[table.name])
            found += await differences(connection, table, keys)
    return found


@cache
def _used() -> TextClause:
    """Return the query of the watched tables that have a row or had one."""
    each = (
        f"SELECT '{table.name}' WHERE EXISTS (SELECT FROM {table.name}) "
        f"OR EXISTS (SELECT FROM row_change WHERE of_table = '{table.name}')"
        for table in watched()
    )
    return text(" UNION ALL ".join(each))


async def check_unchanged(connection: AsyncConnection, number: int, kind: str, subjects: Sequence[int]) -> None:
    """Raise Refused (CHANGED_BY_HAND) if a proposal or what it is about is not as the acts about it left it.

    Looked at are the proposal, all rows that were written with it, its documents, and the rows that belong to these.
    """
    rows: dict[str, set[str]] = {proposal.name: {str(number)}}
    for row in await connection.execute(_BESIDE, {"number": str(number)}):
        rows.setdefault(row.of_table, set()).add(row.key)
    about = metadata.tables[KINDS[kind].table]
    rows.setdefault(about.name, set()).update(map(str, subjects))
    for table in watched():
        for column in table.columns:
            if any(key.column.table is about for key in column.foreign_keys):
                parts = table.primary_key.columns
                belonging = await connection.execute(select(*parts).where(column.in_(subjects)))
                rows.setdefault(table.name, set()).update(":".join(map(str, row)) for row in belonging)
    for table in watched():
        if table.name in rows:
            for found in await differences(connection, table, sorted(rows[table.name])):
                why = f"{found.table} {found.key}: {found.note}"
                raise Refused("CHANGED_BY_HAND", f"proposal {number} cannot be approved; {why}")
