"""Bugs in what the close of a day compares, and in how far it says that it is."""

from tests.planted_bugs.bug import Bug

PROOFS = "closing/proofs.py"
PROGRESS = "closing/progress.py"
SINCE = "reconciliation/since.py"
FEES = "reconciliation/fees.py"
MIGRATION = "migrations/versions/0049_a_close_compares_what_has_come.py"

BUGS = (
    Bug(
        "what was under way during a proof is not compared",
        SINCE,
        "columns.transaction >= at.transaction",
        "columns.transaction < 0",
    ),
    Bug("a deleted row is not missed", SINCE, "(gone and table", "(False and table"),
    Bug(
        "acts since a proof are about nothing", SINCE, "audit_log.c.number > at.audit_number", "audit_log.c.number < 0"
    ),
    Bug(
        "a day that nobody has signed is a start",
        PROOFS,
        "select(day_proof).join(day_record, day_record.c.day == day_proof.c.day)",
        "select(day_proof)",
    ),
    Bug(
        "nobody looks whether a break is gone", PROOFS, "    if await _waiting(connection):\n        return None\n", ""
    ),
    Bug("changed balances are a start", PROOFS, " or await changed_balances(connection, row.day) is not None", ""),
    Bug(
        "balances of any day are a start",
        PROOFS,
        "await changed_balances(connection, row.day)",
        "await changed_balances(connection)",
    ),
    Bug(
        "a row is missed only where it is now",
        SINCE,
        " or not _ABOUT.get(table, frozenset()).isdisjoint(altered or ())",
        "",
    ),
    Bug(
        "a proof counts in every cluster",
        SINCE,
        "(now.cluster, now.revision) != (at.cluster, at.revision)",
        "now.revision != at.revision",
    ),
    Bug(
        "a proof counts with every schema",
        SINCE,
        "(now.cluster, now.revision) != (at.cluster, at.revision)",
        "now.cluster != at.cluster",
    ),
    Bug("numbers of other clusters count", SINCE, ", columns.transaction < newest", ""),
    Bug("an old rate concerns no trade", FEES, "min((since.sequence, *rates))", "since.sequence"),
    Bug("a bill loses a fee unseen", FEES, "HAVING count(*) > 1", "HAVING count(*) > 9"),
    Bug(
        "an act about an old key is not looked at",
        "reconciliation/histories.py",
        " and proposes not in since.actions",
        "",
    ),
    Bug(
        "entries come after the close of their day",
        MIGRATION,
        "IF (SELECT min(sequence) FROM made) <=",
        "IF (SELECT max(sequence) FROM made) * 0 >",
    ),
    Bug("rows are deleted without a record", MIGRATION, "WHERE tgname = 'row_gone'", "WHERE tgname = 'row_none'"),
    Bug(
        "fees of proved trades are forgotten",
        "reconciliation/three_way.py",
        "else comparison.since.trade_fees_fen",
        "else 0",
    ),
    Bug("a break ends unseen", "reconciliation/breaks.py", "corrects and proved is None", "corrects"),
    Bug("a killed close is still under way", PROGRESS, "kept.at >= step.started_at", "kept.at >= 0"),
)
