"""A seller's name is recognized by a hash, too, and the person who recorded it is known"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("seller", sa.Column("name_hash", sa.LargeBinary(), nullable=True))
    op.add_column("seller", sa.Column("named_by", sa.Text(), nullable=True))
