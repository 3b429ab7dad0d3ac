"""The tables of the venue's bank accounts and of what the bank says of them: statements, entries, single payments.

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
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from settlement.documents.banking import BANK_TIE, BANK_VOID, VIRTUAL_ACCOUNT_END, VIRTUAL_ACCOUNT_ENDS
from settlement.tables.columns import folded, integer, is_in, metadata, number, one_of, string

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
    Column("void_order", BigInteger, ForeignKey("bank_void.void_order")),
    Column("unclear_reversals", Boolean, nullable=False),
    one_of("kind", STATEMENT_KINDS),
    CheckConstraint("first_day <= last_day", name="days_in_order"),
    CheckConstraint("kind <> 'BOOKED' OR opening_fen IS NOT NULL AND closing_fen IS NOT NULL", name="balances"),
    Index("ix_bank_statement_account_id_statement_no", "account_id", "statement_no"),
)
"""A statement with a ``void_order`` is kept and shown, and counts for nothing."""

bank_void = Table(
    "bank_void",
    metadata,
    number("void_no"),
    Column("statement_no", BigInteger, ForeignKey("bank_statement.statement_no", use_alter=True), nullable=False),
    Column("statements", ARRAY(BigInteger), nullable=False),
    string("reason"),
    string("status"),
    integer("void_order", null=True),
    one_of("status", BANK_VOID.states),
    CheckConstraint("statement_no = ANY(statements)", name="has_the_wrong_one"),
    CheckConstraint("(status = 'VOIDED') = (void_order IS NOT NULL)", name="in_order"),
    UniqueConstraint("void_order"),
)
"""A statement that was taken in and is wrong, and with it those that follow it.

``void_order`` numbers the voids in the order in which they were approved, so that a day's proof can say which were
known.
"""

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

MATCHES = ("RECORDED", "VIRTUAL", "REFERENCE", "ASSIGNED", "TIED", "RETURN", "OFFSET")
"""How a payment is tied to money in or out: recorded before, by virtual account, by reference, by a clerk who assigned
it to an account, by a clerk who tied it to recorded money, as a return.

A payment that was taken back before its money was credited, and the one that took it back, are tied to each other.
"""

virtual_account = Table(
    "virtual_account",
    metadata,
    Column("number", Text, primary_key=True),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    integer("added_at"),
    string("added_by"),
    Index("uq_virtual_account_number", text(folded("number")), unique=True),
)

virtual_account_end = Table(
    "virtual_account_end",
    metadata,
    number("end_no"),
    Column("number", Text, ForeignKey("virtual_account.number"), nullable=False),
    Column("from_day", Date, nullable=False),
    string("reason"),
    string("status"),
    one_of("status", VIRTUAL_ACCOUNT_END.states),
    Index(
        "uq_virtual_account_end_number",
        "number",
        unique=True,
        postgresql_where=text(is_in("status", VIRTUAL_ACCOUNT_ENDS)),
    ),
)
"""The end of a virtual account: payments from ``from_day`` on are in suspense."""

bank_match = Table(
    "bank_match",
    metadata,
    number("match_no"),
    Column("item_no", BigInteger, ForeignKey("bank_item.item_no"), nullable=False),
    Column("cash_id", BigInteger, ForeignKey("cash_transfer.cash_id")),
    Column("against_item", BigInteger, ForeignKey("bank_item.item_no")),
    Column("group_no", BigInteger, ForeignKey("bank_item.item_no")),
    string("how"),
    string("why"),
    integer("at"),
    string("by"),
    one_of("how", MATCHES),
    CheckConstraint("(how = 'OFFSET') = (cash_id IS NULL)", name="moves_money"),
    CheckConstraint("(how IN ('RETURN', 'OFFSET')) = (against_item IS NOT NULL)", name="takes_back"),
    CheckConstraint("group_no <= item_no", name="group_of_first"),
    Index(
        "uq_bank_match_cash_id",
        "cash_id",
        unique=True,
        postgresql_where=text("group_no IS NULL OR group_no = item_no"),
    ),
    Index("ix_bank_match_item_no", "item_no"),
    Index("ix_bank_match_against_item", "against_item"),
)

"""``group_no``: the first of several payments that are tied together. It is tied to each money that they are, each of
the others to the first of it; so no money is tied twice.
"""

voided_match = Table(
    "voided_match",
    metadata,
    Column("match_no", BigInteger, primary_key=True, autoincrement=False),
    Column("item_no", BigInteger, ForeignKey("bank_item.item_no"), nullable=False),
    Column("cash_id", BigInteger, ForeignKey("cash_transfer.cash_id")),
    Column("against_item", BigInteger, ForeignKey("bank_item.item_no")),
    Column("group_no", BigInteger, ForeignKey("bank_item.item_no")),
    string("how"),
    string("why"),
    integer("at"),
    string("by"),
    Column("void_order", BigInteger, ForeignKey("bank_void.void_order"), nullable=False),
    one_of("how", MATCHES),
)
"""The ties that a void has undone, as they were in ``bank_match``."""

UNDONE_CAUSES = ("VOIDED", "PAID_AFTER_ALL")
"""Why money is undone: its payment was in a statement that was voided; it came back for a payment that the bank had
rejected, and the bank has paid that after all.
"""

undone_money = Table(
    "undone_money",
    metadata,
    number("undone_no"),
    Column("cash_id", BigInteger, ForeignKey("cash_transfer.cash_id"), nullable=False),
    string("cause"),
    string("why"),
    string("ended", null=True),
    integer("at"),
    string("by"),
    one_of("cause", UNDONE_CAUSES),
    Index("uq_undone_money_cash_id", "cash_id", unique=True, postgresql_where=text("ended IS NULL")),
)
"""Money in or out that no payment of the bank stands behind any more. ``ended``: why it stands after all."""

undone_attempt = Table(
    "undone_attempt",
    metadata,
    Column("cash_id", BigInteger, ForeignKey("cash_transfer.cash_id"), primary_key=True, autoincrement=False),
    Column("undone_no", BigInteger, ForeignKey("undone_money.undone_no"), nullable=False),
    Index("ix_undone_attempt_undone_no", "undone_no"),
)
"""The money that goes the other way: it undoes the other once it is done."""

payment_claim = Table(
    "payment_claim",
    metadata,
    number("claim_no"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    integer("amount_fen"),
    Column("item_no", BigInteger, ForeignKey("bank_item.item_no")),
    Column("undone_no", BigInteger, ForeignKey("undone_money.undone_no")),
    integer("at"),
    integer("began", null=True),
    integer("ended", null=True),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("(item_no IS NULL) <> (undone_no IS NULL)", name="one_cause"),
    Index("uq_payment_claim_item_no", "item_no", unique=True, postgresql_where=text("ended IS NULL")),
    Index("uq_payment_claim_undone_no", "undone_no", unique=True, postgresql_where=text("ended IS NULL")),
)
"""Claims on accounts that could not give back the money of a payment, or of money that is to be undone.

