"""A claim on an account that cannot give back what the bank has taken back stands in the ledger"""

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None

ACCOUNTS = "'member', 'bank_escrow', 'vault', 'fee_income', 'suspense', 'receivable'"
ENTRIES = (
    "'trade', 'trade_bust', 'cash', 'receipt', 'receipt_cancel', 'pledge', 'pledge_release', 'legal_hold', "
    "'legal_lift', 'load_out', 'load_out_cancel', 'correction', 'fee_payout', 'fee', 'unidentified', 'payment_claim'"
)
CHECKS = {
    ("ledger_account", "ck_ledger_account_kind_known"): f"kind IN ({ACCOUNTS})",
    ("ledger_account", "ck_ledger_account_assets_are_debits"): (
        "kind NOT IN ('bank_escrow', 'vault', 'receivable') OR balance <= 0"
    ),
    ("ledger_entry", "ck_ledger_entry_kind_known"): f"kind IN ({ENTRIES})",
}


def upgrade() -> None:
    for (table, name), check in CHECKS.items():
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, check)
    op.create_table(
        "payment_claim",
        sa.Column("claim_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("item_no", sa.BigInteger(), nullable=True),
        sa.Column("undone_no", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payment_claim_amount")),
        sa.CheckConstraint("(item_no IS NULL) <> (undone_no IS NULL)", name=op.f("ck_payment_claim_one_cause")),
        sa.ForeignKeyConstraint(["account"], ["trading_account.account"], name=op.f("fk_payment_claim_account")),
        sa.ForeignKeyConstraint(["item_no"], ["bank_item.item_no"], name=op.f("fk_payment_claim_item_no")),
        sa.ForeignKeyConstraint(["undone_no"], ["undone_money.undone_no"], name=op.f("fk_payment_claim_undone_no")),
        sa.PrimaryKeyConstraint("claim_no", name=op.f("pk_payment_claim")),
    )
    for name in ("item_no", "undone_no"):
        op.create_index(
            f"uq_payment_claim_{name}", "payment_claim", [name], unique=True, postgresql_where=sa.text("ended IS NULL")
        )
    op.execute("SELECT watch_rows('payment_claim')")
