"""Entries are checked in one pass over their lines"""

from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

# The sums of each entry in each asset are computed once, and say whether it balances, whether its accounts exist, and
# how many entries there are. EXECUTE plans each statement anew, by the number of lines: a plan that was made for a few
# lines would look up the account of each of a hundred thousand by itself.
POST = """
CREATE OR REPLACE FUNCTION post_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first bigint;
    last bigint;
    wanted bigint;
    present bigint;
    wrong bigint;
    unknown boolean;
BEGIN
    EXECUTE 'SELECT min(sequence), max(sequence), count(*), min(sequence) FILTER (WHERE wrong), bool_or(unknown) FROM (
            SELECT sequence, bool_or(amount <> 0) AS wrong, bool_or(asset IS NULL) AS unknown FROM (
                SELECT n.sequence, a.asset, sum(n.amount) AS amount
                FROM new_lines n LEFT JOIN ledger_account a USING (account_id) GROUP BY n.sequence, a.asset
            ) AS of_asset GROUP BY sequence
        ) AS of_entry'
        INTO first, last, wanted, wrong, unknown;
    IF unknown THEN
        RAISE EXCEPTION 'a posting names an unknown ledger account' USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'entry % does not sum to zero', wrong USING ERRCODE = 'check_violation';
    END IF;
    EXECUTE 'SELECT count(*) FROM ledger_entry WHERE sequence BETWEEN $1 AND $2 AND xmin = pg_current_xact_id()::xid'
        INTO present USING first, last;
    IF present <> wanted THEN
        RAISE EXCEPTION 'a posting between % and % names an entry that is not of this transaction', first, last
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    EXECUTE 'UPDATE ledger_account a SET balance = a.balance + d.amount
        FROM (SELECT account_id, sum(amount) AS amount FROM new_lines GROUP BY account_id) AS d
        WHERE a.account_id = d.account_id';
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    op.execute(POST)
