"""Warehouses sign their statements with keys that two people register"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

KIND = "warehouse_key"


def upgrade() -> None:
    name = "ck_proposal_kind_known"
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    op.execute(f"ALTER TABLE proposal DROP CONSTRAINT {name}")
    after = before.replace("ARRAY[", f"ARRAY['{KIND}'::text, ")
    op.get_bind().exec_driver_sql(f"ALTER TABLE proposal ADD CONSTRAINT {name} {after}")
    op.create_table(
        "warehouse_key",
        sa.Column("key_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'LIVE', 'DECLINED', 'ENDED')", name=op.f("ck_warehouse_key_status_known")
        ),
        sa.CheckConstraint("length(public_key) = 32", name=op.f("ck_warehouse_key_public_key_ed25519")),
        sa.CheckConstraint(
            "(status = 'ENDED') = (end_reason IS NOT NULL)", name=op.f("ck_warehouse_key_ended_for_a_reason")
        ),
        sa.ForeignKeyConstraint(["warehouse"], ["warehouse.warehouse"], name=op.f("fk_warehouse_key_warehouse")),
        sa.PrimaryKeyConstraint("key_no", name=op.f("pk_warehouse_key")),
    )
    op.create_index(
        "uq_warehouse_key_public_key",
        "warehouse_key",
        ["public_key"],
        unique=True,
        postgresql_where=sa.text("status <> 'DECLINED'"),
    )
