"""The tables of exchanges of assays are named so: an exchange alone is the market"""

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

# A row that was changed by hand differs from its recorded history, and must still differ after the migration. So the
# new form is recorded only for rows that agree with their history.
FUNCTIONS = """
CREATE FUNCTION unaltered_rows(of_table regclass, free text[] DEFAULT '{}') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    keys text[];
BEGIN
    EXECUTE format(
        'SELECT coalesce(array_agg(r.key), ''{}'') FROM (SELECT %s AS key, content FROM '
        '(SELECT to_jsonb(w) - %L::text[] AS content FROM %s w) k) r WHERE row_digest(r.content) = '
        '(SELECT c.digest FROM row_change c WHERE c.of_table = %L AND c.key = r.key '
        'AND EXISTS (SELECT 1 FROM row_act a WHERE a.transaction = c.transaction AND a.begun = c.begun) '
        'ORDER BY c.change_no DESC LIMIT 1)',
        row_key(of_table), free, of_table, of_table::text
    ) INTO keys;
    RETURN keys;
END $$;

CREATE FUNCTION record_new_form(of_table regclass, keys text[], free text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET bytea_output = hex AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO row_change (of_table, key, before, digest, transaction, begun, changed_by) '
        'SELECT %L, r.key, (SELECT c.digest FROM row_change c WHERE c.of_table = %L AND c.key = r.key '
        'AND EXISTS (SELECT 1 FROM row_act a WHERE a.transaction = c.transaction AND a.begun = c.begun) '
        'ORDER BY c.change_no DESC LIMIT 1), row_digest(content), t.number, t.begun, session_user '
        'FROM (SELECT %s AS key, content FROM (SELECT to_jsonb(w) - %L::text[] AS content FROM %s w) k) r, '
        'row_transaction() t WHERE r.key = ANY (%L::text[])',
        of_table::text, of_table::text, row_key(of_table), free, of_table, keys
    );
END $$
"""
RENAME = """
DO $$
DECLARE
    exchanges text[] := unaltered_rows('exchange');
    parties text[] := unaltered_rows('exchange_party');
    renamed record;
BEGIN
    ALTER TABLE exchange RENAME TO assay_exchange;
    ALTER TABLE exchange_party RENAME TO assay_exchange_party;
    ALTER TABLE assay_exchange RENAME COLUMN exchange_no TO assay_exchange_no;
    ALTER TABLE assay_exchange_party RENAME COLUMN exchange_no TO assay_exchange_no;
    ALTER SEQUENCE exchange_exchange_no_seq RENAME TO assay_exchange_assay_exchange_no_seq;
    ALTER INDEX uq_exchange_lot_id RENAME TO uq_assay_exchange_lot_id;
    FOR renamed IN SELECT conrelid::regclass AS of_table, conname FROM pg_constraint
        WHERE conrelid IN ('assay_exchange'::regclass, 'assay_exchange_party'::regclass) AND contype IN ('p', 'f', 'c')
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', renamed.of_table, renamed.conname,
                       regexp_replace(replace(renamed.conname, '_exchange_no', '_assay_exchange_no'),
                                      '^([a-z]+)_exchange', '\\1_assay_exchange'));
    END LOOP;
    ALTER TABLE row_change DISABLE TRIGGER append_only;
    UPDATE row_change SET of_table = 'assay_' || of_table WHERE of_table IN ('exchange', 'exchange_party');
    ALTER TABLE row_change ENABLE TRIGGER append_only;
    UPDATE recon_break SET subject = 'assay_' || subject WHERE kind = 'HISTORY' AND subject ~ '^exchange(_party)?:';
    PERFORM record_new_form('assay_exchange', exchanges);
    PERFORM record_new_form('assay_exchange_party', parties);
END $$
"""
# The triggers hold the name of the column that is the key.
TRIGGERS = """
DO $$
DECLARE
    of_table regclass;
    call text;
BEGIN
    FOREACH of_table IN ARRAY ARRAY['assay_exchange', 'assay_exchange_party']::regclass[]
    LOOP
        call := format('FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', row_key(of_table), '{}');
        EXECUTE format('CREATE OR REPLACE TRIGGER row_made AFTER INSERT ON %s REFERENCING NEW TABLE AS made %s',
                       of_table, call);
        EXECUTE format('CREATE OR REPLACE TRIGGER row_gone AFTER DELETE ON %s REFERENCING OLD TABLE AS gone %s',
                       of_table, call);
        EXECUTE format('CREATE OR REPLACE TRIGGER row_changed AFTER UPDATE ON %s '
                       'REFERENCING OLD TABLE AS gone NEW TABLE AS made %s', of_table, call);
    END LOOP;
END $$
"""


def upgrade() -> None:
    for statement in (*FUNCTIONS.split("\n\n"), RENAME, TRIGGERS):
        op.get_bind().exec_driver_sql(statement)
