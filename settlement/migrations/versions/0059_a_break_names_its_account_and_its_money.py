"""A break names the account and the money that it is about in columns, which were read out of its texts until now"""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

# Filled from subjects of a defined form, never from notes, which may hold a bank's own text: a break without its money
# gets it from the next run that finds it. The new form is recorded only for rows that agree with their history: a
# change by hand must still be found. Corrected breaks of before 0021 do not tell a venue's account from a member's.
FILL = """
DO $$
DECLARE
    unaltered text[] := unaltered_rows('recon_break');
BEGIN
    ALTER TABLE recon_break ADD COLUMN account text, ADD COLUMN cash_id bigint;
    ALTER TABLE recon_break DISABLE TRIGGER row_changed;
    UPDATE recon_break SET account = CASE kind WHEN 'UNIDENTIFIED' THEN 'ledger:suspense' ELSE subject END
    WHERE kind IN ('HOLDING', 'DAY_END') OR kind = 'UNIDENTIFIED' AND subject = 'suspense'
        OR kind = 'POSTINGS' AND (status <> 'CORRECTED' OR subject LIKE 'ledger:%')
        OR kind = 'STATUS_DIFF' AND scope = 'books' AND subject !~ ' ';
    UPDATE recon_break b SET cash_id = c.cash_id FROM cash_transfer c
    WHERE b.scope = 'bank' AND b.kind = 'VENUE_ONLY' AND b.subject = 'cash:' || c.cash_id
        OR b.scope = 'books' AND b.kind = 'HISTORY' AND b.subject IN (
            'cash:' || c.cash_id || ' state', 'cash:' || c.cash_id || ' amounts', 'cash:' || c.cash_id || ' posted');
    ALTER TABLE recon_break ENABLE TRIGGER row_changed;
    PERFORM record_new_form('recon_break', unaltered);
END $$
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(FILL)
    op.create_foreign_key(op.f("fk_recon_break_cash_id"), "recon_break", "cash_transfer", ["cash_id"], ["cash_id"])
