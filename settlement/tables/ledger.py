"""The tables of the facts that the engine has published, of the ledger, and of the outbox.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from settlement.documents.kinds import LEDGER_KINDS, MOVEMENTS
from settlement.documents.ledger import (
    BANK_REFERENCE_USED,
    CASH_TRANSFER,
    CORRECTION,
    CORRECTION_COUNTS,
    FEE_PAYOUT,
    OUTBOX,
    OUTBOX_CLOSED,
    OUTBOX_UNSENT,
)
from settlement.tables.columns import folded, integer, is_in, metadata, number, one_of, string, total

ACCOUNT_KINDS = ("member", "bank_escrow", "vault", "fee_income", "suspense", "receivable")
"""A trading account's, or one of the venue's own; ``settlement.ledger.posting`` describes each."""

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

fee_rate = Table(
    "fee_rate",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    integer("maker_fee_bp"),
    integer("taker_fee_bp"),
)
"""The rates of trading fees of each instrument, from the event on that defined them."""

engine_holding = Table(
    "engine_holding",
    metadata,
    Column("account", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    total("total"),
    total("reserved"),
    total("locked"),
    total("unwithdrawable"),
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
    Column("kind", SmallInteger),  # NULL: of two orders (goldx.protocol.terms.TRADE_KINDS)
    CheckConstraint("price > 0 AND quantity > 0 AND amount > 0 AND buy_fee >= 0 AND sell_fee >= 0", name="positive"),
)

market_proposal = Table(
    "market_proposal",
    metadata,
    Column("method", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    string("proposed_by"),
    integer("proposed_at"),
    string("does"),
    string("params", null=True),
)
"""Proposals of one operator in the market that no second one has confirmed; ``number`` is the event's sequence."""

trade_bust = Table(
    "trade_bust",
    metadata,
    Column("trade_id", BigInteger, ForeignKey("trade.trade_id"), primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False, unique=True),
    integer("at"),
    string("proposed_by"),
    string("by"),
    string("reason"),
    CheckConstraint("proposed_by <> by", name="two_people"),
)

own_sale = Table(
    "own_sale",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    integer("own_mg"),
    CheckConstraint("own_mg > 0", name="positive"),
)

ledger_account = Table(
    "ledger_account",
    metadata,
    number("account_id"),
    string("name"),
    string("kind"),
    string("asset"),
    total("balance", default=0),
    UniqueConstraint("kind", "name", "asset"),
    one_of("kind", ACCOUNT_KINDS),
    CheckConstraint("kind NOT IN ('member', 'fee_income') OR balance >= 0", name="prepaid_never_negative"),
    CheckConstraint("kind NOT IN ('bank_escrow', 'vault', 'receivable') OR balance <= 0", name="assets_are_debits"),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    string("kind"),
    integer("at"),
    string("reference", null=True),
    Column("hash", LargeBinary),
    one_of("kind", LEDGER_KINDS),
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

outbox = Table(
    "outbox",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("number", BigInteger, Identity(always=True), nullable=False, unique=True),
    string("kind"),
    Column("subject", BigInteger, nullable=False),
    Column("legs", JSONB, nullable=False),
    string("by"),
    string("status", default=OUTBOX.steps["queue"].after),
    integer("created_at"),
    string("writer", null=True),
    integer("frame", null=True),
    string("journal_end", null=True),
    integer("sent_at", null=True),
    integer("sequence", null=True),
    string("reason", null=True),
    one_of("kind", MOVEMENTS),
    one_of("status", OUTBOX.states),
    CheckConstraint(
        f"({is_in('status', OUTBOX_CLOSED)}) = (sequence IS NOT NULL) AND (status = 'REFUSED') = (reason IS NOT NULL)",
        name="answered_by_an_event",
    ),
    Index("ix_outbox_kind_subject", "kind", "subject"),
    Index("ix_outbox_waiting", "number", postgresql_where=text(is_in("status", OUTBOX_UNSENT))),
)

cash_transfer = Table(
    "cash_transfer",
    metadata,
    number("cash_id"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    integer("amount"),
    Column("bank_reference", Text, nullable=False),
    string("status"),
    string("reason", null=True),
    one_of("status", CASH_TRANSFER.states),
    CheckConstraint("amount <> 0", name="not_zero"),
    Index(
        "uq_cash_transfer_bank_reference",
        text(folded("bank_reference")),
        unique=True,
        postgresql_where=text(is_in("status", BANK_REFERENCE_USED)),
    ),
)

correction = Table(
    "correction",
    metadata,
    number("correction_no"),
    Column("from_account", Text, ForeignKey("trading_account.account")),
    Column("to_account", Text, ForeignKey("trading_account.account")),
    integer("amount_fen", null=True),
    Column("symbol", Text, ForeignKey("instrument.symbol")),
    integer("fine_mg", null=True),
    Column("claim_no", BigInteger, ForeignKey("claim.claim_no")),
    string("why"),
    string("document"),
    string("status"),
    string("reason", null=True),
    Column("entry", BigInteger, ForeignKey("ledger_entry.sequence")),
    one_of("status", CORRECTION.states),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("fine_mg > 0", name="fine"),
    CheckConstraint(
        "(symbol IS NULL) = (amount_fen IS NOT NULL) AND (symbol IS NULL) = (fine_mg IS NULL)", name="money_or_metal"
    ),
    CheckConstraint("claim_no IS NULL OR symbol IS NULL", name="claims_in_money"),
    CheckConstraint("from_account IS NOT NULL OR to_account IS NOT NULL", name="some_account"),
    CheckConstraint("from_account <> to_account", name="two_accounts"),
    CheckConstraint(
        "entry IS NULL OR from_account IS NOT NULL AND to_account IS NOT NULL AND claim_no IS NULL",
        name="entry_between_accounts",
    ),
    Index("ix_correction_entry", "entry", postgresql_where=text("entry IS NOT NULL")),
    Index(
        "uq_correction_claim_no",
        "claim_no",
        unique=True,
        postgresql_where=text(is_in("status", CORRECTION_COUNTS)),
    ),
)

fee_payout = Table(
    "fee_payout",
    metadata,
    number("payout_no"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    integer("amount_fen"),
    string("why"),
    string("status"),
    string("reason", null=True),
    one_of("status", FEE_PAYOUT.states),
    CheckConstraint("amount_fen > 0", name="amount"),
)

stock = Table(
    "stock",
    metadata,
    Column("account", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    integer("own_mg", default=0),
    integer("own_sold_mg", default=0),
    CheckConstraint("own_mg >= 0 AND own_sold_mg >= 0", name="not_negative"),
)
