"""Alembic's environment: migrations run on the connection that ``settlement.base.database.migrate`` holds."""

from alembic import context

from settlement.tables import (  # noqa: F401
    assays,
    base,
    charges,
    custody,
    intake,
    ledger,
    load_outs,
    lots,
    reconciliation,
    recycling,
)
from settlement.tables.columns import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
