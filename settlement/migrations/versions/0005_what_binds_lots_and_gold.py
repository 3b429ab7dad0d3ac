"""Restrictions of lots and gold: locks, pledges, legal holds, transfers, and one customs status per class."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KINDS = ("cash", "receipt", "receipt_cancel", "pledge", "pledge_release", "legal_hold", "legal_lift", "load_out")
BEFORE = ("cash", "receipt", "load_out")

# A lock is laid on a row that its transaction holds; so is an allocation, so neither can miss the other.
LOCKED_LOTS_STAY = """
CREATE FUNCTION locked_lots_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM lot_lock WHERE lot_id = NEW.lot_id AND lifted_at IS NULL) THEN
        RAISE EXCEPTION 'lot % is locked and cannot become %', NEW.lot_id, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""

ONE_CUSTOMS_STATUS = """
CREATE FUNCTION one_customs_status() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    takes text;
    lies text;
BEGIN
    SELECT customs INTO takes FROM grade_customs WHERE symbol = NEW.symbol;
    SELECT customs INTO lies FROM warehouse WHERE warehouse = NEW.warehouse;
    IF COALESCE(takes, 'DOMESTIC') <> lies THEN
        RAISE EXCEPTION 'lot % of % cannot lie in %: it is %', NEW.lot_id, NEW.symbol, NEW.warehouse, lies
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def _kinds(table: str, kinds: tuple[str, ...]) -> None:
    words = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind_known")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind_known CHECK (kind IN ({words}))")


def upgrade() -> None:
    op.create_table('encumbrance',
    sa.Column('encumbrance_no', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('symbol', sa.Text(), nullable=False),
    sa.Column('fine_mg', sa.BigInteger(), nullable=False),
    sa.Column('lots', sa.ARRAY(sa.BigInteger()), nullable=False),
    sa.Column('in_favour_of', sa.Text(), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.Column('counter_document', sa.Text(), nullable=True),
    sa.Column('release_document', sa.Text(), nullable=True),
    sa.Column('release_counter_document', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('entered_by', sa.Text(), nullable=False),
    sa.Column('entered_at', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("fine_mg > 0 OR kind = 'LEGAL_HOLD' AND fine_mg = 0 AND cardinality(lots) > 0", name=op.f('ck_encumbrance_of_something')),
    sa.CheckConstraint("kind <> 'PLEDGE' OR counter_document IS NOT NULL OR status IN ('ENTERED', 'WITHDRAWN')", name=op.f('ck_encumbrance_both_sides')),
    sa.CheckConstraint("kind <> 'PLEDGE' OR release_document IS NOT NULL AND release_counter_document IS NOT NULL OR status NOT IN ('RELEASE_PAIRED', 'RELEASING', 'RELEASED')", name=op.f('ck_encumbrance_both_sides_release')),
    sa.CheckConstraint("kind IN ('PLEDGE', 'LEGAL_HOLD')", name=op.f('ck_encumbrance_kind_known')),
    sa.CheckConstraint("status IN ('ENTERED', 'PAIRED', 'PROPOSED', 'SENDING', 'LIVE', 'RELEASE_ENTERED', 'RELEASE_PAIRED', 'LIFT_PROPOSED', 'RELEASING', 'RELEASED', 'WITHDRAWN', 'REFUSED')", name=op.f('ck_encumbrance_status_known')),
    sa.ForeignKeyConstraint(['account'], ['trading_account.account'], name=op.f('fk_encumbrance_account')),
    sa.ForeignKeyConstraint(['symbol'], ['instrument.symbol'], name=op.f('fk_encumbrance_symbol')),
    sa.PrimaryKeyConstraint('encumbrance_no', name=op.f('pk_encumbrance'))
    )
    op.create_index('ix_encumbrance_account_symbol', 'encumbrance', ['account', 'symbol'], unique=False)
    op.create_index('uq_encumbrance_kind_document', 'encumbrance', ['kind', 'document'], unique=True, postgresql_where=sa.text("status NOT IN ('REFUSED', 'WITHDRAWN')"))
    op.create_table('grade_customs',
    sa.Column('symbol', sa.Text(), nullable=False),
    sa.Column('customs', sa.Text(), nullable=False),
    sa.Column('set_by', sa.Text(), nullable=False),
    sa.Column('set_at', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("customs IN ('DOMESTIC', 'BONDED')", name=op.f('ck_grade_customs_customs_known')),
    sa.ForeignKeyConstraint(['symbol'], ['instrument.symbol'], name=op.f('fk_grade_customs_symbol')),
    sa.PrimaryKeyConstraint('symbol', name=op.f('pk_grade_customs'))
    )
    op.create_table('transfer',
    sa.Column('transfer_no', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('from_warehouse', sa.Text(), nullable=False),
    sa.Column('to_warehouse', sa.Text(), nullable=False),
    sa.Column('new_symbol', sa.Text(), nullable=True),
    sa.Column('permit', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('seal', sa.Text(), nullable=True),
    sa.Column('carrier', sa.Text(), nullable=True),
    sa.Column('shipped_by', sa.Text(), nullable=True),
    sa.Column('shipped_at', sa.BigInteger(), nullable=True),
    sa.Column('received_by', sa.Text(), nullable=True),
    sa.Column('received_at', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("status IN ('PROPOSED', 'MADE', 'SHIPPED', 'RECEIVED', 'CANCELLED')", name=op.f('ck_transfer_status_known')),
    sa.CheckConstraint('(new_symbol IS NULL) = (permit IS NULL)', name=op.f('ck_transfer_customs_by_permit')),
    sa.CheckConstraint('from_warehouse <> to_warehouse', name=op.f('ck_transfer_somewhere_else')),
    sa.CheckConstraint('received_by <> shipped_by', name=op.f('ck_transfer_two_people')),
    sa.ForeignKeyConstraint(['from_warehouse'], ['warehouse.warehouse'], name=op.f('fk_transfer_from_warehouse')),
    sa.ForeignKeyConstraint(['new_symbol'], ['instrument.symbol'], name=op.f('fk_transfer_new_symbol')),
    sa.ForeignKeyConstraint(['to_warehouse'], ['warehouse.warehouse'], name=op.f('fk_transfer_to_warehouse')),
    sa.PrimaryKeyConstraint('transfer_no', name=op.f('pk_transfer'))
    )
    op.create_table('lot_lock',
    sa.Column('lock_id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('lot_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('subject', sa.BigInteger(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('lifted_by', sa.Text(), nullable=True),
    sa.Column('lifted_at', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("kind <> 'FREEZE' OR lifted_by <> by", name=op.f('ck_lot_lock_two_people')),
    sa.CheckConstraint("kind IN ('FREEZE', 'PLEDGE', 'LEGAL_HOLD', 'TRANSFER', 'CANCEL')", name=op.f('ck_lot_lock_kind_known')),
    sa.CheckConstraint('(lifted_by IS NULL) = (lifted_at IS NULL)', name=op.f('ck_lot_lock_lifted_by_someone')),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.lot_id'], name=op.f('fk_lot_lock_lot_id')),
    sa.PrimaryKeyConstraint('lock_id', name=op.f('pk_lot_lock'))
    )
    op.create_index('ix_lot_lock_kind_subject', 'lot_lock', ['kind', 'subject'], unique=False)
    op.create_index('uq_lot_lock_lot_id_kind', 'lot_lock', ['lot_id', 'kind'], unique=True, postgresql_where=sa.text('lifted_at IS NULL'))
    op.create_table('transfer_lot',
    sa.Column('transfer_no', sa.BigInteger(), nullable=False),
    sa.Column('lot_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.lot_id'], name=op.f('fk_transfer_lot_lot_id')),
    sa.ForeignKeyConstraint(['transfer_no'], ['transfer.transfer_no'], name=op.f('fk_transfer_lot_transfer_no')),
    sa.PrimaryKeyConstraint('transfer_no', 'lot_id', name=op.f('pk_transfer_lot'))
    )
    op.create_index('ix_transfer_lot_lot_id', 'transfer_lot', ['lot_id'], unique=False)
    _kinds("proposal", (*KINDS, "transfer"))
    _kinds("outbox", KINDS)
    _kinds("ledger_entry", ("trade", *KINDS, "unidentified"))
    op.execute(LOCKED_LOTS_STAY)
    op.execute(
        "CREATE TRIGGER locked_lots_stay BEFORE UPDATE OF state ON lot FOR EACH ROW "
        "WHEN (NEW.state IN ('ALLOCATED', 'WITHDRAWN') AND NEW.state <> OLD.state) EXECUTE FUNCTION locked_lots_stay()"
    )
    op.execute(ONE_CUSTOMS_STATUS)
    op.execute(
        "CREATE TRIGGER one_customs_status BEFORE INSERT OR UPDATE OF symbol, warehouse ON lot FOR EACH ROW "
        "EXECUTE FUNCTION one_customs_status()"
    )
