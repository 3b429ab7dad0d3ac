"""Corrections of metal; more tables have a record of their changes, and ends of days get no rows later"""

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

LATE = {
    **dict.fromkeys(
        ("holding_at_end", "stock_at_end", "instrument_at_end"),
        "EXISTS (SELECT FROM progress p WHERE p.sequence >= made.sequence)",
    ),
    "balance_at_end": "NOT EXISTS (SELECT FROM business_day d "
    "WHERE d.last_sequence = made.sequence AND d.state = 'CLOSING')",
}
"""By table: the condition that a new row comes after what it belongs to was posted or closed."""


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
    for table, late in LATE.items():
        op.get_bind().exec_driver_sql(
            f"CREATE FUNCTION refuse_late_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF EXISTS (SELECT FROM made WHERE {late}) THEN RAISE EXCEPTION "
            f"'INSERT of {table} is refused: what was there at that event is kept already' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER kept_once AFTER INSERT ON {table} REFERENCING NEW TABLE AS made FOR EACH STATEMENT "
            f"EXECUTE FUNCTION refuse_late_{table}()"
        )
