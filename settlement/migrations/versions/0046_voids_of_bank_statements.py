"""A bank's statement can be voided; money without a payment behind it goes back"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

KINDS = ("bank_void",)
HOW = "how IN ('RECORDED', 'VIRTUAL', 'REFERENCE', 'ASSIGNED', 'TIED', 'RETURN', 'OFFSET')"
# A tie leaves the table only for that of the voided ones, as it was.
MATCH_KEPT = """
CREATE FUNCTION match_is_voided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM voided_match v WHERE v.match_no = OLD.match_no AND to_jsonb(v) - 'void_order' = to_jsonb(OLD)
    ) THEN
        RAISE EXCEPTION 'DELETE of bank_match is refused: tie % is not among the voided ones', OLD.match_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$
"""
STATEMENT_KEPT = (
    "statement_no, account_id, file_no, format, kind, stated_id, first_day, last_day, opening_fen, closing_fen, "
    "entries, notes, taken_at, taken_by"
)


def _allow_kinds() -> None:
    name = "ck_proposal_kind_known"
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    op.execute(f"ALTER TABLE proposal DROP CONSTRAINT {name}")
    added = ", ".join(f"'{kind}'::text" for kind in KINDS)
    after = before.replace("ARRAY[", f"ARRAY[{added}, ")
    op.get_bind().exec_driver_sql(f"ALTER TABLE proposal ADD CONSTRAINT {name} {after}")


def _voids() -> None:
    op.create_table(
        "bank_void",
        sa.Column("void_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("statement_no", sa.BigInteger(), nullable=False),
        sa.Column("statements", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("void_order", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("status IN ('PROPOSED', 'VOIDED', 'DECLINED')", name=op.f("ck_bank_void_status_known")),
        sa.CheckConstraint("statement_no = ANY(statements)", name=op.f("ck_bank_void_has_the_wrong_one")),
        sa.CheckConstraint("(status = 'VOIDED') = (void_order IS NOT NULL)", name=op.f("ck_bank_void_in_order")),
        sa.ForeignKeyConstraint(
            ["statement_no"], ["bank_statement.statement_no"], name=op.f("fk_bank_void_statement_no")
        ),
        sa.UniqueConstraint("void_order", name=op.f("uq_bank_void_void_order")),
        sa.PrimaryKeyConstraint("void_no", name=op.f("pk_bank_void")),
    )
    op.add_column("bank_statement", sa.Column("void_order", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_bank_statement_void_order"), "bank_statement", "bank_void", ["void_order"], ["void_order"]
    )
    op.create_table(
        "voided_match",
        sa.Column("match_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_no", sa.BigInteger(), nullable=False),
        sa.Column("cash_id", sa.BigInteger(), nullable=True),
        sa.Column("against_item", sa.BigInteger(), nullable=True),
        sa.Column("group_no", sa.BigInteger(), nullable=True),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("void_order", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(HOW, name=op.f("ck_voided_match_how_known")),
        sa.ForeignKeyConstraint(["item_no"], ["bank_item.item_no"], name=op.f("fk_voided_match_item_no")),
        sa.ForeignKeyConstraint(["cash_id"], ["cash_transfer.cash_id"], name=op.f("fk_voided_match_cash_id")),
        sa.ForeignKeyConstraint(["against_item"], ["bank_item.item_no"], name=op.f("fk_voided_match_against_item")),
        sa.ForeignKeyConstraint(["group_no"], ["bank_item.item_no"], name=op.f("fk_voided_match_group_no")),
        sa.ForeignKeyConstraint(["void_order"], ["bank_void.void_order"], name=op.f("fk_voided_match_void_order")),
        sa.PrimaryKeyConstraint("match_no", name=op.f("pk_voided_match")),
    )


def _undone_money() -> None:
    op.create_table(
        "undone_money",
        sa.Column("undone_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("cash_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("cause IN ('VOIDED', 'PAID_AFTER_ALL')", name=op.f("ck_undone_money_cause_known")),
        sa.ForeignKeyConstraint(["cash_id"], ["cash_transfer.cash_id"], name=op.f("fk_undone_money_cash_id")),
        sa.PrimaryKeyConstraint("undone_no", name=op.f("pk_undone_money")),
    )
    op.create_index(
        "uq_undone_money_cash_id", "undone_money", ["cash_id"], unique=True, postgresql_where=sa.text("ended IS NULL")
    )
    op.create_table(
        "undone_attempt",
        sa.Column("cash_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("undone_no", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["cash_id"], ["cash_transfer.cash_id"], name=op.f("fk_undone_attempt_cash_id")),
        sa.ForeignKeyConstraint(["undone_no"], ["undone_money.undone_no"], name=op.f("fk_undone_attempt_undone_no")),
        sa.PrimaryKeyConstraint("cash_id", name=op.f("pk_undone_attempt")),
    )
    op.create_index("ix_undone_attempt_undone_no", "undone_attempt", ["undone_no"])


def _keep() -> None:
    """Let statements be marked and ties be moved, and nothing else."""
    op.execute("DROP TRIGGER append_only ON bank_statement")
    op.execute(
        f"CREATE TRIGGER content_kept BEFORE UPDATE OF {STATEMENT_KEPT} ON bank_statement FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('a statement stays as it was taken in')"
    )
    op.execute(
        "CREATE TRIGGER written_once BEFORE UPDATE ON bank_statement FOR EACH ROW "
        "EXECUTE FUNCTION keep_columns('void_order')"
    )
    op.execute("DROP TRIGGER append_only ON bank_match")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON bank_match FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
    op.execute(MATCH_KEPT)
    op.execute(
        "CREATE TRIGGER moved_when_voided BEFORE DELETE ON bank_match FOR EACH ROW EXECUTE FUNCTION match_is_voided()"
    )
    op.execute(
        "CREATE TRIGGER written_once BEFORE UPDATE ON undone_money FOR EACH ROW "
        "EXECUTE FUNCTION keep_columns('cash_id', 'cause', 'why', 'ended', 'at', 'by')"
    )
    for table in ("bank_statement", "undone_money"):
        op.execute(
            f"CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is kept')"
        )
    for table in ("voided_match", "undone_attempt"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )


def upgrade() -> None:
    _allow_kinds()
    _voids()
    _undone_money()
    _keep()
    op.drop_constraint(op.f("ck_bank_tie_status_known"), "bank_tie", type_="check")
    states = "status IN ('TIED', 'PROPOSED', 'DECLINED', 'UNDONE')"
    op.create_check_constraint(op.f("ck_bank_tie_status_known"), "bank_tie", states)
    for table in ("bank_void", "voided_match", "undone_money", "undone_attempt"):
        op.execute(f"SELECT watch_rows('{table}')")
