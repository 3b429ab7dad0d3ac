"""Alembic's environment: migrations run on the connection that ``settlement.database.migrate`` holds."""

from alembic import context

from settlement import (  # noqa: F401
    schema_counter,
    schema_custody,
    schema_fees,
    schema_intake,
    schema_ledger,
    schema_lots,
    schema_movements,
    schema_registry,
)
from settlement.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
