"""Bugs in what a closed day is computed anew from: records up to where they had come at its close."""

from tests.planted_bugs.bug import Bug

AS_OF = "closing/as_of.py"
BULLETIN = "closing/bulletin.py"
FEES = "closing/fees.py"
RECORDS = "closing/records.py"

BUGS = (
    Bug(
        "later acts on documents count",
        AS_OF,
        "log.subject == subject, log.number <= position.acts, of_",
        "log.subject == subject, of_",
    ),
    Bug(
        "documents that were made later count",
        AS_OF,
        "query.where(_existed(position, table.name, cast(key, Text)))",
        "query",
    ),
    Bug(
        "documents that have ended since are forgotten",
        AS_OF,
        "or_(table.c.status.in_(states), subject.in_(later))",
        "table.c.status.in_(states)",
    ),
    Bug(
        "later decisions of proposals count",
        AS_OF,
        "and_(log.subject == subject, log.number <= position.acts)",
        "and_(log.subject == subject)",
    ),
    Bug("later steps of lots count", AS_OF, "WHERE e.event_id <= :events AND e.lot_id IN", "WHERE e.lot_id IN"),
    Bug(
        "lots that have gone since are forgotten",
        AS_OF,
        "    UNION SELECT lot_id FROM custody_event WHERE event_id > :events\n",
        "",
    ),
    Bug("later locks count", AS_OF, "WHERE event_id <= :events AND step = ANY", "WHERE step = ANY"),
    Bug("later rows were there", AS_OF, "query.where(columns.change_no <= position.rows)", "query"),
    Bug("the position is part of what is signed", AS_OF, 'if name != "seen"', 'if name != ""'),
    Bug(
        "later changes of breaks count",
        "reconciliation/break_states.py",
        "columns.change_no <= change_no",
        "columns.change_no > 0",
    ),
    Bug(
        "changes of breaks are not kept",
        "migrations/versions/0062_records_that_a_close_reads.py",
        "IS NOT DISTINCT FROM",
        "IS DISTINCT FROM",
    ),
    Bug("a later run says what was compared", "closing/reconciled.py", "newest=position.runs", "newest=2**62"),
    Bug(
        "a later record is the newest of a bulletin",
        BULLETIN,
        "columns.record_no <= position.records",
        "columns.record_no > 0",
    ),
    Bug(
        "a later name is that of the day",
        "closing/day.py",
        "columns.form).where(columns.sequence == day.last)",
        "columns.form).where(columns.sequence >= day.last)",
    ),
    Bug("what was charged as sold later counts", FEES, "until=position.accruals", "until=None"),
    Bug("gold that is held is overdue", FEES, "if row.load_out_no not in kept_back", "if row.load_out_no not in ()"),
    Bug(
        "an account at a bank that was added later is silent",
        "banking/bank_reconciliation.py",
        "a.account_id <= :account_id AND ",
        "",
    ),
    Bug("a kept fact is said to be computed", RECORDS, "ANEW if not kept else", "ANEW if kept else"),
)
