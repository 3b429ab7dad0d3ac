"""Several payments are tied to one money, or to several; a clerk ties by hand"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

KINDS = ("bank_tie",)
HOW = "how IN ('RECORDED', 'VIRTUAL', 'REFERENCE', 'ASSIGNED', 'TIED', 'RETURN', 'OFFSET')"


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
    op.add_column("bank_match", sa.Column("group_no", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_bank_match_group_no"), "bank_match", "bank_item", ["group_no"], ["item_no"])
    op.create_check_constraint(op.f("ck_bank_match_group_of_first"), "bank_match", "group_no <= item_no")
    op.drop_constraint(op.f("ck_bank_match_how_known"), "bank_match", type_="check")
    op.create_check_constraint(op.f("ck_bank_match_how_known"), "bank_match", HOW)
    op.drop_index("uq_bank_match_cash_id", table_name="bank_match")
    op.create_index(
        "uq_bank_match_cash_id",
        "bank_match",
        ["cash_id"],
        unique=True,
        postgresql_where=sa.text("group_no IS NULL OR group_no = item_no"),
    )
    op.create_table(
        "bank_tie",
        sa.Column("tie_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("payments", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("money", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.CheckConstraint("status IN ('TIED', 'PROPOSED', 'DECLINED')", name=op.f("ck_bank_tie_status_known")),
        sa.CheckConstraint("cardinality(payments) > 0 AND cardinality(money) > 0", name=op.f("ck_bank_tie_both_sides")),
        sa.PrimaryKeyConstraint("tie_no", name=op.f("pk_bank_tie")),
    )
    op.execute("SELECT watch_rows('bank_tie')")
