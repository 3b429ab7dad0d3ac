"""The tables of load-outs and of the quality claims about them.

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
)

from settlement.documents.load_outs import LOAD_OUT, QUALITY_CLAIM
from settlement.tables.columns import integer, metadata, number, one_of, string

LOAD_OUT_ORDERS = ("OWN_FIRST", "AGE")
LOAD_OUT_TYPES = ("SELF", "TRADE", "PARTIAL")
DECLARED_USES = ("INVESTMENT", "NON_INVESTMENT")

load_out = Table(
    "load_out",
    metadata,
    number("load_out_no"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    integer("ask_mg"),
    integer("allocated_mg"),
    integer("price"),
    string("price_source"),
    integer("over_short_fen"),
    string("lots_by"),
    string("type"),
    integer("own_mg"),
    string("declared_use"),
    Column("from_day", Date, nullable=False),
    Column("until_day", Date, nullable=False),
    string("collector"),
    string("collector_id"),
    Column("code_salt", LargeBinary, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    Column("id_hash", LargeBinary, nullable=False),
    Column("new_code_hash", LargeBinary),
    integer("wrong_codes", default=0),
    string("status"),
    string("reason", null=True),
    integer("applied_at"),
    string("signed_by", null=True),
    string("released_by", null=True),
    integer("released_at", null=True),
    one_of("status", LOAD_OUT.states),
    one_of("lots_by", LOAD_OUT_ORDERS),
    one_of("type", LOAD_OUT_TYPES),
    one_of("declared_use", DECLARED_USES),
    CheckConstraint("ask_mg > 0 AND allocated_mg > 0 AND price > 0", name="positive"),
    CheckConstraint("own_mg BETWEEN 0 AND ask_mg", name="own_part"),
    CheckConstraint("from_day <= until_day", name="window"),
    CheckConstraint("wrong_codes >= 0", name="wrong_codes_count"),
    CheckConstraint("released_by <> signed_by", name="two_signatures"),
    CheckConstraint(
        "status <> 'RELEASED' OR signed_by IS NOT NULL AND released_by IS NOT NULL AND released_at IS NOT NULL",
        name="released_by_two",
    ),
    Index("ix_load_out_account_status", "account", "status"),
)

load_out_lot = Table(
    "load_out_lot",
    metadata,
    Column("load_out_no", BigInteger, ForeignKey("load_out.load_out_no"), primary_key=True),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), primary_key=True),
    Index("ix_load_out_lot_lot_id", "lot_id"),
)
QUALITY_CLAIM_PAYERS = ("MEMBER", "VENUE")

quality_claim = Table(
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
    one_of("status", QUALITY_CLAIM.states),
    one_of("payer", QUALITY_CLAIM_PAYERS),
    CheckConstraint("umpire_e5 BETWEEN 1 AND 100000 AND umpire_fee_fen >= 0", name="result"),
    CheckConstraint("status <> 'DECIDED' OR upheld IS NOT NULL AND payer IS NOT NULL", name="decided_with_payer"),
    CheckConstraint("upheld IS NULL OR (payer = 'VENUE') = upheld", name="loser_pays"),
)
