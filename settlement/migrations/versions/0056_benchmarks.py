"""The venue's own benchmark of each form of gold and day"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

FORMS = "'SCRAP_JEWEL', 'KARAT_ALLOY', 'DORE', 'NONAPPROVED_BAR', 'GRAIN'"


def upgrade() -> None:
    op.create_table(
        "day_benchmark",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("trades", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("quantity_mg", sa.Numeric(38, 0), nullable=False),
        sa.Column("amount_fen", sa.Numeric(38, 0), nullable=False),
        sa.Column("inputs", JSONB(), nullable=False),
        sa.CheckConstraint(f"form IN ({FORMS})", name=op.f("ck_day_benchmark_form_known")),
        sa.CheckConstraint(
            "method IN ('AVERAGE', 'PREVIOUS', 'NONE')", name=op.f("ck_day_benchmark_method_known")
        ),
        sa.CheckConstraint("(method = 'NONE') = (price IS NULL)", name=op.f("ck_day_benchmark_price_or_none")),
        sa.CheckConstraint("price > 0", name=op.f("ck_day_benchmark_positive")),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_day_benchmark_day")),
        sa.PrimaryKeyConstraint("day", "form", name=op.f("pk_day_benchmark")),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON day_benchmark FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
    op.execute("SELECT watch_rows('day_benchmark')")
