"""Bringing a database to the newest migration. Most processes find it there, and need not load Alembic."""

from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from settlement.migrations import HERE, NewerDatabase, newest
from settlement.migrations.locks import lock_tables

_LOCK: Final = 0x601D
"""Advisory lock: two services that start together migrate one after the other."""


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Migrate a database to a revision in the caller's transaction, in which nothing has been written yet.

    The transaction has every table to itself from before the first migration on. Raises NewerDatabase for a database
    that a newer program has migrated.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(HERE))
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in (
        script.revision for script in ScriptDirectory.from_config(config).walk_revisions()
    ):
        why = f"the database is at migration {current}, and this program knows none after {newest()}"
        raise NewerDatabase(f"{why}: run the newer program, or restore a backup")
    if current is not None and current != (newest() if revision == "head" else revision):
        lock_tables(connection)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
