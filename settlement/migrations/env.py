"""Alembic's environment: migrations run on the connection that ``settlement.base.database.migrate`` holds."""

from alembic import context

from settlement.tables.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
