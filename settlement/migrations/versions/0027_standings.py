"""Members, staff and keys can be suspended and ended; what was revoked so far is ended"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KNOWN = "status IN ('ACTIVE', 'SUSPENDED', 'ENDED')"


def upgrade() -> None:
    op.create_table(
        "standing_change",
        sa.Column("change_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('member', 'staff', 'key')", name=op.f("ck_standing_change_kind_known")),
        sa.CheckConstraint(KNOWN, name=op.f("ck_standing_change_status_known")),
        sa.PrimaryKeyConstraint("change_number", name=op.f("pk_standing_change")),
        sa.UniqueConstraint("change_id", name=op.f("uq_standing_change_change_id")),
    )
    op.create_index("ix_standing_change_kind_code", "standing_change", ["kind", "code"], unique=False)
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON standing_change FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('it is append-only')"
    )
    for table in ("member", "staff", "api_key"):
        op.add_column(table, sa.Column("status", sa.Text(), server_default="ACTIVE", nullable=False))
        op.create_check_constraint(op.f(f"ck_{table}_status_known"), table, KNOWN)
    op.execute("UPDATE api_key SET status = 'ENDED' WHERE revoked_at IS NOT NULL")
    # The audit log has who revoked it.
    op.execute(
        "INSERT INTO standing_change (change_id, kind, code, status, changed_by, reason, changed_at) "
        "SELECT 'revoked ' || k.key_id, 'key', k.key_id, 'ENDED', coalesce((SELECT a.actor FROM audit_log a "
        "WHERE a.action = 'key.revoke' AND a.subject = k.key_id ORDER BY a.number LIMIT 1), 'unknown'), 'revoked', "
        "k.revoked_at FROM api_key k WHERE k.revoked_at IS NOT NULL"
    )
    op.drop_column("api_key", "revoked_at")
