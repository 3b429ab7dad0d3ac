"""Connections to PostgreSQL, and the migrations that make its tables.

Migrations only go forward: postings and histories are never taken back, and an older schema has no place for them. To
go back, restore a backup.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from sqlalchemy import ARRAY, Column, ColumnElement, any_, literal, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from goldx.protocol.units import BadValue
from settlement import migrations
from settlement.base.refusal import Refused

T = TypeVar("T")
_LOOK_AGAIN_SECONDS: Final = 0.2


def connect(url: str, *, pool_size: int = 5) -> AsyncEngine:
    """Return an engine for ``postgresql+asyncpg://...``. Raises BadValue for any other kind of URL."""
    if not url.startswith("postgresql+asyncpg://"):
        raise BadValue("database_url", url.partition("@")[2] or url, "a URL that starts with postgresql+asyncpg://")
    # Errors go into logs, but parameters (names, identity papers, bank accounts) must not.
    return create_async_engine(url, pool_size=pool_size, pool_pre_ping=True, hide_parameters=True)


def among(column: Column[T], values: Iterable[T]) -> ColumnElement[bool]:
    """Return ``column = ANY(array)``: one parameter for any number of values, where IN needs one for each."""
    return column == any_(literal(list(values), ARRAY(column.type)))


@asynccontextmanager
async def trial(connection: AsyncConnection) -> AsyncIterator[None]:
    """Take back, at the end, all that is done inside, and keep the caller's transaction.

    A preview does its work in one, so that it is the work itself that says what would come of it.
    """
    savepoint = await connection.begin_nested()
    try:
        yield
    finally:
        await savepoint.rollback()


@asynccontextmanager
async def one_at_a_time(engine: AsyncEngine, lock: int, busy: Refused, wait_seconds: float = 0) -> AsyncIterator[None]:
    """Hold an advisory lock of the database, so that only one process at a time does what is inside.

    Raises ``busy`` if another one still holds the lock after ``wait_seconds``. The lock is that of a connection of its
    own, and so ends with the process.
    """
    async with engine.connect() as connection:
        # Without a transaction, which would keep the database from cleaning up as long as it is open.
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        until = time.monotonic() + wait_seconds
        while not await connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": lock}):
            if time.monotonic() >= until:
                raise busy
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        try:
            yield
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": lock})


def now_ms() -> int:
    """Return the time of a clerk's act in ms since the epoch. Events have the journal's time, never this one."""
    return time.time_ns() // 1_000_000


async def migrate(url: str) -> None:
    """Migrate a database to this program's schema in one transaction; do nothing if it has that schema.

    Raises Refused: NEWER_DATABASE if a newer program has migrated it, NOT_MIGRATED if this user may not migrate it.
    """
    engine = connect(url)
    try:
        async with engine.begin() as connection:
            if (found := await _revision(connection)) != migrations.newest():
                if not await connection.scalar(text("SELECT has_schema_privilege('public', 'CREATE')")):
                    raise Refused(
                        "NOT_MIGRATED",
                        f"the database is at migration {found}, this program needs {migrations.newest()}, and the user "
                        "of database_url may not migrate it: run `goldx settlement --migrate` with database_owner_url",
                    )
                # Loading Alembic takes longer than most commands of a clerk.
                from settlement.migrations.forward import upgrade

                await connection.run_sync(upgrade)
    except migrations.NewerDatabase as error:
        raise Refused("NEWER_DATABASE", str(error)) from error
    finally:
        await engine.dispose()


async def _revision(connection: AsyncConnection) -> str | None:
    if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
