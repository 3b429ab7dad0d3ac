"""An opening of a day by two people counts for what stood in the way then; steps of the timetable are known as such"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("phase_change", sa.Column("planned_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "day_opening_obstacle",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("obstacle", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sequence", "given_by"],
            ["day_opening.sequence", "day_opening.given_by"],
            name=op.f("fk_day_opening_obstacle_sequence_given_by"),
        ),
        sa.PrimaryKeyConstraint("sequence", "given_by", "about", name=op.f("pk_day_opening_obstacle")),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON day_opening_obstacle FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
    op.execute("SELECT watch_rows('day_opening_obstacle')")
