"""Rules that a CHECK cannot express: entries balance, balances follow postings, histories are append-only."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = ("ledger_entry", "posting", "trade", "custody_event", "assay", "certificate", "recon_run", "audit_log")

# One statement inserts whole entries, so one look at its rows is enough; it is also what makes bulk posting fast.
# The xmin test keeps anybody from adding lines to an entry that is already committed; EXECUTE plans it anew each time, by
# the size that the table has now, where a cached plan would scan all of it.
POST = """
CREATE FUNCTION post_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
    first bigint;
    last bigint;
    wanted bigint;
    present bigint;
    touched bigint;
BEGIN
    SELECT n.sequence INTO wrong FROM new_lines n JOIN ledger_account a USING (account_id)
    GROUP BY n.sequence, a.asset HAVING sum(n.amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not sum to zero', wrong USING ERRCODE = 'check_violation';
    END IF;
    SELECT min(sequence), max(sequence), count(DISTINCT sequence) INTO first, last, wanted FROM new_lines;
    EXECUTE 'SELECT count(*) FROM ledger_entry WHERE sequence BETWEEN $1 AND $2 AND xmin = pg_current_xact_id()::xid'
        INTO present USING first, last;
    IF present <> wanted THEN
        RAISE EXCEPTION 'a posting between % and % names an entry that is not of this transaction', first, last
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    UPDATE ledger_account a SET balance = a.balance + d.amount
    FROM (SELECT account_id, sum(amount)::bigint AS amount FROM new_lines GROUP BY account_id) d
    WHERE a.account_id = d.account_id;
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched <> (SELECT count(DISTINCT account_id) FROM new_lines) THEN
        RAISE EXCEPTION 'a posting names an unknown ledger account' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
"""

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;
"""


def upgrade() -> None:
    op.execute(POST)
    op.execute(REFUSE)
    op.execute(
        "CREATE TRIGGER post_entries AFTER INSERT ON posting REFERENCING NEW TABLE AS new_lines "
        "FOR EACH STATEMENT EXECUTE FUNCTION post_entries()"
    )
    op.execute(
        "CREATE TRIGGER balance_follows_postings BEFORE INSERT OR UPDATE ON ledger_account FOR EACH ROW "
        "WHEN (pg_trigger_depth() = 0 AND NEW.balance <> 0) "
        "EXECUTE FUNCTION refuse_change('a balance follows its postings')"
    )
    op.execute(
        "CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON ledger_account FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change('postings name it')"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
