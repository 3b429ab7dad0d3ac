"""Load-outs with a window, an identity paper and two signatures; quality claims; the tariff; own stock and bought title."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BEFORE = ("cash", "receipt", "receipt_cancel", "pledge", "pledge_release", "legal_hold", "legal_lift", "load_out")
KINDS = (*BEFORE, "load_out_cancel")
DECISIONS_BEFORE = ("transfer", "acceptance", "provenance", "lot_lift", "lot_return")
DECISIONS = (*DECISIONS_BEFORE, "pickup_code", "claim", "tariff")
STATES = ("APPLIED", "APPROVED", "SUCCESS", "RELEASED", "CANCELLED", "REFUSED")
NEW_STATES = ("SIGNED", "CANCEL_PROPOSED", "CANCELLING", "EXPIRING", "EXPIRED")
LOCKS = ("FREEZE", "PLEDGE", "LEGAL_HOLD", "TRANSFER", "CANCEL")
CHECKS = {
    "lots_by_known": "lots_by IN ('OWN_FIRST', 'AGE')",
    "type_known": "type IN ('SELF', 'TRADE', 'PARTIAL')",
    "declared_use_known": "declared_use IN ('INVESTMENT', 'NON_INVESTMENT')",
    "own_part": "own_mg BETWEEN 0 AND ask_mg",
    "window": "from_day <= until_day",
    "wrong_codes_count": "wrong_codes >= 0",
    "two_signatures": "released_by <> signed_by",
    "released_by_two": "status <> 'RELEASED' OR signed_by IS NOT NULL AND released_by IS NOT NULL "
    "AND released_at IS NOT NULL",
}


def _known(table: str, column: str, words: tuple[str, ...]) -> None:
    allowed = ", ".join(f"'{word}'" for word in words)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{column}_known")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{column}_known CHECK ({column} IN ({allowed}))")


def upgrade() -> None:
    op.create_table('stock',
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('symbol', sa.Text(), nullable=False),
    sa.Column('own_mg', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('own_sold_mg', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.CheckConstraint('own_mg >= 0 AND own_sold_mg >= 0', name=op.f('ck_stock_not_negative')),
    sa.PrimaryKeyConstraint('account', 'symbol', name=op.f('pk_stock'))
    )
    op.create_table('tariff',
    sa.Column('tariff_no', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('value', sa.BigInteger(), nullable=False),
    sa.Column('from_day', sa.Date(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.CheckConstraint("status IN ('PROPOSED', 'AGREED', 'DECLINED')", name=op.f('ck_tariff_status_known')),
    sa.CheckConstraint('value >= 0', name=op.f('ck_tariff_not_negative')),
    sa.PrimaryKeyConstraint('tariff_no', name=op.f('pk_tariff'))
    )
    op.create_index('uq_tariff_name_from_day', 'tariff', ['name', 'from_day'], unique=True, postgresql_where=sa.text("status <> 'DECLINED'"))
    op.create_table('claim',
    sa.Column('claim_no', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('load_out_no', sa.BigInteger(), nullable=False),
    sa.Column('lots', sa.ARRAY(sa.BigInteger()), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('last_day', sa.Date(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('laboratory', sa.Text(), nullable=True),
    sa.Column('umpire_e5', sa.BigInteger(), nullable=True),
    sa.Column('upheld', sa.Boolean(), nullable=True),
    sa.Column('payer', sa.Text(), nullable=True),
    sa.Column('umpire_fee_fen', sa.BigInteger(), nullable=True),
    sa.Column('opened_by', sa.Text(), nullable=False),
    sa.Column('opened_at', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("payer IN ('MEMBER', 'VENUE')", name=op.f('ck_claim_payer_known')),
    sa.CheckConstraint("status <> 'DECIDED' OR upheld IS NOT NULL AND payer IS NOT NULL", name=op.f('ck_claim_decided_with_payer')),
    sa.CheckConstraint("status IN ('OPEN', 'AT_UMPIRE', 'PROPOSED', 'DECIDED')", name=op.f('ck_claim_status_known')),
    sa.CheckConstraint("upheld IS NULL OR (payer = 'VENUE') = upheld", name=op.f('ck_claim_loser_pays')),
    sa.CheckConstraint('umpire_e5 BETWEEN 1 AND 100000 AND umpire_fee_fen >= 0', name=op.f('ck_claim_result')),
    sa.ForeignKeyConstraint(['load_out_no'], ['load_out.load_out_no'], name=op.f('fk_claim_load_out_no')),
    sa.PrimaryKeyConstraint('claim_no', name=op.f('pk_claim'))
    )
    op.add_column('load_out', sa.Column('lots_by', sa.Text(), nullable=False))
    op.add_column('load_out', sa.Column('type', sa.Text(), nullable=False))
    op.add_column('load_out', sa.Column('own_mg', sa.BigInteger(), nullable=False))
    op.add_column('load_out', sa.Column('declared_use', sa.Text(), nullable=False))
    op.add_column('load_out', sa.Column('from_day', sa.Date(), nullable=False))
    op.add_column('load_out', sa.Column('until_day', sa.Date(), nullable=False))
    op.add_column('load_out', sa.Column('collector_id', sa.Text(), nullable=False))
    op.add_column('load_out', sa.Column('id_hash', sa.LargeBinary(), nullable=False))
    op.add_column('load_out', sa.Column('new_code_hash', sa.LargeBinary(), nullable=True))
    op.add_column('load_out', sa.Column('wrong_codes', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
    op.add_column('load_out', sa.Column('signed_by', sa.Text(), nullable=True))
    op.add_column('load_out', sa.Column('released_by', sa.Text(), nullable=True))
    op.add_column('load_out', sa.Column('released_at', sa.BigInteger(), nullable=True))
    op.create_index('ix_load_out_account_status', 'load_out', ['account', 'status'], unique=False)
    for name, condition in CHECKS.items():
        op.execute(f"ALTER TABLE load_out ADD CONSTRAINT ck_load_out_{name} CHECK ({condition})")
    _known("load_out", "status", (*STATES, *NEW_STATES))
    _known("lot_lock", "kind", (*LOCKS, "CLAIM"))
    _known("proposal", "kind", (*KINDS, *DECISIONS))
    _known("outbox", "kind", KINDS)
    _known("ledger_entry", "kind", ("trade", *KINDS, "unidentified"))
