"""An index of the lots that are not gone, which listings show"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

GONE = "state NOT IN ('CANCELLED', 'CONSUMED', 'RETURNED', 'RELEASED')"


def upgrade() -> None:
    op.create_index("ix_lot_here", "lot", ["lot_id"], postgresql_where=sa.text(GONE))
