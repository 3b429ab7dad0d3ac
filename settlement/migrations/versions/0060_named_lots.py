"""Lots that a deal names are reserved for it, and a receipt changes its holder with the trade"""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

LOCKS = "'FREEZE', 'PLEDGE', 'LEGAL_HOLD', 'TRANSFER', 'CANCEL', 'CLAIM', 'DEAL'"
STATES = "'RESERVED', 'RELEASED', 'OPEN', 'ENDED', 'MOVED'"


def upgrade() -> None:
    op.execute("ALTER TABLE lot_lock DROP CONSTRAINT ck_lot_lock_kind_known")
    op.execute(f"ALTER TABLE lot_lock ADD CONSTRAINT ck_lot_lock_kind_known CHECK (kind IN ({LOCKS}))")
    op.add_column("receipt", sa.Column("issued_to", sa.Text(), nullable=True))
    op.add_column("receipt", sa.Column("trade_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_receipt_trade_id"), "receipt", "trade", ["trade_id"], ["trade_id"])
    op.create_check_constraint(
        op.f("ck_receipt_traded_from_somebody"), "receipt", "(issued_to IS NULL) = (trade_id IS NULL)"
    )
    op.create_table(
        "lot_reservation",
        sa.Column("reservation_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("from_account", sa.Text(), nullable=False),
        sa.Column("to_account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("receipts", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("lots", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("fine_mg", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.BigInteger(), nullable=True),
        sa.Column("trade_id", sa.BigInteger(), nullable=True),
        sa.Column("deposited_mg", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("purpose IN ('DEAL', 'BUST')", name=op.f("ck_lot_reservation_purpose_known")),
        sa.CheckConstraint(f"status IN ({STATES})", name=op.f("ck_lot_reservation_status_known")),
        sa.CheckConstraint("from_account <> to_account", name=op.f("ck_lot_reservation_two_accounts")),
        sa.CheckConstraint("fine_mg > 0", name=op.f("ck_lot_reservation_fine")),
        sa.CheckConstraint(
            "cardinality(receipts) > 0 AND cardinality(lots) = cardinality(receipts)",
            name=op.f("ck_lot_reservation_of_lots"),
        ),
        sa.CheckConstraint("status <> 'OPEN' OR deal_id IS NOT NULL", name=op.f("ck_lot_reservation_of_a_deal")),
        sa.CheckConstraint(
            "(status = 'MOVED') <= (trade_id IS NOT NULL AND deposited_mg BETWEEN 0 AND fine_mg)",
            name=op.f("ck_lot_reservation_by_a_trade"),
        ),
        sa.CheckConstraint(
            "purpose <> 'BUST' OR trade_id IS NOT NULL AND deal_id IS NULL",
            name=op.f("ck_lot_reservation_of_a_trade"),
        ),
        sa.ForeignKeyConstraint(
            ["from_account"], ["trading_account.account"], name=op.f("fk_lot_reservation_from_account")
        ),
        sa.ForeignKeyConstraint(
            ["to_account"], ["trading_account.account"], name=op.f("fk_lot_reservation_to_account")
        ),
        sa.ForeignKeyConstraint(["symbol"], ["instrument.symbol"], name=op.f("fk_lot_reservation_symbol")),
        sa.PrimaryKeyConstraint("reservation_no", name=op.f("pk_lot_reservation")),
    )
    op.create_index(
        "ix_lot_reservation_open",
        "lot_reservation",
        ["reservation_no"],
        postgresql_where=sa.text("status IN ('RESERVED', 'OPEN')"),
    )
    op.create_index(
        "ix_lot_reservation_trade_id",
        "lot_reservation",
        ["trade_id"],
        postgresql_where=sa.text("trade_id IS NOT NULL"),
    )
    op.create_index(
        "ix_custody_event_title", "custody_event", ["event_id"], postgresql_where=sa.text("step = 'title'")
    )
    op.execute("SELECT watch_rows('lot_reservation')")
