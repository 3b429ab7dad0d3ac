"""Corrections of money, payments for claims, and fee income paid out"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

KINDS = ("correction", "fee_payout")
STATES = "status IN ('PROPOSED', 'SENDING', 'DECLINED', 'DONE', 'REFUSED')"


def _allow(table: str) -> None:
    """Add kinds to the table's CHECK."""
    name = f"ck_{table}_kind_known"
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    more = ", ".join(f"'{kind}'::text" for kind in KINDS)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    op.get_bind().exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} " + before.replace("ARRAY[", f"ARRAY[{more}, "))


def _document(name: str, key: str, *columns: sa.Column[object] | sa.CheckConstraint | sa.ForeignKeyConstraint) -> None:
    op.create_table(
        name,
        sa.Column(key, sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        *columns,
        sa.CheckConstraint(STATES, name=op.f(f"ck_{name}_status_known")),
        sa.CheckConstraint("amount_fen > 0", name=op.f(f"ck_{name}_amount")),
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{name}")),
    )


def _to(table: str, column: str, of: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.{key}"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    for table in ("proposal", "outbox", "ledger_entry"):
        _allow(table)
    _document(
        "correction",
        "correction_no",
        sa.Column("from_account", sa.Text(), nullable=True),
        sa.Column("to_account", sa.Text(), nullable=True),
        sa.Column("claim_no", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "from_account IS NOT NULL OR to_account IS NOT NULL", name=op.f("ck_correction_some_account")
        ),
        sa.CheckConstraint("from_account <> to_account", name=op.f("ck_correction_two_accounts")),
        _to("correction", "from_account", "trading_account", "account"),
        _to("correction", "to_account", "trading_account", "account"),
        _to("correction", "claim_no", "claim", "claim_no"),
    )
    op.create_index(
        "uq_correction_claim_no",
        "correction",
        ["claim_no"],
        unique=True,
        postgresql_where=sa.text("status IN ('PROPOSED', 'SENDING', 'DONE')"),
    )
    _document(
        "fee_payout",
        "payout_no",
        sa.Column("account", sa.Text(), nullable=False),
        _to("fee_payout", "account", "trading_account", "account"),
    )
