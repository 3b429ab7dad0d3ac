"""Corrections of gross weights are proposed and approved"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KINDS = (
    "cash",
    "receipt",
    "receipt_cancel",
    "pledge",
    "pledge_release",
    "legal_hold",
    "legal_lift",
    "load_out",
    "load_out_cancel",
    "fee",
    "transfer",
    "pickup_code",
    "claim",
    "tariff",
    "acceptance",
    "provenance",
    "lot_lift",
    "lot_return",
    "weight_correction",
)


def upgrade() -> None:
    words = ", ".join(f"'{kind}'" for kind in KINDS)
    op.execute("ALTER TABLE proposal DROP CONSTRAINT ck_proposal_kind_known")
    op.execute(f"ALTER TABLE proposal ADD CONSTRAINT ck_proposal_kind_known CHECK (kind IN ({words}))")
