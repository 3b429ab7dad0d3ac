"""The tables of the venue's bank accounts and of what the bank says of them: statements, entries, single payments.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from settlement.tables.columns import folded, integer, metadata, number, one_of, string

STATEMENT_KINDS = ("BOOKED", "REPORT", "NOTICE")

bank_account = Table(
    "bank_account",
    metadata,
    number("account_id"),
    string("account_number"),
    string("bank"),
    string("holder"),
    string("currency"),
    string("profile", null=True),
    integer("added_at"),
    string("added_by"),
    CheckConstraint("currency = 'CNY'", name="currency_known"),
    Index("uq_bank_account_account_number", text(folded("account_number")), unique=True),
)

bank_statement = Table(
    "bank_statement",
    metadata,
    number("statement_no"),
    Column("account_id", BigInteger, ForeignKey("bank_account.account_id"), nullable=False),
    Column("file_no", BigInteger, ForeignKey("file.file_no"), nullable=False),
    string("format"),
    string("kind"),
    string("stated_id"),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    integer("opening_fen", null=True),
    integer("closing_fen", null=True),
    integer("entries"),
    Column("notes", JSONB, nullable=False),
    integer("taken_at"),
    string("taken_by"),
    one_of("kind", STATEMENT_KINDS),
    CheckConstraint("first_day <= last_day", name="days_in_order"),
    CheckConstraint("kind <> 'BOOKED' OR opening_fen IS NOT NULL AND closing_fen IS NOT NULL", name="balances"),
    Index("ix_bank_statement_account_id_statement_no", "account_id", "statement_no"),
)

bank_entry = Table(
    "bank_entry",
    metadata,
    Column(
        "statement_no",
        BigInteger,
        ForeignKey("bank_statement.statement_no"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    integer("line"),
    Column("day", Date, nullable=False),
    Column("value_day", Date),
    integer("amount_fen"),
    Column("reversal", Boolean, nullable=False),
    string("bank_reference"),
    string("code"),
    CheckConstraint("amount_fen <> 0", name="not_zero"),
)

bank_item = Table(
    "bank_item",
    metadata,
    number("item_no"),
    Column("statement_no", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
    integer("part"),
    integer("amount_fen"),
    string("reference"),
    string("name"),
    string("account"),
    string("virtual_account"),
    string("text"),
    ForeignKeyConstraint(["statement_no", "place"], ["bank_entry.statement_no", "bank_entry.place"]),
    UniqueConstraint("statement_no", "place", "part"),
)
