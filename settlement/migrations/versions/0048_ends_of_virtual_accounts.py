"""A virtual account can be ended by two people"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

KINDS = ("virtual_account_end",)


def _allow_kinds() -> None:
    name = "ck_proposal_kind_known"
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    op.execute(f"ALTER TABLE proposal DROP CONSTRAINT {name}")
    added = ", ".join(f"'{kind}'::text" for kind in KINDS)
    after = before.replace("ARRAY[", f"ARRAY[{added}, ")
    op.get_bind().exec_driver_sql(f"ALTER TABLE proposal ADD CONSTRAINT {name} {after}")


def upgrade() -> None:
    _allow_kinds()
    op.create_table(
        "virtual_account_end",
        sa.Column("end_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'ENDED', 'DECLINED')", name=op.f("ck_virtual_account_end_status_known")
        ),
        sa.ForeignKeyConstraint(["number"], ["virtual_account.number"], name=op.f("fk_virtual_account_end_number")),
        sa.PrimaryKeyConstraint("end_no", name=op.f("pk_virtual_account_end")),
    )
    waits_or_ended = sa.text("status IN ('PROPOSED', 'ENDED')")
    op.create_index(
        "uq_virtual_account_end_number", "virtual_account_end", ["number"], unique=True, postgresql_where=waits_or_ended
    )
    op.execute("SELECT watch_rows('virtual_account_end')")
