"""The rates of trading fees, each from the event on that defined them"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fee_rate",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("maker_fee_bp", sa.BigInteger(), nullable=False),
        sa.Column("taker_fee_bp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "sequence", name=op.f("pk_fee_rate")),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fee_rate FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
