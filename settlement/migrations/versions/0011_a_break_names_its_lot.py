"""A break names the lot that it is about in a column, which was read out of texts until now"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Breaks of the books end their subject with the lot, those of a statement begin their note with it.
FILL = r"""
UPDATE recon_break b SET lot_id = l.lot_id FROM lot l
WHERE l.lot_id = CASE WHEN b.scope = 'books' THEN substring(b.subject FROM 'lot:([0-9]+)$')
                      ELSE substring(b.note FROM '^lot ([0-9]+)') END::bigint
"""


def upgrade() -> None:
    op.add_column("recon_break", sa.Column("lot_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_recon_break_lot_id"), "recon_break", "lot", ["lot_id"], ["lot_id"])
    op.execute(FILL)
