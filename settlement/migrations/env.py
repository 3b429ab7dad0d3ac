"""Alembic's environment: migrations run on the connection that ``settlement.database.migrate`` holds."""

from alembic import context

from settlement import schema_counter, schema_custody, schema_fees, schema_intake  # noqa: F401
from settlement.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
