"""Writing many rows at once inside SQLAlchemy's transaction: by COPY, and by statements for many rows each.

A statement for each row takes much longer: the record of changes (``settlement.tables.changes``) is written once
a statement.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Column, Table, func, literal, select, text
from sqlalchemy import insert as insert_into
from sqlalchemy import update as update_of
from sqlalchemy.ext.asyncio import AsyncConnection


async def copy(connection: AsyncConnection, table: Table, records: Iterable[Sequence[Any]]) -> None:
    """Insert rows by COPY, which is faster than any INSERT. Each record has the values of all columns in order.

    Raises asyncpg's errors, not SQLAlchemy's.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    columns = [column.name for column in table.columns]
    await driver.copy_records_to_table(table.name, records=records, columns=columns)


async def insert(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns, some thousand a statement, in their order."""
    if rows:
        # Only what returns something is joined into statements of many rows.
        await connection.execute(insert_into(table).returning(*table.primary_key.columns), rows)


async def insert_new(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those rows whose keys are not there, by one statement as ``upsert``. All have the same columns."""
    if rows:
        columns = [table.c[name] for name in rows[0]]
        records = [[row[column.name] for column in columns] for row in rows]
        await _insert_arrays(connection, table, columns, records, "DO NOTHING")


async def update(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set columns of rows by one statement. Each row has the key of the table and the same further columns."""
    if not rows:
        return
    (key,) = table.primary_key.columns
    arrays = {name: literal([row[name] for row in rows], ARRAY(table.c[name].type)) for name in rows[0]}
    given = select(*(func.unnest(array).label(name) for name, array in arrays.items())).subquery("given")
    news = {name: given.c[name] for name in arrays if name != key.name}
    await connection.execute(update_of(table).where(key == given.c[key.name]).values(news))


async def upsert(
    connection: AsyncConnection,
    table: Table,
    records: Sequence[Sequence[Any]],
    columns: Sequence[Column[Any]] | None = None,
) -> None:
    """Insert rows, or set the columns that are no key where the key is there.

    Each record has the values of the columns in order, of all columns unless some are given. One statement with an
    array for each column. Numbers go as text, since no type of the driver holds the widest ones.
    """
    if records:
        columns = list(table.columns) if columns is None else columns
        keys = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
        news = ", ".join(f'"{c.name}" = excluded."{c.name}"' for c in columns if not c.primary_key)
        await _insert_arrays(connection, table, columns, records, f"({keys}) DO UPDATE SET {news}")


async def _insert_arrays(
    connection: AsyncConnection,
    table: Table,
    columns: Sequence[Column[Any]],
    records: Sequence[Sequence[Any]],
    on_conflict: str,
) -> None:
    arrays = ", ".join(
        f"CAST(CAST(:{column.name} AS text[]) AS {column.type.compile(connection.dialect)}[])" for column in columns
    )
    names = ", ".join(f'"{column.name}"' for column in columns)
    statement = f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT {on_conflict}'
    values = {
        column.name: [None if value is None else str(value) for value in given]
        for column, given in zip(columns, zip(*records, strict=True), strict=True)
    }
    await connection.execute(text(statement), values)
