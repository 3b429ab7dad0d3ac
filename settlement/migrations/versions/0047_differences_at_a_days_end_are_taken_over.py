"""Differences between engine and ledger at a day's end are taken over by two people"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

KIND = "day_difference"
STATES = "'PROPOSED', 'TAKEN_OVER', 'DECLINED'"


def upgrade() -> None:
    name = "ck_proposal_kind_known"
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    op.execute(f"ALTER TABLE proposal DROP CONSTRAINT {name}")
    after = before.replace("ARRAY[", f"ARRAY['{KIND}'::text, ")
    op.get_bind().exec_driver_sql(f"ALTER TABLE proposal ADD CONSTRAINT {name} {after}")
    op.create_table(
        "day_difference",
        sa.Column("difference_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("engine", sa.Numeric(38, 0), nullable=False),
        sa.Column("ledger", sa.Numeric(38, 0), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("break_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(f"status IN ({STATES})", name=op.f("ck_day_difference_status_known")),
        sa.CheckConstraint("engine <> ledger", name=op.f("ck_day_difference_differ")),
        sa.CheckConstraint(
            "(status = 'TAKEN_OVER') = (break_id IS NOT NULL)", name=op.f("ck_day_difference_taken_over_as_a_break")
        ),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_day_difference_day")),
        sa.ForeignKeyConstraint(["owner"], ["staff.staff"], name=op.f("fk_day_difference_owner")),
        sa.ForeignKeyConstraint(["break_id"], ["recon_break.break_id"], name=op.f("fk_day_difference_break_id")),
        sa.PrimaryKeyConstraint("difference_no", name=op.f("pk_day_difference")),
    )
    op.create_index(
        "uq_day_difference_day_account_asset",
        "day_difference",
        ["day", "account", "asset"],
        unique=True,
        postgresql_where=sa.text("status <> 'DECLINED'"),
    )
    op.execute("SELECT watch_rows('day_difference')")
