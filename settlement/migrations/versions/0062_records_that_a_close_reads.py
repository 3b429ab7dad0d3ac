"""What a break was when, what instruments were at a day's end, and an index for the receipts of named deals"""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

COLUMNS = "break_id, status, owner, explanation, unit, note, expected, found, lot_id, closed_at"
# A trigger keeps it, so that no program can change a break without it; the services' role cannot write it.
NEW, OLD = (", ".join(f"{row}.{name}" for name in COLUMNS.split(", ")) for row in ("NEW", "OLD"))
KEEP = f"""
CREATE FUNCTION keep_break_state() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF ({NEW}) IS NOT DISTINCT FROM ({OLD}) THEN RETURN NULL; END IF;
    END IF;
    INSERT INTO break_state ({COLUMNS}) VALUES ({NEW});
    RETURN NULL;
END $$;

CREATE TRIGGER state_kept AFTER INSERT OR UPDATE ON recon_break FOR EACH ROW EXECUTE FUNCTION keep_break_state();

DO $$
DECLARE role text;
BEGIN
    FOR role IN SELECT DISTINCT grantee FROM information_schema.role_table_grants
        WHERE table_schema = 'public' AND table_name = 'break_state' AND grantee <> current_user
    LOOP
        EXECUTE format('REVOKE ALL ON break_state FROM %I', role);
        EXECUTE format('GRANT SELECT ON break_state TO %I', role);
    END LOOP;
END $$;
"""


def upgrade() -> None:
    op.create_index(
        "ix_lot_reservation_receipts",
        "lot_reservation",
        ["receipts"],
        postgresql_using="gin",
        postgresql_where=sa.text("status = 'MOVED'"),
    )
    for name in ("name", "name_zh", "form"):
        op.add_column("instrument_at_end", sa.Column(name, sa.Text(), nullable=True))
    op.create_table(
        "break_state",
        sa.Column("change_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("break_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("expected", sa.Numeric(38, 0), nullable=False),
        sa.Column("found", sa.Numeric(38, 0), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["break_id"], ["recon_break.break_id"], name=op.f("fk_break_state_break_id")),
        sa.PrimaryKeyConstraint("change_no", name=op.f("pk_break_state")),
    )
    op.create_index("ix_break_state_break_id_change_no", "break_state", ["break_id", "change_no"])
    op.execute(f"INSERT INTO break_state ({COLUMNS}) SELECT {COLUMNS} FROM recon_break ORDER BY break_id")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON break_state FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
    for statement in KEEP.split("\n\n"):
        op.get_bind().exec_driver_sql(statement)
    op.execute("SELECT watch_rows('break_state')")
