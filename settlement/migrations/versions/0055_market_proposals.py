"""Settlement knows what one operator has proposed in the market and no second one has confirmed"""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "market_proposal",
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("does", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("method", "subject", name="pk_market_proposal"),
        sa.UniqueConstraint("number", name="uq_market_proposal_number"),
    )
