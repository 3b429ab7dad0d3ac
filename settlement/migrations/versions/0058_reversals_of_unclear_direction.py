"""A column tells that the direction of a bank statement's reversals is unclear; the text of a note did so before"""

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

NOTE = "the reversals cancel out, so the balances do not show which direction they have"
"""The note that these statements were kept with."""
KEPT = (
    "statement_no, account_id, file_no, format, kind, stated_id, first_day, last_day, opening_fen, closing_fen, "
    "entries, notes, taken_at, taken_by, unclear_reversals"
)
# The column is filled by its change of type, which fires no trigger: no row is updated. The new form is recorded only
# for rows that agree with their history: a change by hand must still be found.
ADD = f"""
DO $$
DECLARE
    unaltered text[] := unaltered_rows('bank_statement');
BEGIN
    ALTER TABLE bank_statement ADD COLUMN unclear_reversals boolean NOT NULL DEFAULT false;
    ALTER TABLE bank_statement
        ALTER COLUMN unclear_reversals DROP DEFAULT,
        ALTER COLUMN unclear_reversals TYPE boolean USING notes @> '["{NOTE}"]';
    PERFORM record_new_form('bank_statement', unaltered);
END $$
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(ADD)
    op.execute("DROP TRIGGER content_kept ON bank_statement")
    op.execute(
        f"CREATE TRIGGER content_kept BEFORE UPDATE OF {KEPT} ON bank_statement FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('a statement stays as it was taken in')"
    )
