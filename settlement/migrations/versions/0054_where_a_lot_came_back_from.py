"""A receipt names the load-out that its lot came back from, which was read out of its reason until now"""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

FILL = r"""
UPDATE receipt r SET load_out_no = l.load_out_no FROM load_out l
WHERE l.load_out_no = substring(r.reason FROM '^load-out ([0-9]{1,18}) was not collected$')::bigint
"""


def upgrade() -> None:
    op.add_column("receipt", sa.Column("load_out_no", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_receipt_load_out_no"), "receipt", "load_out", ["load_out_no"], ["load_out_no"])
    op.execute(FILL)
    op.create_index(
        "ix_receipt_load_out_no", "receipt", ["load_out_no"], postgresql_where=sa.text("load_out_no IS NOT NULL")
    )
