"""The tables of members, staff and keys, of proposals, of the audit log, and of the calendar.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from settlement.documents.kinds import KINDS, PROPOSAL
from settlement.documents.registered import ACTIVE, STANDINGS, STATUSES
from settlement.tables.columns import folded, integer, metadata, number, one_of, string

PERMISSIONS = ("trade", "operate", "settle", "supervise", "warehouse")
_OF_STAFF = "ARRAY['operate', 'settle', 'supervise', 'warehouse']"

member = Table(
    "member",
    metadata,
    Column("member", Text, primary_key=True),
    string("name"),
    string("name_zh", default=""),
    integer("created_at"),
    string("status", default=ACTIVE),
    one_of("status", STATUSES),
    Index("uq_member_member", text(folded("member")), unique=True),
)

staff = Table(
    "staff",
    metadata,
    Column("staff", Text, primary_key=True),
    string("name"),
    Column("permissions", ARRAY(Text), nullable=False),
    integer("created_at"),
    string("status", default=ACTIVE),
    one_of("status", STATUSES),
    CheckConstraint(f"permissions <@ {_OF_STAFF}", name="permissions_known"),
    Index("uq_staff_staff", text(folded("staff")), unique=True),
)

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False, unique=True),
    Column("member", Text, ForeignKey("member.member")),
    Column("staff", Text, ForeignKey("staff.staff")),
    Column("permissions", ARRAY(Text), nullable=False),
    integer("created_at"),
    string("status", default=ACTIVE),
    one_of("status", STATUSES),
    CheckConstraint("length(public_key) = 32", name="public_key_ed25519"),
    CheckConstraint("(member IS NULL) <> (staff IS NULL)", name="one_holder"),
    CheckConstraint(
        f"permissions <@ CASE WHEN staff IS NULL THEN ARRAY['trade'] ELSE {_OF_STAFF} END",
        name="permissions_fit_holder",
    ),
    Index("uq_api_key_key_id", text(folded("key_id")), unique=True),
)

standing_change = Table(
    "standing_change",
    metadata,
    number("change_number"),
    Column("change_id", Text, nullable=False, unique=True),
    string("kind"),
    string("code"),
    string("status"),
    string("changed_by"),
    string("reason"),
    integer("changed_at"),
    one_of("kind", STANDINGS),
    one_of("status", STATUSES),
    Index("ix_standing_change_kind_code", "kind", "code"),
)
"""Each suspension, its end, and the end of a member, one of the staff or a key; ``change_id`` as in its notice."""

CHAIN_LOCK = 0xA0D17
"""Advisory lock, held to the end of the transaction: entries are chained one transaction after the other."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    integer("at"),
    string("actor"),
    string("action"),
    string("subject"),
    string("detail"),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("ix_audit_log_subject", "subject"),
)

request_key = Table(
    "request_key",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("request", LargeBinary, nullable=False),
    integer("status", null=True),
    string("answer", null=True),
    integer("at"),
    Index("ix_request_key_at", "at"),
)

acts_read = Table(
    "acts_read",
    metadata,
    Column("shard", Text, primary_key=True),
    string("entry"),
)
"""By shard: the newest act of its gateways that the audit log has."""

calendar_day = Table(
    "calendar_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("working", Boolean, nullable=False),
    string("name"),
)

calendar_source = Table(
    "calendar_source",
    metadata,
    Column("one", Boolean, primary_key=True),
    string("sha256"),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    CheckConstraint("one", name="one_row"),
)
"""The trading calendar that was copied into ``calendar_day``; no row if days are entered by hand."""

trading_day = Table(
    "trading_day",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Date, nullable=False),
    integer("begun_at"),
    Column("kept", Boolean, nullable=False, server_default=text("false")),
    Index("ix_trading_day_begun_at", "begun_at"),
)
"""The trading days that the engine has begun: by the sequence of the event with which each began.

``kept``: what engine and ledger had at that event was kept (``settlement.tables.closing``).
"""

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
    one_of("kind", KINDS),
    one_of("status", PROPOSAL.states),
    CheckConstraint("(status = 'PROPOSED') = (decided_by IS NULL)", name="decided_by_someone"),
    CheckConstraint("status <> 'APPROVED' OR decided_by <> proposed_by", name="two_people"),
)
