"""Corrections of metal; more tables have a record of their changes"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

WATCHED = {
    "trading_day": "",
    "phase_change": "",
    "business_day": "",
    "close_step": "facts, output",
    "day_price": "",
    "day_record": "",
    "account_statement": "content",
    "bulletin": "",
    "accrual_day": "",
    "acts_read": "",
}
"""By table: the columns that are not recorded."""


def upgrade() -> None:
    op.alter_column("correction", "amount_fen", nullable=True)
    op.add_column("correction", sa.Column("symbol", sa.Text(), nullable=True))
    op.add_column("correction", sa.Column("fine_mg", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_correction_symbol"), "correction", "instrument", ["symbol"], ["symbol"])
    op.create_check_constraint(op.f("ck_correction_fine"), "correction", "fine_mg > 0")
    op.create_check_constraint(
        op.f("ck_correction_money_or_metal"),
        "correction",
        "(symbol IS NULL) = (amount_fen IS NOT NULL) AND (symbol IS NULL) = (fine_mg IS NULL)",
    )
    op.create_check_constraint(
        op.f("ck_correction_claims_in_money"), "correction", "claim_no IS NULL OR symbol IS NULL"
    )
    for table, free in WATCHED.items():
        op.execute(f"SELECT watch_rows('{table}', '{{{free}}}')")
