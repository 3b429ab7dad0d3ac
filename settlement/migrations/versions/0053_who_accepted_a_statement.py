"""Who accepted a statement of account, and when: settling is what is done with trades"""

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

# Only rows that are as their history says are recorded under the new names of their columns.
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
