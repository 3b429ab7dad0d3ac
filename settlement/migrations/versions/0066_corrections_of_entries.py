"""A correction between accounts names the entry without a document that it corrects"""

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("correction", sa.Column("entry", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_correction_entry"), "correction", "ledger_entry", ["entry"], ["sequence"])
    op.create_check_constraint(
        op.f("ck_correction_entry_between_accounts"),
        "correction",
        "entry IS NULL OR from_account IS NOT NULL AND to_account IS NOT NULL AND claim_no IS NULL",
    )
    op.create_index("ix_correction_entry", "correction", ["entry"], postgresql_where=sa.text("entry IS NOT NULL"))
