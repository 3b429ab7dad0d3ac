"""Connections to PostgreSQL, and the migrations that make its tables.

Migrations only go forward: what was posted and written into histories is never taken back, and a schema from before has
no place for it. The way back is a backup.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ARRAY, Column, ColumnElement, Connection, any_, literal, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from goldx.units import BadValue
from settlement.refusal import Refused

T = TypeVar("T")

_MIGRATION_LOCK = 0x601D
"""Advisory lock: two services that start together migrate one after the other."""


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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    config = _config()
    stands = MigrationContext.configure(connection).get_current_revision()
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if stands is not None and stands not in known:
        why = f"the database stands at migration {stands}, and this program knows none after {known[0]}"
        raise Refused("NEWER_DATABASE", f"{why}: run the newer program, or restore a backup")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str) -> None:
    """Brings a database to this program's schema, in one transaction; does nothing if it is there already.

    Raises Refused (NEWER_DATABASE) for one that a newer program has migrated.
    """
    engine = connect(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
