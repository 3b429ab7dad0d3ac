"""A close compares what has come since the newest proved and signed day, from where the records ended in that run"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recon_run", sa.Column("since", sa.BigInteger(), nullable=True))
    op.create_index("ix_audit_log_subject", "audit_log", ["subject"])
    op.create_index("ix_outbox_kind_subject", "outbox", ["kind", "subject"])
    op.create_table(
        "day_proof",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("trade_fees_fen", sa.Numeric(38, 0), nullable=False),
        sa.Column("audit_number", sa.BigInteger(), nullable=False),
        sa.Column("change_no", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_day_proof_day")),
        sa.ForeignKeyConstraint(["run_id"], ["recon_run.run_id"], name=op.f("fk_day_proof_run_id")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_day_proof")),
    )
    op.create_table(
        "close_progress",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("of", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_close_progress_day")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_close_progress")),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON day_proof FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
    op.execute("SELECT watch_rows('day_proof')")
