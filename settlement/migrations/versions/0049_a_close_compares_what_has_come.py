"""A close compares what has come since the newest proved and signed day, from where the records ended in that run"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

LATE = ("ledger_entry", "trade", "trade_bust")
"""A posting names an entry of its own transaction, so none comes later than its entry."""
REFUSE_LATE = """
CREATE FUNCTION refuse_late_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT min(sequence) FROM made) <= (SELECT max(last_sequence) FROM business_day) THEN
        RAISE EXCEPTION 'INSERT of % is refused: the close of the day of event % has begun', TG_TABLE_NAME,
            (SELECT min(sequence) FROM made) USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$
"""
NOT_EMPTIED = """
DO $$
DECLARE of_table regclass;
BEGIN
    FOR of_table IN SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'row_gone'
    LOOP
        EXECUTE format('CREATE TRIGGER row_by_row BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
                       'EXECUTE FUNCTION refuse_change(''its changes are recorded row by row'')', of_table);
    END LOOP;
END $$
"""
WATCH_ROWS = """
CREATE OR REPLACE FUNCTION watch_rows(of_table regclass, free text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    call text := format('FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', row_key(of_table), free);
BEGIN
    PERFORM record_rows(of_table, free);
    EXECUTE format('CREATE TRIGGER row_made AFTER INSERT ON %s REFERENCING NEW TABLE AS made %s', of_table, call);
    EXECUTE format('CREATE TRIGGER row_gone AFTER DELETE ON %s REFERENCING OLD TABLE AS gone %s', of_table, call);
    EXECUTE format('CREATE TRIGGER row_changed AFTER UPDATE ON %s REFERENCING OLD TABLE AS gone NEW TABLE AS made %s',
                   of_table, call);
    EXECUTE format('CREATE TRIGGER row_by_row BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
                   'EXECUTE FUNCTION refuse_change(''its changes are recorded row by row'')', of_table);
END $$
"""


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
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
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
    for function in (REFUSE_LATE, NOT_EMPTIED, WATCH_ROWS):
        op.get_bind().exec_driver_sql(function)
    op.execute("SELECT watch_rows('day_proof')")
    for table in LATE:
        op.execute(
            f"CREATE TRIGGER not_late AFTER INSERT ON {table} REFERENCING NEW TABLE AS made FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_late_rows()"
        )
    op.create_check_constraint(
        op.f("ck_outbox_answered_by_an_event"),
        "outbox",
        "(status IN ('DONE', 'REFUSED')) = (sequence IS NOT NULL) AND (status = 'REFUSED') = (reason IS NOT NULL)",
    )
