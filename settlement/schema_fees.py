"""The tables of what custody costs: the tariff, what accounts hold by origin, quality claims.

Units as in ``settlement.schema``; ``_ufen`` are millionths of a fen, in which a fee per kg of so many mg is exact.
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
    Table,
    Text,
    UniqueConstraint,
    text,
)

from settlement.schema import integer, metadata, number, one_of, string

TARIFF_STATES = ("PROPOSED", "AGREED", "DECLINED")
CLAIM_STATES = ("OPEN", "AT_UMPIRE", "PROPOSED", "DECIDED")
CLAIM_PAYERS = ("MEMBER", "VENUE")
BILL_STATES = ("PROPOSED", "SENDING", "DONE", "DECLINED", "ARREAR", "REPLACED")
FEE_KINDS = (
    *("STORAGE_OWN", "STORAGE_BOUGHT", "STORAGE_LOAD_OUT", "FREIGHT_INSURANCE", "LOAD_IN", "LOAD_OUT"),
    *("OVERDUE", "UMPIRE"),
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
    one_of("status", TARIFF_STATES),
    Index("uq_tariff_name_from_day", "name", "from_day", unique=True, postgresql_where=text("status <> 'DECLINED'")),
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
    one_of("status", BILL_STATES),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("2 * abs(amount_fen * 1000000 - exact_ufen) <= 1000000", name="rounded_once"),
    Index(
        "uq_fee_bill_account",
        "account",
        unique=True,
        postgresql_where=text("status IN ('PROPOSED', 'SENDING', 'ARREAR')"),
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

claim = Table(
    "claim",
    metadata,
    number("claim_no"),
    Column("load_out_no", BigInteger, ForeignKey("load_out.load_out_no"), nullable=False),
    Column("lots", ARRAY(BigInteger), nullable=False),
    string("reason"),
    Column("last_day", Date, nullable=False),
    string("status"),
    string("laboratory", null=True),
    integer("umpire_e5", null=True),
    Column("upheld", Boolean),
    string("payer", null=True),
    integer("umpire_fee_fen", null=True),
    string("opened_by"),
    integer("opened_at"),
    one_of("status", CLAIM_STATES),
    one_of("payer", CLAIM_PAYERS),
    CheckConstraint("umpire_e5 BETWEEN 1 AND 100000 AND umpire_fee_fen >= 0", name="result"),
    CheckConstraint("status <> 'DECIDED' OR upheld IS NOT NULL AND payer IS NOT NULL", name="decided_with_payer"),
    CheckConstraint("upheld IS NULL OR (payer = 'VENUE') = upheld", name="loser_pays"),
)
