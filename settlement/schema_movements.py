"""The tables of what two people agree to and of what goes to the engine for it.

Units as in ``settlement.schema``.
"""

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, ForeignKey, Identity, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from settlement.schema import integer, metadata, number, one_of, string

ENGINE_KINDS = (
    *("cash", "receipt", "receipt_cancel", "pledge", "pledge_release", "legal_hold", "legal_lift"),
    *("load_out", "load_out_cancel", "fee"),
)
"""What goes to the engine on behalf of a document; also the first half of its reference."""
PROPOSAL_KINDS = (
    *(*ENGINE_KINDS, "transfer", "pickup_code", "claim", "tariff"),
    *("acceptance", "provenance", "lot_lift", "lot_return"),
)
PROPOSAL_STATES = ("PROPOSED", "APPROVED", "DECLINED")
OUTBOX_STATES = ("PENDING", "SENDING", "SENT", "DONE", "REFUSED")
CASH_STATES = ("PROPOSED", "SENDING", "DONE", "DECLINED", "REFUSED")

proposal = Table(
    "proposal",
    metadata,
    number("proposal_id"),
    string("kind"),
    Column("subjects", ARRAY(BigInteger), nullable=False),
    Column("summary", JSONB, nullable=False),
    string("status"),
    Column("proposed_by", Text, ForeignKey("staff.staff"), nullable=False),
    integer("proposed_at"),
    Column("decided_by", Text, ForeignKey("staff.staff")),
    integer("decided_at", null=True),
    one_of("kind", PROPOSAL_KINDS),
    one_of("status", PROPOSAL_STATES),
    CheckConstraint("(status = 'PROPOSED') = (decided_by IS NULL)", name="decided_by_someone"),
    CheckConstraint("status <> 'APPROVED' OR decided_by <> proposed_by", name="two_people"),
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
    string("status", default="PENDING"),
    integer("created_at"),
    string("writer", null=True),
    integer("frame", null=True),
    string("journal_end", null=True),
    integer("sent_at", null=True),
    integer("sequence", null=True),
    string("reason", null=True),
    one_of("kind", ENGINE_KINDS),
    one_of("status", OUTBOX_STATES),
    Index("ix_outbox_waiting", "number", postgresql_where=text("status IN ('PENDING', 'SENDING')")),
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
    one_of("status", CASH_STATES),
    CheckConstraint("amount <> 0", name="not_zero"),
    Index(
        "uq_cash_transfer_bank_reference",
        "bank_reference",
        unique=True,
        postgresql_where=text("status IN ('PROPOSED', 'SENDING', 'DONE')"),
    ),
)
