"""The tables of the papers that the close of a day makes: statements of account, bulletins and invoices.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import CheckConstraint, Column, Date, Index, LargeBinary, Table, text

from settlement.documents.statements import ACCOUNT_STATEMENT
from settlement.tables.columns import integer, is_in, metadata, number, one_of, string

account_statement = Table(
    "account_statement",
    metadata,
    number("statement_no"),
    Column("day", Date, nullable=False),
    string("member"),
    string("account", null=True),
    string("content"),
    Column("hash", LargeBinary, nullable=False),
    string("status"),
    Column("due_day", Date, nullable=False),
    integer("issued_at"),
    string("settled_by", null=True),
    integer("settled_at", null=True),
    string("objection", null=True),
    string("answer", null=True),
    one_of("status", ACCOUNT_STATEMENT.states),
    CheckConstraint("length(hash) = 32", name="hash_sha256"),
    CheckConstraint(
        f"({is_in('status', ACCOUNT_STATEMENT.final)}) = (settled_by IS NOT NULL) "
        "AND (settled_by IS NULL) = (settled_at IS NULL)",
        name="settled_by_someone",
    ),
    CheckConstraint("status <> 'DISPUTED' OR objection IS NOT NULL", name="objected_why"),
    Index("uq_account_statement_day_member_account", "day", "member", text("coalesce(account, '')"), unique=True),
    Index("ix_account_statement_account_day", "account", "day"),
    Index("ix_account_statement_member_statement_no", "member", "statement_no"),
    Index("ix_account_statement_open", "due_day", postgresql_where=text("status = 'ISSUED'")),
)
"""The statements of account of each day: of an account, or, without ``account``, of a member as a whole."""

bulletin = Table(
    "bulletin",
    metadata,
    number("bulletin_no"),
    Column("day", Date, nullable=False, unique=True),
    string("content"),
    Column("hash", LargeBinary, nullable=False),
    integer("made_at"),
    CheckConstraint("length(hash) = 32", name="hash_sha256"),
)
