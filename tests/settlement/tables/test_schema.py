"""The migrations make exactly the tables that the program knows, with all checks, keys and indexes."""

import re

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateSchema

from settlement import migrations
from settlement.tables.schema import metadata

CONSTRAINTS = """
SELECT t.relname AS of_table, c.conname AS name, pg_get_constraintdef(c.oid) AS definition
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = :schema AND t.relname <> 'alembic_version' AND c.contype <> 't'
"""
"""Without triggers, which the model of the tables has not."""
INDEXES = """
SELECT tablename AS of_table, indexname AS name, indexdef AS definition FROM pg_indexes
WHERE schemaname = :schema AND tablename <> 'alembic_version'
"""


def test_migrations_are_one_line_and_only_go_forward() -> None:
    scripts = ScriptDirectory(str(migrations.HERE))
    (head,) = scripts.get_heads()
    line = [script.revision for script in reversed(list(scripts.walk_revisions()))]
    assert line == [f"{number:04}" for number in range(1, len(line) + 1)]
    assert line[-1] == head == migrations.newest()
    assert not [script.revision for script in scripts.walk_revisions() if hasattr(script.module, "downgrade")]


async def test_tables_and_columns_are_those_of_the_program(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


def normal(definition: str) -> list[str]:
    """Return the words of a definition without their order, which lists of allowed values need not share."""
    return sorted(re.findall(r"'[^']*'|\w+|[^\s\w]", definition.replace("model.", "").replace("public.", "")))


async def definitions(connection: AsyncConnection, query: str, schema: str) -> dict[tuple[str, str], list[str]]:
    rows = await connection.execute(text(query), {"schema": schema})
    return {(row.of_table, row.name): normal(row.definition) for row in rows}


async def check_definitions(engine: AsyncEngine) -> None:
    """Check that the migrations make the same checks, keys and indexes as the model of the tables."""
    async with engine.connect() as connection:
        await connection.execute(CreateSchema("model"))
        mapped = await connection.execution_options(schema_translate_map={None: "model"})
        await mapped.run_sync(metadata.create_all)
        for query in (CONSTRAINTS, INDEXES):
            migrated, modelled = [await definitions(connection, query, schema) for schema in ("public", "model")]
            assert migrated == modelled
        assert len(migrated) > 50
        await connection.rollback()


async def test_checks_keys_and_indexes_are_those_of_the_program(engine: AsyncEngine) -> None:
    """Among them the sets of states and kinds, which tables derive from ``settlement.documents``."""
    await check_definitions(engine)


async def test_they_are_with_the_postgresql_of_the_wheel(engine_of_the_wheel: AsyncEngine) -> None:
    """PostgreSQL 18 names what keeps columns from being null; one that is found on the system may be older."""
    await check_definitions(engine_of_the_wheel)
