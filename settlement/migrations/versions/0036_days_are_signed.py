"""Signatures of closed days, and their records"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "day_signature",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("capacity", sa.Text(), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("closing_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "capacity IN ('settlement', 'warehouse', 'risk')", name=op.f("ck_day_signature_capacity_known")
        ),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_day_signature_day")),
        sa.ForeignKeyConstraint(["signed_by"], ["staff.staff"], name=op.f("fk_day_signature_signed_by")),
        sa.PrimaryKeyConstraint("day", "capacity", name=op.f("pk_day_signature")),
        sa.UniqueConstraint("day", "signed_by", name=op.f("uq_day_signature_day_signed_by")),
    )
    op.create_table(
        "day_record",
        sa.Column("record_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(previous) = 32 AND length(hash) = 32", name=op.f("ck_day_record_sha256")),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_day_record_day")),
        sa.PrimaryKeyConstraint("record_no", name=op.f("pk_day_record")),
        sa.UniqueConstraint("day", name=op.f("uq_day_record_day")),
        sa.UniqueConstraint("previous", name=op.f("uq_day_record_previous")),
        sa.UniqueConstraint("hash", name=op.f("uq_day_record_hash")),
    )
    for table in ("day_signature", "day_record"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
