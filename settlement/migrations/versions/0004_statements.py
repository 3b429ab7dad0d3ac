"""Statements of warehouses: what a file is about, breaks with a scope, a unit and a note; the calendar"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_calendar_day")),
    )
    op.add_column("file", sa.Column("about", sa.Text(), server_default="", nullable=False))
    op.drop_constraint("uq_file_kind_sha256", "file")
    op.create_unique_constraint("uq_file_kind_about_sha256", "file", ["kind", "about", "sha256"])
    op.add_column("recon_run", sa.Column("scope", sa.Text(), server_default="books", nullable=False))
    op.add_column("recon_break", sa.Column("scope", sa.Text(), server_default="books", nullable=False))
    op.add_column("recon_break", sa.Column("unit", sa.Text(), server_default="amount", nullable=False))
    op.add_column("recon_break", sa.Column("note", sa.Text(), server_default="", nullable=False))
