"""Connections to PostgreSQL, and the migrations that make its tables.

Migrations only go forward: what was posted and written into histories is never taken back, and a schema from before has
no place for it. The way back is a backup.
"""

import time
from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import ARRAY, Column, ColumnElement, any_, literal, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from goldx.protocol.units import BadValue
from settlement import migrations
from settlement.base.refusal import Refused

T = TypeVar("T")


def connect(url: str, *, pool_size: int = 5) -> AsyncEngine:
    """An engine for ``postgresql+asyncpg://...``. Raises BadValue for any other kind of URL."""
    if not url.startswith("postgresql+asyncpg://"):
        raise BadValue("database_url", url.partition("@")[2] or url, "a URL that starts with postgresql+asyncpg://")
    return create_async_engine(url, pool_size=pool_size, pool_pre_ping=True)


def among(column: Column[T], values: Iterable[T]) -> ColumnElement[bool]:
    """``column = ANY(array)``: one parameter, however many values, where IN would need one for each."""
    return column == any_(literal(list(values), ARRAY(column.type)))


def now_ms() -> int:
    """The time of a clerk's act. Never used for what the exchange says: events carry the journal's time."""
    return time.time_ns() // 1_000_000


async def migrate(url: str) -> None:
    """Brings a database to this program's schema, in one transaction; does nothing if it is there already.

    Raises Refused (NEWER_DATABASE) for one that a newer program has migrated.
    """
    engine = connect(url)
    try:
        async with engine.begin() as connection:
            if await _stands_at(connection) != migrations.newest():
                # Loading Alembic takes longer than most commands of a clerk.
                from settlement.migrations.forward import upgrade

                await connection.run_sync(upgrade)
    except migrations.NewerDatabase as error:
        raise Refused("NEWER_DATABASE", str(error)) from error
    finally:
        await engine.dispose()


async def _stands_at(connection: AsyncConnection) -> str | None:
    if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
