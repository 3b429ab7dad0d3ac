"""A trade without orders, such as a negotiated deal, is known as such: it has no part in prices"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trade", sa.Column("kind", sa.SmallInteger(), nullable=True))