``began`` and ``ended`` are the sequences of the engine's events that did; a claim is in force between them.
"""

bank_tie = Table(
    "bank_tie",
    metadata,
    number("tie_no"),
    Column("payments", ARRAY(BigInteger), nullable=False),
    Column("money", ARRAY(BigInteger), nullable=False),
    integer("amount_fen"),
    string("why"),
    string("status"),
    one_of("status", BANK_TIE.states),
    CheckConstraint("cardinality(payments) > 0 AND cardinality(money) > 0", name="both_sides"),
)
"""Payments that a clerk ties by hand, and the recorded money that they are."""

PAYMENT_FORMATS = ("pain.001", "CSV")
PAYMENT_ANSWERS = ("PENDING", "ACCEPTED", "REJECTED")

payment_order = Table(
    "payment_order",
    metadata,
    Column("cash_id", BigInteger, ForeignKey("cash_transfer.cash_id"), primary_key=True, autoincrement=False),
    Column("end_to_end", Text, nullable=False, unique=True),
    string("payee_name"),
    string("payee_account"),
    string("payee_bank"),
    integer("at"),
    string("by"),
)

payment_file = Table(
    "payment_file",
    metadata,
    number("payment_file_no"),
    Column("account_id", BigInteger, ForeignKey("bank_account.account_id"), nullable=False),
    string("format"),
    Column("content", LargeBinary, nullable=False),
    integer("payments"),
    integer("sum_fen"),
    integer("at"),
    string("by"),
    one_of("format", PAYMENT_FORMATS),
)

payment_in_file = Table(
    "payment_in_file",
    metadata,
    Column("cash_id", BigInteger, ForeignKey("payment_order.cash_id"), primary_key=True, autoincrement=False),
    Column("payment_file_no", BigInteger, ForeignKey("payment_file.payment_file_no"), nullable=False),
)
"""An order stands in one file at most, so none is sent to the bank twice."""

payment_answer = Table(
    "payment_answer",
    metadata,
    number("answer_no"),
    Column("cash_id", BigInteger, ForeignKey("payment_order.cash_id"), nullable=False),
    string("answer"),
    string("reason"),
    Column("back_cash_id", BigInteger, ForeignKey("cash_transfer.cash_id")),
    integer("at"),
    string("by"),
    one_of("answer", PAYMENT_ANSWERS),
    CheckConstraint("back_cash_id IS NULL OR answer = 'REJECTED'", name="only_rejected_comes_back"),
    Index("ix_payment_answer_cash_id", "cash_id"),
    Index("uq_payment_answer_back_cash_id", "back_cash_id", unique=True),
)
