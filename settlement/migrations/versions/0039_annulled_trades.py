"""Annulled trades, and how much of a sale was own stock"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def _allow_entries() -> None:
    """Add the kind of an annulment to the CHECK of ledger entries."""
    name = "ck_ledger_entry_kind_known"
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    op.execute(f"ALTER TABLE ledger_entry DROP CONSTRAINT {name}")
    after = before.replace("ARRAY[", "ARRAY['trade_bust'::text, ")
    op.get_bind().exec_driver_sql(f"ALTER TABLE ledger_entry ADD CONSTRAINT {name} " + after)


def upgrade() -> None:
    _allow_entries()
    op.create_table(
        "trade_bust",
        sa.Column("trade_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("proposed_by <> by", name=op.f("ck_trade_bust_two_people")),
        sa.ForeignKeyConstraint(["trade_id"], ["trade.trade_id"], name=op.f("fk_trade_bust_trade_id")),
        sa.PrimaryKeyConstraint("trade_id", name=op.f("pk_trade_bust")),
        sa.UniqueConstraint("sequence", name=op.f("uq_trade_bust_sequence")),
    )
    op.create_table(
        "own_sale",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("own_mg", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("own_mg > 0", name=op.f("ck_own_sale_positive")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_own_sale")),
    )
    for table in ("trade_bust", "own_sale"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
