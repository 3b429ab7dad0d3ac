"""Time stamps of the records of days"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "day_stamp",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("stamped_at", sa.BigInteger(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["day_record.day"], name=op.f("fk_day_stamp_day")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_day_stamp")),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON day_stamp FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
    op.execute("SELECT watch_rows('day_stamp')")
