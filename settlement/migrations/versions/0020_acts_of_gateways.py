"""The newest act recorded by gateways that the audit log has"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "acts_read",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_acts_read")),
    )
