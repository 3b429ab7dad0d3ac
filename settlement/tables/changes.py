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

_ENGINE: Final = "follows each event of the engine, and is compared with the ledger or the engine's events"
_END: Final = "append-only by trigger, and hashed by the close of its day"
_CLOSE: Final = "hashed by the close of its day, and compared by it"
EXEMPT: Final[Mapping[str, str]] = {
    "row_change": "the record itself",
    "row_act": "the record itself",
    "audit_log": "chained by hashes",
    "ledger_entry": "chained by hashes",
    "posting": "chained by hashes",
    "ledger_account": "compared with its postings",
    "engine_holding": _ENGINE,
    "trade": _ENGINE,
    "stock": _ENGINE,
    "progress": _ENGINE,
    "phase_change": _ENGINE,
    "trading_day": _ENGINE,
    "holding_at_end": _END,
    "stock_at_end": _END,
    "instrument_at_end": _END,
    "balance_at_end": _END,
    "business_day": _CLOSE,
    "close_step": _CLOSE,
    "day_price": _CLOSE,
    "day_record": "append-only by trigger, and chained by hashes",
    "account_statement": "kept by trigger, with the hash of its content",
    "bulletin": "append-only by trigger, with the hash of its content",
    "file": "append-only by trigger, and named by its hash",
    "accrual_day": "says only that a day's fees were accrued; each fee is recorded once all the same",
    "request_key": "answers kept for requests that are repeated",
    "acts_read": "how far the gateways' acts have been read",
}
"""Tables without such a record, and why."""
FREE: Final[Mapping[str, tuple[str, ...]]] = {"outbox": ("status", "writer", "frame", "journal_end", "sent_at")}
"""Columns that are not recorded: what was sent for a document is compared with what the engine made of it."""


def watched() -> list[Table]:
    """Return the tables of which each change is recorded, by name."""
    return [table for table in metadata.sorted_tables if table.name not in EXEMPT]
