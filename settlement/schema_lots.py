"""The tables of lots, of their histories and papers, and of the load-outs that take them away.

Units as in ``settlement.schema``.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
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

from goldx.terms import FORMS
from settlement.schema import integer, metadata, number, one_of, string

ORIGINS = ("MINE", "RECYCLED_CONSUMER", "RECYCLED_TRADE", "MANUFACTURING", "INDUSTRIAL", "BANK")
"""Where the gold of a lot comes from (domain sheet 3.6)."""
CUSTOMS = ("DOMESTIC", "BONDED")
LOT_STATES = (
    *("PRE_ADVISED", "ARRIVED", "WEIGHED", "SCREENED", "MELTED", "SAMPLED", "ASSAYED", "CERTIFIED", "REGISTERED"),
    *("RECEIPTED", "ALLOCATED", "WITHDRAWN", "RELEASED"),
    *("CANCELLED", "CONSUMED", "QUARANTINED", "REJECTED", "RETURNED"),
)
LOT_GONE = ("RELEASED", "RETURNED", "CANCELLED", "CONSUMED")
"""States of a lot that is not here any more, nor to come: its mark may be used again."""
RECEIPT_STATES = ("PROPOSED", "ISSUING", "LIVE", "CANCELLED", "VOID")
LOAD_OUT_STATES = (
    *("APPLIED", "APPROVED", "SUCCESS", "SIGNED", "RELEASED", "CANCEL_PROPOSED", "CANCELLING", "CANCELLED"),
    *("EXPIRING", "EXPIRED", "REFUSED"),
)
LOAD_OUT_ORDERS = ("OWN_FIRST", "AGE")
LOAD_OUT_TYPES = ("SELF", "TRADE", "PARTIAL")
DECLARED_USES = ("INVESTMENT", "NON_INVESTMENT")

warehouse = Table(
    "warehouse",
    metadata,
    Column("warehouse", Text, primary_key=True),
    string("name"),
    string("city"),
    string("customs"),
    one_of("customs", CUSTOMS),
)

lot = Table(
    "lot",
    metadata,
    number("lot_id"),
    string("refiner"),
    string("serial"),
    integer("year", default=0),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    string("form"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    integer("declared_gross_cg"),
    integer("declared_fineness_e5"),
    string("state"),
    string("held_state", null=True),
    integer("gross_cg", null=True),
    integer("melt_cg", null=True),
    integer("fineness_e5", null=True),
    integer("fine_mg", null=True),
    integer("residue_1e7", null=True),
    one_of("form", FORMS),
    one_of("state", LOT_STATES),
    CheckConstraint("declared_gross_cg > 0 AND gross_cg > 0 AND melt_cg > 0 AND melt_cg <= gross_cg", name="weights"),
    CheckConstraint("fineness_e5 BETWEEN 1 AND 100000", name="fineness"),
    CheckConstraint(
        "fine_mg * 10000 + residue_1e7 = COALESCE(melt_cg, gross_cg) * fineness_e5 AND residue_1e7 BETWEEN 0 AND 9999",
        name="fine_is_weight_times_fineness",
    ),
    CheckConstraint(
        "(fine_mg IS NOT NULL) = (state IN ('CERTIFIED', 'REGISTERED', 'RECEIPTED', 'ALLOCATED', 'WITHDRAWN', "
        "'RELEASED')) OR state IN ('CONSUMED', 'QUARANTINED', 'REJECTED', 'RETURNED')",
        name="fine_once_certified",
    ),
    CheckConstraint("state <> 'QUARANTINED' OR held_state IS NOT NULL", name="held_from_somewhere"),
    Index(
        "uq_lot_refiner_serial_year",
        "refiner",
        "serial",
        "year",
        unique=True,
        postgresql_where=text("state NOT IN ('RELEASED', 'RETURNED', 'CANCELLED', 'CONSUMED')"),
    ),
    Index("ix_lot_symbol_warehouse_state", "symbol", "warehouse", "state", "lot_id"),
    Index("ix_lot_state_lot_id", "state", "lot_id"),
    Index("ix_lot_account_lot_id", "account", "lot_id"),
    Index("ix_lot_warehouse_lot_id", "warehouse", "lot_id"),
    Index("ix_lot_refiner_lot_id", "refiner", "lot_id"),
    Index("ix_lot_serial_lot_id", "serial", "lot_id", postgresql_ops={"serial": "text_pattern_ops"}),
)

custody_event = Table(
    "custody_event",
    metadata,
    number("event_id"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("step"),
    string("state"),
    integer("at"),
    string("by"),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    Column("detail", JSONB, nullable=False),
    Index("ix_custody_event_lot_id", "lot_id", "event_id"),
    Index("ix_custody_event_at_event_id", "at", "event_id"),
    Index("ix_custody_event_warehouse_at", "warehouse", "at", "event_id"),
    Index("ix_custody_event_arrive", "at", "lot_id", postgresql_where=text("step = 'arrive'")),
)

assay = Table(
    "assay",
    metadata,
    number("assay_id"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("method"),
    string("laboratory"),
    string("standard", null=True),
    integer("sample_no", null=True),
    Column("replicates_ppm", ARRAY(BigInteger), nullable=False),
    integer("reported_e5"),
    string("rule"),
    integer("at"),
    string("by"),
    one_of("method", ("FIRE_ASSAY", "XRF")),
    CheckConstraint("(method = 'FIRE_ASSAY') = (sample_no IS NOT NULL AND standard IS NOT NULL)", name="of_a_sample"),
    CheckConstraint("reported_e5 BETWEEN 1 AND 100000", name="reported"),
    Index("ix_assay_lot_id", "lot_id"),
)

certificate = Table(
    "certificate",
    metadata,
    Column("certificate_no", BigInteger, primary_key=True, autoincrement=False),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False, unique=True),
    string("content"),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("hash = sha256(convert_to(content, 'UTF8'))", name="hash_of_content"),
)

receipt = Table(
    "receipt",
    metadata,
    number("receipt_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    integer("fine_mg"),
    string("status"),
    string("reason", null=True),
    one_of("status", RECEIPT_STATES),
    CheckConstraint("fine_mg > 0", name="fine"),
    Index(
        "uq_receipt_lot_id",
        "lot_id",
        unique=True,
        postgresql_where=text("status IN ('PROPOSED', 'ISSUING', 'LIVE')"),
    ),
)

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
    one_of("status", LOAD_OUT_STATES),
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
