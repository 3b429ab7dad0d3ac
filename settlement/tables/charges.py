"""The tables of the tariff and of the fees that follow from it.

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
    Table,
    Text,
    UniqueConstraint,
    text,
)

from settlement.documents.charges import BILL_ONE_PER_ACCOUNT, FEE_BILL, TARIFF
from settlement.tables.columns import integer, is_in, metadata, number, one_of, string

FEE_KINDS = (
    "STORAGE_OWN",
    "STORAGE_BOUGHT",
    "STORAGE_LOAD_OUT",
    "FREIGHT_INSURANCE",
    "LOAD_IN",
    "LOAD_OUT",
    "OVERDUE",
    "UMPIRE",
)

tariff = Table(
    "tariff",
    metadata,
    number("tariff_no"),
    string("name"),
    integer("value"),
    Column("from_day", Date, nullable=False),
    string("status"),
    CheckConstraint("value >= 0", name="not_negative"),
    one_of("status", TARIFF.states),
    Index("uq_tariff_name_from_day", "name", "from_day", unique=True, postgresql_where=text("status <> 'DECLINED'")),
)

accrual_day = Table("accrual_day", metadata, Column("day", Date, primary_key=True), integer("at"))

fee_bill = Table(
    "fee_bill",
    metadata,
    number("bill_no"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    integer("exact_ufen"),
    integer("amount_fen"),
    string("status"),
    string("reason", null=True),
    Column("arrear", Boolean, nullable=False, server_default=text("false")),
    integer("made_at"),
    one_of("status", FEE_BILL.states),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("2 * abs(amount_fen * 1000000 - exact_ufen) <= 1000000", name="rounded_once"),
    Index(
        "uq_fee_bill_account",
        "account",
        unique=True,
        postgresql_where=text(is_in("status", BILL_ONE_PER_ACCOUNT)),
    ),
)

fee_accrual = Table(
    "fee_accrual",
    metadata,
    number("accrual_no"),
    Column("day", Date, nullable=False),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    string("symbol"),
    string("kind"),
    string("subject"),
    integer("quantity"),
    integer("rate"),
    integer("amount_ufen"),
    Column("bill_no", BigInteger, ForeignKey("fee_bill.bill_no")),
    one_of("kind", FEE_KINDS),
    CheckConstraint("quantity > 0 AND rate > 0 AND amount_ufen > 0", name="positive"),
    UniqueConstraint("day", "account", "symbol", "kind", "subject"),
    Index("ix_fee_accrual_account_bill_no", "account", "bill_no"),
)
