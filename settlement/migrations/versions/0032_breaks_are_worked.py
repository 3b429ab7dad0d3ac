"""Breaks: steps, files, limits, resolutions and write-offs"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

KIND = "break_write_off"
STATES = "'OPEN', 'EXPLAINED', 'RESOLVED', 'WRITTEN_OFF', 'CORRECTED'"
STEPS = "'note', 'assign', 'explain', 'resolve', 'propose_write_off', 'decline_write_off', 'write_off', 'reopen'"
FILES = "'pdf', 'png', 'jpeg', 'xlsx', 'csv', 'txt'"
AREAS = "'ENGINE', 'LEDGER', 'WAREHOUSE', 'BANK', 'FEE'"
LIMITS = "'OWNER', 'OPERATIONS', 'RISK', 'SUPERVISOR', 'LIMIT', 'WRITE_OFF'"


def upgrade() -> None:
    name = "ck_proposal_kind_known"
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    op.execute(f"ALTER TABLE proposal DROP CONSTRAINT {name}")
    after = before.replace("ARRAY[", f"ARRAY['{KIND}'::text, ")
    op.get_bind().exec_driver_sql(f"ALTER TABLE proposal ADD CONSTRAINT {name} {after}")
    op.drop_constraint("ck_recon_break_status_known", "recon_break")
    op.create_check_constraint(op.f("ck_recon_break_status_known"), "recon_break", f"status IN ({STATES})")
    op.create_table(
        "break_step",
        sa.Column("step_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("break_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint(f"step IN ({STEPS})", name=op.f("ck_break_step_step_known")),
        sa.CheckConstraint(
            "(step IN ('resolve', 'propose_write_off', 'write_off')) <= (document <> '')",
            name=op.f("ck_break_step_by_document"),
        ),
        sa.ForeignKeyConstraint(["break_id"], ["recon_break.break_id"], name=op.f("fk_break_step_break_id")),
        sa.PrimaryKeyConstraint("step_no", name=op.f("pk_break_step")),
    )
    op.create_index("ix_break_step_break_id", "break_step", ["break_id"], unique=False)
    op.create_table(
        "break_file",
        sa.Column("file_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("break_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint(f"kind IN ({FILES})", name=op.f("ck_break_file_kind_known")),
        sa.CheckConstraint("sha256 = sha256(content)", name=op.f("ck_break_file_hash_of_content")),
        sa.CheckConstraint("length(content) BETWEEN 1 AND 5242880", name=op.f("ck_break_file_size")),
        sa.ForeignKeyConstraint(["break_id"], ["recon_break.break_id"], name=op.f("fk_break_file_break_id")),
        sa.PrimaryKeyConstraint("file_no", name=op.f("pk_break_file")),
        sa.UniqueConstraint("break_id", "sha256", name=op.f("uq_break_file_break_id_sha256")),
    )
    op.create_table(
        "break_limit",
        sa.Column("limit_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint(f"area IN ({AREAS})", name=op.f("ck_break_limit_area_known")),
        sa.CheckConstraint(f"name IN ({LIMITS})", name=op.f("ck_break_limit_name_known")),
        sa.CheckConstraint("value >= 0", name=op.f("ck_break_limit_not_negative")),
        sa.CheckConstraint(
            "area <> 'ENGINE' OR name NOT IN ('LIMIT', 'WRITE_OFF')", name=op.f("ck_break_limit_engine_is_fixed")
        ),
        sa.PrimaryKeyConstraint("limit_no", name=op.f("pk_break_limit")),
    )
    for table in ("break_step", "break_file", "break_limit"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
