"""Signed days are archived, and two people open a day that would have to wait"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "day_archive",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("archived_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(sha256) = 32", name=op.f("ck_day_archive_sha256")),
        sa.ForeignKeyConstraint(["day"], ["day_record.day"], name=op.f("fk_day_archive_day")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_day_archive")),
    )
    op.create_table(
        "day_opening",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("obstacles", postgresql.JSONB(), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["given_by"], ["staff.staff"], name=op.f("fk_day_opening_given_by")),
        sa.PrimaryKeyConstraint("sequence", "given_by", name=op.f("pk_day_opening")),
    )
    for table in ("day_archive", "day_opening"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
        op.execute(f"SELECT watch_rows('{table}')")
