"""Payments out: orders, the files for the bank, and the bank's answers"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def _to(table: str, column: str, of: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.{key}"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    op.create_table(
        "payment_order",
        sa.Column("cash_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_to_end", sa.Text(), nullable=False),
        sa.Column("payee_name", sa.Text(), nullable=False),
        sa.Column("payee_account", sa.Text(), nullable=False),
        sa.Column("payee_bank", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        _to("payment_order", "cash_id", "cash_transfer", "cash_id"),
        sa.PrimaryKeyConstraint("cash_id", name=op.f("pk_payment_order")),
        sa.UniqueConstraint("end_to_end", name=op.f("uq_payment_order_end_to_end")),
    )
    op.create_table(
        "payment_file",
        sa.Column("payment_file_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("payments", sa.BigInteger(), nullable=False),
        sa.Column("sum_fen", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("format IN ('pain.001', 'CSV')", name=op.f("ck_payment_file_format_known")),
        _to("payment_file", "account_id", "bank_account", "account_id"),
        sa.PrimaryKeyConstraint("payment_file_no", name=op.f("pk_payment_file")),
    )
    op.create_table(
        "payment_in_file",
        sa.Column("cash_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_file_no", sa.BigInteger(), nullable=False),
        _to("payment_in_file", "cash_id", "payment_order", "cash_id"),
        _to("payment_in_file", "payment_file_no", "payment_file", "payment_file_no"),
        sa.PrimaryKeyConstraint("cash_id", name=op.f("pk_payment_in_file")),
    )
    op.create_table(
        "payment_answer",
        sa.Column("answer_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("cash_id", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("back_cash_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "answer IN ('PENDING', 'ACCEPTED', 'REJECTED')", name=op.f("ck_payment_answer_answer_known")
        ),
        sa.CheckConstraint(
            "back_cash_id IS NULL OR answer = 'REJECTED'", name=op.f("ck_payment_answer_only_rejected_comes_back")
        ),
        _to("payment_answer", "cash_id", "payment_order", "cash_id"),
        _to("payment_answer", "back_cash_id", "cash_transfer", "cash_id"),
        sa.PrimaryKeyConstraint("answer_no", name=op.f("pk_payment_answer")),
    )
    op.create_index("ix_payment_answer_cash_id", "payment_answer", ["cash_id"], unique=False)
    op.create_index("uq_payment_answer_back_cash_id", "payment_answer", ["back_cash_id"], unique=True)
    for table in ("payment_order", "payment_file", "payment_in_file", "payment_answer"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
