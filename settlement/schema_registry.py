"""The tables of who may act, of the record of what they did, of the files they took in, and of the calendar.

Units as in ``settlement.schema``.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from settlement.schema import integer, metadata, number, one_of, string

PERMISSIONS = ("trade", "operate", "settle", "supervise")
FILE_KINDS = ("declared", "measured", "statement", "depository")
"""What a file was taken in as: a bar list's declared or measured columns, a warehouse's statement of its bars, a
depository's report of its totals."""

member = Table(
    "member",
    metadata,
    Column("member", Text, primary_key=True),
    string("name"),
    string("name_zh", default=""),
    integer("created_at"),
)

staff = Table(
    "staff",
    metadata,
    Column("staff", Text, primary_key=True),
    string("name"),
    Column("permissions", ARRAY(Text), nullable=False),
    integer("created_at"),
    CheckConstraint("permissions <@ ARRAY['operate', 'settle', 'supervise']", name="permissions_known"),
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
    integer("revoked_at", null=True),
    CheckConstraint("length(public_key) = 32", name="public_key_ed25519"),
    CheckConstraint("(member IS NULL) <> (staff IS NULL)", name="one_holder"),
    CheckConstraint(
        "permissions <@ CASE WHEN staff IS NULL THEN ARRAY['trade'] ELSE ARRAY['operate', 'settle', 'supervise'] END",
        name="permissions_fit_holder",
    ),
)

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
)

file = Table(
    "file",
    metadata,
    number("file_no"),
    string("kind"),
    string("name"),
    Column("sha256", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    integer("rows"),
    Column("result", JSONB, nullable=False),
    integer("taken_at"),
    string("taken_by"),
    string("about", default=""),
    one_of("kind", FILE_KINDS),
    CheckConstraint("sha256 = sha256(content)", name="hash_of_content"),
    UniqueConstraint("kind", "about", "sha256"),
)

calendar_day = Table(
    "calendar_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("working", Boolean, nullable=False),
    string("name"),
)
