"""Withdrawals that members ask for, their accounts at banks, and the limits"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

KINDS = ("payee_account", "withdrawal_limit")


def _to(table: str, column: str, of: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.{key}"], name=op.f(f"fk_{table}_{column}"))


def _allow_kinds() -> None:
    name = "ck_proposal_kind_known"
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    op.execute(f"ALTER TABLE proposal DROP CONSTRAINT {name}")
    added = ", ".join(f"'{kind}'::text" for kind in KINDS)
    after = before.replace("ARRAY[", f"ARRAY[{added}, ")
    op.get_bind().exec_driver_sql(f"ALTER TABLE proposal ADD CONSTRAINT {name} {after}")


def upgrade() -> None:
    _allow_kinds()
    op.create_table(
        "payee_account",
        sa.Column("payee_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("usable_at", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'LIVE', 'DECLINED', 'ENDED')", name=op.f("ck_payee_account_status_known")
        ),
        sa.CheckConstraint(
            "(status IN ('LIVE', 'ENDED')) = (usable_at IS NOT NULL)",
            name=op.f("ck_payee_account_usable_once_approved"),
        ),
        sa.CheckConstraint(
            "(status = 'ENDED') = (end_reason IS NOT NULL)", name=op.f("ck_payee_account_ended_for_a_reason")
        ),
        _to("payee_account", "member", "member", "member"),
        sa.PrimaryKeyConstraint("payee_no", name=op.f("pk_payee_account")),
    )
    op.create_index(
        "uq_payee_account_member_account_number",
        "payee_account",
        ["member", sa.text("folded(account_number)")],
        unique=True,
        postgresql_where=sa.text("status IN ('PROPOSED', 'LIVE')"),
    )
    op.create_table(
        "withdrawal_limit",
        sa.Column("limit_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("per_payment_fen", sa.BigInteger(), nullable=False),
        sa.Column("per_day_fen", sa.BigInteger(), nullable=False),
        sa.Column("wait_hours", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'AGREED', 'DECLINED')", name=op.f("ck_withdrawal_limit_status_known")
        ),
        sa.CheckConstraint(
            "per_payment_fen >= 0 AND per_day_fen >= 0 AND wait_hours >= 0",
            name=op.f("ck_withdrawal_limit_not_negative"),
        ),
        _to("withdrawal_limit", "account", "trading_account", "account"),
        sa.PrimaryKeyConstraint("limit_no", name=op.f("pk_withdrawal_limit")),
    )
    op.create_table(
        "withdrawal",
        sa.Column("withdrawal_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("client_ref", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("payee_no", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("cash_id", sa.BigInteger(), nullable=True),
        sa.Column("back_cash_id", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('ASKED', 'ACCEPTED', 'DECLINED', 'CANCELLED')", name=op.f("ck_withdrawal_status_known")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_withdrawal_amount")),
        sa.CheckConstraint(
            "status <> 'ACCEPTED' OR cash_id IS NOT NULL", name=op.f("ck_withdrawal_accepted_as_money")
        ),
        sa.CheckConstraint(
            "back_cash_id IS NULL OR status = 'CANCELLED' AND cash_id IS NOT NULL",
            name=op.f("ck_withdrawal_only_cancelled_comes_back"),
        ),
        _to("withdrawal", "member", "member", "member"),
        _to("withdrawal", "account", "trading_account", "account"),
        _to("withdrawal", "payee_no", "payee_account", "payee_no"),
        _to("withdrawal", "cash_id", "payment_order", "cash_id"),
        _to("withdrawal", "back_cash_id", "cash_transfer", "cash_id"),
        sa.PrimaryKeyConstraint("withdrawal_no", name=op.f("pk_withdrawal")),
        sa.UniqueConstraint("member", "client_ref", name=op.f("uq_withdrawal_member_client_ref")),
        sa.UniqueConstraint("cash_id", name=op.f("uq_withdrawal_cash_id")),
        sa.UniqueConstraint("back_cash_id", name=op.f("uq_withdrawal_back_cash_id")),
    )
    op.create_index("ix_withdrawal_account_day", "withdrawal", ["account", "day"], unique=False)
