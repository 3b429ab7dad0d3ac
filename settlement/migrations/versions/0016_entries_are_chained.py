"""Entries of the ledger are chained by hashes"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

FILL = """
DO $$
DECLARE
    previous bytea := decode(repeat('00', 32), 'hex');
    entry record;
BEGIN
    FOR entry IN
        SELECT e.sequence, e.kind, e.at, e.reference,
               (SELECT string_agg(concat_ws(':', p.line, p.account_id, p.amount), ',' ORDER BY p.line)
                FROM posting p WHERE p.sequence = e.sequence) AS lines
        FROM ledger_entry e ORDER BY e.sequence
    LOOP
        previous := sha256(previous || convert_to(
            entry.sequence || '|' || entry.kind || '|' || entry.at || '|' || coalesce(entry.reference, '') || '|'
            || coalesce(entry.lines, ''), 'UTF8'));
        UPDATE ledger_entry SET hash = previous WHERE sequence = entry.sequence;
    END LOOP;
END $$;
"""


def upgrade() -> None:
    op.add_column("ledger_entry", sa.Column("hash", sa.LargeBinary(), nullable=True))
    op.execute("ALTER TABLE ledger_entry DISABLE TRIGGER append_only")
    op.execute(FILL)
    op.execute("ALTER TABLE ledger_entry ENABLE TRIGGER append_only")
