"""Fees: accruals, the days that are accrued, and bills"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BEFORE = (
    *("cash", "receipt", "receipt_cancel", "pledge", "pledge_release", "legal_hold", "legal_lift", "load_out"),
    "load_out_cancel",
)
DECISIONS = (
    *("transfer", "acceptance", "provenance", "lot_lift", "lot_return", "pickup_code", "claim", "tariff"),
)


def _known(table: str, words: tuple[str, ...]) -> None:
    allowed = ", ".join(f"'{word}'" for word in words)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind_known")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind_known CHECK (kind IN ({allowed}))")


def _kinds(kinds: tuple[str, ...]) -> None:
    _known("proposal", (*kinds, *DECISIONS))
    _known("outbox", kinds)
    _known("ledger_entry", ("trade", *kinds, "unidentified"))


def upgrade() -> None:
    _kinds((*BEFORE, "fee"))
    op.create_table('accrual_day',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('day', name=op.f('pk_accrual_day'))
    )
    op.create_table('fee_bill',
    sa.Column('bill_no', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('exact_ufen', sa.BigInteger(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('arrear', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('made_at', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("status IN ('PROPOSED', 'SENDING', 'DONE', 'DECLINED', 'ARREAR', 'REPLACED')", name=op.f('ck_fee_bill_status_known')),
    sa.CheckConstraint('2 * abs(amount_fen * 1000000 - exact_ufen) <= 1000000', name=op.f('ck_fee_bill_rounded_once')),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_fee_bill_amount')),
    sa.ForeignKeyConstraint(['account'], ['trading_account.account'], name=op.f('fk_fee_bill_account')),
    sa.PrimaryKeyConstraint('bill_no', name=op.f('pk_fee_bill'))
    )
    op.create_index('uq_fee_bill_account', 'fee_bill', ['account'], unique=True, postgresql_where=sa.text("status IN ('PROPOSED', 'SENDING', 'ARREAR')"))
    op.create_table('fee_accrual',
    sa.Column('accrual_no', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('symbol', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('quantity', sa.BigInteger(), nullable=False),
    sa.Column('rate', sa.BigInteger(), nullable=False),
    sa.Column('amount_ufen', sa.BigInteger(), nullable=False),
    sa.Column('bill_no', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("kind IN ('STORAGE_OWN', 'STORAGE_BOUGHT', 'STORAGE_LOAD_OUT', 'FREIGHT_INSURANCE', 'LOAD_IN', 'LOAD_OUT', 'OVERDUE', 'UMPIRE')", name=op.f('ck_fee_accrual_kind_known')),
    sa.CheckConstraint('quantity > 0 AND rate > 0 AND amount_ufen > 0', name=op.f('ck_fee_accrual_positive')),
    sa.ForeignKeyConstraint(['account'], ['trading_account.account'], name=op.f('fk_fee_accrual_account')),
    sa.ForeignKeyConstraint(['bill_no'], ['fee_bill.bill_no'], name=op.f('fk_fee_accrual_bill_no')),
    sa.PrimaryKeyConstraint('accrual_no', name=op.f('pk_fee_accrual')),
    sa.UniqueConstraint('day', 'account', 'symbol', 'kind', 'subject', name=op.f('uq_fee_accrual_day_account_symbol_kind_subject'))
    )
    op.create_index('ix_fee_accrual_account_bill_no', 'fee_accrual', ['account', 'bill_no'], unique=False)
