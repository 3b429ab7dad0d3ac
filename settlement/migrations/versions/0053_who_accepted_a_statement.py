"""Who accepted a statement of account, and when: settling is what is done with trades"""

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

# The new column names are recorded only for rows that agree with their history: a change by hand must still be found.
RENAME = """
DO $$
DECLARE
    unaltered text[] := unaltered_rows('account_statement', '{content}');
BEGIN
    ALTER TABLE account_statement RENAME COLUMN settled_by TO accepted_by;
    ALTER TABLE account_statement RENAME COLUMN settled_at TO accepted_at;
    ALTER TABLE account_statement
        RENAME CONSTRAINT ck_account_statement_settled_by_someone TO ck_account_statement_accepted_by_someone;
    PERFORM record_new_form('account_statement', unaltered, '{content}');
END $$
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(RENAME)
