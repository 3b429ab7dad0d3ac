"""A break is identified by its scope and its lot, too, and its text distinguishes bars whose marks have blanks"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# As settlement.reconciliation.warehouse_statement writes the subject of a lot from now on.
QUOTED = "CASE WHEN {0} ~ '[ \"]' THEN to_json({0})::text ELSE {0} END"
SUBJECTS = f"""
UPDATE recon_break b SET subject = concat_ws(
    ' ', substring(b.scope FROM '^statement:(.*)$'), {QUOTED.format("l.refiner")}, {QUOTED.format("l.serial")},
    nullif(l.year, 0)
) FROM lot l WHERE l.lot_id = b.lot_id AND b.scope LIKE 'statement:%' AND b.status <> 'CORRECTED'
AND l.refiner || l.serial ~ '[ "]'
"""
LEDGER = """
UPDATE recon_break b SET subject = 'ledger:' || b.subject WHERE b.kind = 'POSTINGS' AND b.status <> 'CORRECTED'
AND EXISTS (SELECT FROM ledger_account a WHERE a.kind = b.subject AND a.kind <> 'member')
AND NOT EXISTS (SELECT FROM ledger_account a WHERE a.kind = 'member' AND a.name = b.subject)
"""


def upgrade() -> None:
    op.execute(SUBJECTS)
    op.execute(LEDGER)
    op.drop_index("uq_recon_break_kind_subject_asset", table_name="recon_break")
    op.create_index(
        "uq_recon_break_scope_kind_subject_asset_lot",
        "recon_break",
        ["scope", "kind", "subject", "asset", sa.text("coalesce(lot_id, 0)")],
        unique=True,
        postgresql_where=sa.text("status <> 'CORRECTED'"),
    )
