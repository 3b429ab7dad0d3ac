"""The tables of what the exchange has said, of the ledger that follows it, and of the differences between the books.

Units as in ``settlement.schema``.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from settlement.schema import integer, metadata, number, one_of, string
from settlement.schema_movements import ENGINE_KINDS

ACCOUNT_KINDS = ("member", "bank_escrow", "vault", "fee_income", "suspense")
"""Whose a ledger account is: a trading account, or one of the venue's own (``settlement.ledger`` says what each is)."""
BREAK_STATES = ("OPEN", "EXPLAINED", "CORRECTED")

progress = Table(
    "progress",
    metadata,
    Column("shard", Text, primary_key=True),
    integer("sequence"),
    integer("at"),
    CheckConstraint("sequence >= 0", name="sequence_counts"),
)

trading_account = Table(
    "trading_account",
    metadata,
    Column("account", Text, primary_key=True),
    string("member"),
    Column("kind", SmallInteger, nullable=False),
    string("owner"),
)

instrument = Table(
    "instrument",
    metadata,
    Column("symbol", Text, primary_key=True),
    string("name"),
    string("name_zh"),
    string("form"),
    integer("min_fineness"),
    integer("max_fineness"),
    integer("reference_price", null=True),
    integer("last_price", null=True),
)

engine_holding = Table(
    "engine_holding",
    metadata,
    Column("account", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    integer("total"),
    integer("reserved"),
    integer("locked"),
    integer("unwithdrawable"),
    integer("sequence"),
)

trade = Table(
    "trade",
    metadata,
    Column("trade_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False, unique=True),
    integer("at"),
    string("symbol"),
    integer("price"),
    integer("quantity"),
    integer("amount"),
    string("buy_account"),
    string("sell_account"),
    integer("buy_fee"),
    integer("sell_fee"),
    Column("taker_side", SmallInteger),
    CheckConstraint("price > 0 AND quantity > 0 AND amount > 0 AND buy_fee >= 0 AND sell_fee >= 0", name="positive"),
)

ledger_account = Table(
    "ledger_account",
    metadata,
    number("account_id"),
    string("name"),
    string("kind"),
    string("asset"),
    integer("balance", default=0),
    UniqueConstraint("kind", "name", "asset"),
    one_of("kind", ACCOUNT_KINDS),
    CheckConstraint("kind NOT IN ('member', 'fee_income') OR balance >= 0", name="prepaid_never_negative"),
    CheckConstraint("kind NOT IN ('bank_escrow', 'vault') OR balance <= 0", name="assets_are_debits"),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    string("kind"),
    integer("at"),
    string("reference", null=True),
    one_of("kind", ("trade", *ENGINE_KINDS, "unidentified")),
)

posting = Table(
    "posting",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("line", SmallInteger, primary_key=True, autoincrement=False),
    integer("account_id"),
    integer("amount"),
    CheckConstraint("amount <> 0", name="not_zero"),
    Index("ix_posting_account_id_sequence", "account_id", "sequence"),
)

recon_run = Table(
    "recon_run",
    metadata,
    number("run_id"),
    integer("at"),
    integer("sequence"),
    string("by"),
    integer("checked"),
    integer("breaks"),
    string("scope", default="books"),
)

recon_break = Table(
    "recon_break",
    metadata,
    number("break_id"),
    string("kind"),
    string("subject"),
    string("asset"),
    integer("expected"),
    integer("found"),
    string("owner"),
    string("status"),
    integer("opened_at"),
    integer("closed_at", null=True),
    Column("first_run", BigInteger, ForeignKey("recon_run.run_id"), nullable=False),
    Column("last_run", BigInteger, ForeignKey("recon_run.run_id"), nullable=False),
    string("explanation", null=True),
    string("scope", default="books"),
    string("unit", default="amount"),
    string("note", default=""),
    one_of("status", BREAK_STATES),
    Index(
        "uq_recon_break_kind_subject_asset",
        "kind",
        "subject",
        "asset",
        unique=True,
        postgresql_where=text("status <> 'CORRECTED'"),
    ),
)
