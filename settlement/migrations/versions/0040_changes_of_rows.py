"""Each change of a row is recorded with its transaction"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

EXEMPT = (
    "row_change",
    "row_act",
    "alembic_version",
    "audit_log",
    "ledger_entry",
    "posting",
    "ledger_account",
    "engine_holding",
    "trade",
    "stock",
    "progress",
    "phase_change",
    "trading_day",
    "holding_at_end",
    "stock_at_end",
    "instrument_at_end",
    "balance_at_end",
    "business_day",
    "close_step",
    "day_price",
    "day_record",
    "account_statement",
    "bulletin",
    "file",
    "accrual_day",
    "request_key",
    "acts_read",
)
FREE = {"outbox": "status, writer, frame, journal_end, sent_at"}

FUNCTIONS = """
CREATE FUNCTION row_digest(content jsonb) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN content IS NULL THEN NULL
          ELSE sha256(convert_to(jsonb_strip_nulls(content)::text, 'UTF8')) END $$;

CREATE FUNCTION row_transaction(OUT number bigint, OUT begun bigint) LANGUAGE sql STABLE AS
$$ SELECT pg_current_xact_id()::text::bigint, (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint $$;

CREATE FUNCTION row_key(of_table regclass) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT 'concat_ws('':'', ' || string_agg(format('content ->> %L', a.attname), ', '
                                            ORDER BY array_position(i.indkey::int2[], a.attnum)) || ')'
   FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
   WHERE i.indrelid = of_table AND i.indisprimary $$;

CREATE FUNCTION record_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET bytea_output = hex AS $$
DECLARE
    nothing text := 'SELECT NULL::text AS key, NULL::jsonb AS content WHERE false';
    taken text := 'SELECT ' || TG_ARGV[0] || ' AS key, content FROM (SELECT to_jsonb(r) - '
        || quote_literal(TG_ARGV[1]) || '::text[] AS content FROM %s r) t';
BEGIN
    EXECUTE format(
        'INSERT INTO row_change (of_table, key, before, digest, columns, transaction, begun, changed_by) '
        'SELECT %L, key, row_digest(o.content), row_digest(n.content), '
        'CASE WHEN o.content IS NOT NULL AND n.content IS NOT NULL THEN ARRAY(SELECT e.key FROM jsonb_each(n.content) '
        'e WHERE e.value IS DISTINCT FROM o.content -> e.key ORDER BY 1) END, t.number, t.begun, session_user '
        'FROM (%s) o FULL JOIN (%s) n USING (key), row_transaction() t WHERE o.content IS DISTINCT FROM n.content',
        TG_TABLE_NAME,
        CASE WHEN TG_OP = 'INSERT' THEN nothing ELSE format(taken, 'gone') END,
        CASE WHEN TG_OP = 'DELETE' THEN nothing ELSE format(taken, 'made') END
    );
    RETURN NULL;
END $$;

CREATE FUNCTION record_act() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO row_act SELECT number, begun FROM row_transaction() ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION record_posting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO row_act SELECT number, t.begun FROM row_transaction() t
        WHERE EXISTS (SELECT 1 FROM row_change c WHERE c.transaction = t.number AND c.begun = t.begun)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION record_rows(of_table regclass, free text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql SET bytea_output = hex AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO row_change (of_table, key, before, digest, transaction, begun, changed_by) '
        'SELECT %L, key, (SELECT c.digest FROM row_change c WHERE c.of_table = %L AND c.key = r.key '
        'AND EXISTS (SELECT 1 FROM row_act a WHERE a.transaction = c.transaction AND a.begun = c.begun) '
        'ORDER BY c.change_no DESC LIMIT 1), row_digest(content), t.number, t.begun, session_user '
        'FROM (SELECT %s AS key, content FROM (SELECT to_jsonb(w) - %L::text[] AS content FROM %s w) k) r, '
        'row_transaction() t',
        of_table::text, of_table::text, row_key(of_table), free, of_table
    );
END $$;

CREATE FUNCTION watch_rows(of_table regclass, free text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    call text := format('FOR EACH STATEMENT EXECUTE FUNCTION record_change(%L, %L)', row_key(of_table), free);
BEGIN
    PERFORM record_rows(of_table, free);
    EXECUTE format('CREATE TRIGGER row_made AFTER INSERT ON %s REFERENCING NEW TABLE AS made %s', of_table, call);
    EXECUTE format('CREATE TRIGGER row_gone AFTER DELETE ON %s REFERENCING OLD TABLE AS gone %s', of_table, call);
    EXECUTE format('CREATE TRIGGER row_changed AFTER UPDATE ON %s REFERENCING OLD TABLE AS gone NEW TABLE AS made %s',
                   of_table, call);
END $$;

CREATE TRIGGER row_act AFTER INSERT ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION record_act();

CREATE TRIGGER row_act AFTER INSERT OR UPDATE ON alembic_version FOR EACH STATEMENT EXECUTE FUNCTION record_act();

CREATE CONSTRAINT TRIGGER row_act AFTER INSERT OR UPDATE ON progress DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION record_posting();

DO $$
DECLARE role text;
BEGIN
    FOR role IN SELECT DISTINCT grantee FROM information_schema.role_table_grants
        WHERE table_schema = 'public' AND table_name = 'row_change' AND grantee <> current_user
    LOOP
        EXECUTE format('REVOKE ALL ON row_change, row_act FROM %I', role);
        EXECUTE format('GRANT SELECT ON row_change, row_act TO %I', role);
    END LOOP;
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "row_change",
        sa.Column("change_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("of_table", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("columns", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("transaction", sa.BigInteger(), nullable=False),
        sa.Column("begun", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("change_no", name=op.f("pk_row_change")),
    )
    op.create_index("ix_row_change_of_table_key_change_no", "row_change", ["of_table", "key", "change_no"])
    op.create_index("ix_row_change_transaction_begun", "row_change", ["transaction", "begun"])
    op.create_table(
        "row_act",
        sa.Column("transaction", sa.BigInteger(), nullable=False),
        sa.Column("begun", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction", "begun", name=op.f("pk_row_act")),
    )
    for table in ("row_change", "row_act"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
    for statement in FUNCTIONS.split("\n\n"):
        op.get_bind().exec_driver_sql(statement)
    tables = sa.inspect(op.get_bind()).get_table_names()
    for table in sorted(set(tables) - set(EXEMPT)):
        op.execute(f"SELECT watch_rows('{table}', '{{{FREE.get(table, '')}}}')")
