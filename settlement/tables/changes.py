"""The record of changes of rows, which triggers write: each change with the transaction that made it.

``row_change`` has the digest of a row before and after each change, ``row_act`` the transactions that also wrote an
entry of the audit log, posted events of the engine, or migrated the tables. A change in any other transaction was made
by hand. The services' role cannot write either table. ``settlement.reconciliation.changes`` compares.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import ARRAY, BigInteger, Column, Index, LargeBinary, Table, Text

from settlement.tables.columns import integer, metadata, number, string

row_change = Table(
    "row_change",
    metadata,
    number("change_no"),
    string("of_table"),
    string("key"),
    Column("before", LargeBinary),
    Column("digest", LargeBinary),
    Column("columns", ARRAY(Text)),
    integer("transaction"),
    integer("begun"),
    string("changed_by"),
    Index("ix_row_change_of_table_key_change_no", "of_table", "key", "change_no"),
    Index("ix_row_change_transaction_begun", "transaction", "begun"),
)
"""``before`` is null for a new row, ``digest`` for a deleted one; ``columns`` are those that an UPDATE changed.

``begun``: when the transaction began, in µs: after a restore, numbers of transactions may be used once more.
"""

row_act = Table(
    "row_act",
    metadata,
    Column("transaction", BigInteger, primary_key=True, autoincrement=False),
    Column("begun", BigInteger, primary_key=True, autoincrement=False),
)

_LEDGER: Final = "append-only by trigger, and chained by hashes"
_ENGINE: Final = "changes with nearly each event of the engine; "
_END: Final = "append-only by trigger, no row comes later, and the close compares it with the ledger"
EXEMPT: Final[Mapping[str, str]] = {
    "row_change": "the record itself",
    "row_act": "the record itself",
    "audit_log": _LEDGER,
    "ledger_entry": _LEDGER,
    "posting": _LEDGER,
    "ledger_account": _ENGINE + "compared with its postings, and with the engine",
    "engine_holding": _ENGINE + "its totals are compared with the ledger, and the engine goes by figures of its own",
    "trade": _ENGINE + "compared with the ledger, trade by trade",
    "stock": _ENGINE + "computed again from the whole ledger",
    "market_proposal": _ENGINE + "shown, and nothing follows from it: the engine alone decides",
    "progress": _ENGINE + "compared with the ledger, and with the next event that is posted",
    "holding_at_end": _END,
    "stock_at_end": _END,
    "instrument_at_end": _END,
    "balance_at_end": _END,
    "close_progress": "shown while a close runs, and nothing follows from it",
    "file": "append-only by trigger, and named by its hash",
    "request_key": "answers kept for requests that are repeated; deleted after a time by no act",
}
"""Tables without such a record, and why."""
FREE: Final[Mapping[str, tuple[str, ...]]] = {
    "outbox": ("status", "writer", "frame", "journal_end", "sent_at"),
    "close_step": ("facts", "output"),
    "account_statement": ("content",),
}
"""Columns that are not recorded: what was sent for a document is compared with what the engine made of it; the others
are large, kept by triggers, and have their hashes beside them."""


def watched() -> list[Table]:
    """Return the tables of which each change is recorded, by name."""
    return [table for table in metadata.sorted_tables if table.name not in EXEMPT]
