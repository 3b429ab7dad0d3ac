"""Balances and holdings are sums, and wide enough for every sum of events"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

POSTING, TRIGGER = "post_entries", "balance_follows_postings"
SUMS = {"engine_holding": ("total", "reserved", "locked", "unwithdrawable"), "recon_break": ("expected", "found")}


def upgrade() -> None:
    bind = op.get_bind()
    function = bind.execute(sa.text(f"SELECT pg_get_functiondef('{POSTING}'::regproc)")).scalar_one()
    found = sa.text(f"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = '{TRIGGER}'")
    trigger = bind.execute(found).scalar_one()
    # A column that a trigger's condition names cannot change its type.
    op.execute(f"DROP TRIGGER {TRIGGER} ON ledger_account")
    op.execute("ALTER TABLE ledger_account ALTER COLUMN balance TYPE numeric(38, 0)")
    bind.exec_driver_sql(trigger)
    bind.exec_driver_sql(function.replace("sum(amount)::bigint", "sum(amount)"))
    for table, columns in SUMS.items():
        for column in columns:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE numeric(38, 0)")
