"""Statements of account and bulletins"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

CLOSED = "('CONFIRMED', 'ACCEPTED')"
WHY = "'a statement that was issued stays as it is'"


def upgrade() -> None:
    op.create_table(
        "account_statement",
        sa.Column("statement_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("due_day", sa.Date(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("objection", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('ISSUED', 'CONFIRMED', 'DISPUTED', 'ACCEPTED')", name=op.f("ck_account_statement_status_known")
        ),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_account_statement_hash_sha256")),
        sa.CheckConstraint(
            f"(status IN {CLOSED}) = (settled_by IS NOT NULL) AND (settled_by IS NULL) = (settled_at IS NULL)",
            name=op.f("ck_account_statement_settled_by_someone"),
        ),
        sa.CheckConstraint(
            "status <> 'DISPUTED' OR objection IS NOT NULL", name=op.f("ck_account_statement_objected_why")
        ),
        sa.PrimaryKeyConstraint("statement_no", name=op.f("pk_account_statement")),
    )
    op.create_index(
        "uq_account_statement_day_member_account",
        "account_statement",
        ["day", "member", sa.text("coalesce(account, '')")],
        unique=True,
    )
    op.create_index("ix_account_statement_account_day", "account_statement", ["account", "day"])
    op.create_index("ix_account_statement_member_statement_no", "account_statement", ["member", "statement_no"])
    waits = sa.text("status = 'ISSUED'")
    op.create_index("ix_account_statement_open", "account_statement", ["due_day"], postgresql_where=waits)
    kept = "statement_no, day, member, account, content, hash, issued_at"
    op.execute(
        f"CREATE TRIGGER content_kept BEFORE UPDATE OF {kept} ON account_statement FOR EACH STATEMENT "
        f"EXECUTE FUNCTION refuse_change({WHY})"
    )
    op.execute(
        "CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON account_statement FOR EACH STATEMENT "
        f"EXECUTE FUNCTION refuse_change({WHY})"
    )
    op.create_table(
        "bulletin",
        sa.Column("bulletin_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_bulletin_hash_sha256")),
        sa.PrimaryKeyConstraint("bulletin_no", name=op.f("pk_bulletin")),
        sa.UniqueConstraint("day", name=op.f("uq_bulletin_day")),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bulletin FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
