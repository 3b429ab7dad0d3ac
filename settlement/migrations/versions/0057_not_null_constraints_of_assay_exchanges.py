"""PostgreSQL 18 names what keeps a column from being null: the names follow the table that 0051 renamed"""

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

# Before PostgreSQL 18 there are no such constraints, and nothing is done.
RENAME = r"""
DO $$
DECLARE
    renamed record;
BEGIN
    FOR renamed IN
        SELECT c.conrelid::regclass AS of_table, c.conname, c.conrelid::regclass || '_' || a.attname || '_not_null' AS name
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.conrelid IN ('assay_exchange'::regclass, 'assay_exchange_party'::regclass) AND c.contype = 'n'
    LOOP
        IF renamed.conname <> renamed.name THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', renamed.of_table, renamed.conname, renamed.name);
        END IF;
    END LOOP;
END $$
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(RENAME)
