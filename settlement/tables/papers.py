"""The tables of the papers that the close of a day makes: statements of account, bulletins and invoices.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
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

from settlement.documents.statements import ACCOUNT_STATEMENT, INVOICE, INVOICE_CORRECTED
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
    string("accepted_by", null=True),
    integer("accepted_at", null=True),
    string("objection", null=True),
    string("answer", null=True),
    one_of("status", ACCOUNT_STATEMENT.states),
    CheckConstraint("length(hash) = 32", name="hash_sha256"),
    CheckConstraint(
        f"({is_in('status', ACCOUNT_STATEMENT.final)}) = (accepted_by IS NOT NULL) "
        "AND (accepted_by IS NULL) = (accepted_at IS NULL)",
        name="accepted_by_someone",
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

INVOICE_KINDS = ("ORDINARY", "SPECIAL")
INVOICE_PERIODS = ("DAY", "MONTH")

tax_profile = Table(
    "tax_profile",
    metadata,
    number("profile_no"),
    Column("member", Text, ForeignKey("member.member"), nullable=False),
    string("title"),
    string("tax_number"),
    string("kind"),
    string("period"),
    Column("from_day", Date, nullable=False),
    string("by"),
    integer("at"),
    one_of("kind", INVOICE_KINDS),
    one_of("period", INVOICE_PERIODS),
    CheckConstraint("kind <> 'SPECIAL' OR tax_number <> ''", name="special_with_number"),
    Index("ix_tax_profile_member_profile_no", "member", "profile_no"),
)
"""The buyer that a member's invoices name, the kind of invoice and how often, from a trading day on."""

invoice = Table(
    "invoice",
    metadata,
    Column("invoice_no", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Date, nullable=False),
    string("member"),
    string("kind"),
    integer("first_sequence"),
    integer("last_sequence"),
    integer("net_fen"),
    integer("tax_fen"),
    integer("total_fen"),
    string("content"),
    Column("hash", LargeBinary, nullable=False),
    string("status"),
    Column("corrects", BigInteger, ForeignKey("invoice.invoice_no")),
    Column("replaces", BigInteger, ForeignKey("invoice.invoice_no")),
    string("reason", null=True),
    Column("again", Boolean),
    string("parts", null=True),
    string("correction_by", null=True),
    string("corrected_by", null=True),
    integer("made_at"),
    one_of("kind", INVOICE_KINDS),
    one_of("status", INVOICE.states),
    CheckConstraint("length(hash) = 32", name="hash_sha256"),
    CheckConstraint("net_fen + tax_fen = total_fen", name="sums"),
    CheckConstraint("(total_fen < 0) = (corrects IS NOT NULL) AND total_fen <> 0", name="red_is_negative"),
    CheckConstraint("(status = 'RED') = (corrects IS NOT NULL)", name="red_corrects"),
    CheckConstraint(f"({is_in('status', INVOICE_CORRECTED)}) = (corrected_by IS NOT NULL)", name="corrected_by_whom"),
    CheckConstraint("corrected_by IS NULL OR reason IS NOT NULL AND correction_by IS NOT NULL", name="corrected_why"),
    CheckConstraint("corrected_by <> correction_by", name="two_people"),
    Index("ix_invoice_corrects", "corrects"),
    Index("uq_invoice_replaces", "replaces", unique=True),
    Index(
        "uq_invoice_day_member",
        "day",
        "member",
        unique=True,
        postgresql_where=text("corrects IS NULL AND replaces IS NULL"),
    ),
    Index("ix_invoice_member_invoice_no", "member", "invoice_no"),
)
"""Invoices, and the red ones that take something of them back.

``reason``, ``again``, ``parts`` and ``correction_by`` are those of the correction that is proposed or cancelled the
invoice out; a red invoice has its reason and its two people. A trigger holds the red invoices of each line and the line
together (``check_red_invoice``).
"""
