"""Virtual accounts, and the payments of banks tied to money in and out"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "virtual_account",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["trading_account.account"], name=op.f("fk_virtual_account_account")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_virtual_account")),
    )
    op.create_index("uq_virtual_account_number", "virtual_account", [sa.text("folded(number)")], unique=True)
    op.create_table(
        "bank_match",
        sa.Column("match_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("item_no", sa.BigInteger(), nullable=False),
        sa.Column("cash_id", sa.BigInteger(), nullable=True),
        sa.Column("against_item", sa.BigInteger(), nullable=True),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "how IN ('RECORDED', 'VIRTUAL', 'REFERENCE', 'ASSIGNED', 'RETURN', 'OFFSET')",
            name=op.f("ck_bank_match_how_known"),
        ),
        sa.CheckConstraint("(how = 'OFFSET') = (cash_id IS NULL)", name=op.f("ck_bank_match_moves_money")),
        sa.CheckConstraint(
            "(how IN ('RETURN', 'OFFSET')) = (against_item IS NOT NULL)", name=op.f("ck_bank_match_takes_back")
        ),
        sa.ForeignKeyConstraint(["item_no"], ["bank_item.item_no"], name=op.f("fk_bank_match_item_no")),
        sa.ForeignKeyConstraint(["cash_id"], ["cash_transfer.cash_id"], name=op.f("fk_bank_match_cash_id")),
        sa.ForeignKeyConstraint(["against_item"], ["bank_item.item_no"], name=op.f("fk_bank_match_against_item")),
        sa.PrimaryKeyConstraint("match_no", name=op.f("pk_bank_match")),
    )
    op.create_index("uq_bank_match_cash_id", "bank_match", ["cash_id"], unique=True)
    op.create_index("ix_bank_match_item_no", "bank_match", ["item_no"], unique=False)
    op.create_index("ix_bank_match_against_item", "bank_match", ["against_item"], unique=False)
    for table in ("virtual_account", "bank_match"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
