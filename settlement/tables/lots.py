"""The tables of warehouses, of lots and their histories, and of the rules a lot has to meet.

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
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from goldx.protocol.terms import FORMS
from settlement.documents.lots import ACCEPTANCE, FINE_KNOWN, FINE_POSSIBLE, GONE, LOT, PROVENANCE
from settlement.tables.columns import folded, integer, is_in, metadata, not_in, number, one_of, string

ORIGINS = ("MINE", "RECYCLED_CONSUMER", "RECYCLED_TRADE", "MANUFACTURING", "INDUSTRIAL", "BANK")
"""Where the gold of a lot comes from (domain sheet 3.6)."""
CUSTOMS = ("DOMESTIC", "BONDED")

warehouse = Table(
    "warehouse",
    metadata,
    Column("warehouse", Text, primary_key=True),
    string("name"),
    string("city"),
    string("customs"),
    one_of("customs", CUSTOMS),
    Index("uq_warehouse_warehouse", text(folded("warehouse")), unique=True),
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
    one_of("state", LOT.states),
    CheckConstraint("declared_gross_cg > 0 AND gross_cg > 0 AND melt_cg > 0 AND melt_cg <= gross_cg", name="weights"),
    CheckConstraint("fineness_e5 BETWEEN 1 AND 100000", name="fineness"),
    CheckConstraint(
        "fine_mg * 10000 + residue_1e7 = COALESCE(melt_cg, gross_cg) * fineness_e5 AND residue_1e7 BETWEEN 0 AND 9999",
        name="fine_is_weight_times_fineness",
    ),
    CheckConstraint(
        f"(fine_mg IS NOT NULL) = ({is_in('state', FINE_KNOWN)}) OR {is_in('state', FINE_POSSIBLE)}",
        name="fine_once_certified",
    ),
    CheckConstraint("state <> 'QUARANTINED' OR held_state IS NOT NULL", name="held_from_somewhere"),
    Index(
        "uq_lot_refiner_serial_year",
        text(folded("refiner")),
        text(folded("serial")),
        "year",
        unique=True,
        postgresql_where=text(not_in("state", GONE)),
    ),
    Index("ix_lot_here", "lot_id", postgresql_where=text(not_in("state", GONE))),
    Index("ix_lot_symbol_warehouse_state", "symbol", "warehouse", "state", "lot_id"),
    Index("ix_lot_state_lot_id", "state", "lot_id"),
    Index("ix_lot_account_lot_id", "account", "lot_id"),
    Index("ix_lot_warehouse_lot_id", "warehouse", "lot_id"),
    Index("ix_lot_refiner_lot_id", text(folded("refiner")), "lot_id"),
)
Index(
    "ix_lot_serial_lot_id",
    func.folded(lot.c.serial).label("folded_serial"),
    lot.c.lot_id,
    postgresql_ops={"folded_serial": "text_pattern_ops"},
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
    Index("ix_custody_event_title", "event_id", postgresql_where=text("step = 'title'")),
)
GRADES = ("LOW", "MEDIUM", "HIGH")

PARTIES = ("A", "B", "UMPIRE")
"""The parties of a sample or a result: the seller, the buyer (or the venue), the umpire."""

acceptance = Table(
    "acceptance",
    metadata,
    number("acceptance_no"),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    Column("forms", ARRAY(Text), nullable=False),
    Column("warehouses", ARRAY(Text), nullable=False),
    integer("min_fine_mg"),
    string("fineness_rule"),
    string("umpire_rule"),
    string("status"),
    one_of("status", ACCEPTANCE.states),
    CheckConstraint("cardinality(forms) > 0", name="some_form"),
    CheckConstraint("min_fine_mg >= 0", name="minimum"),
    Index("uq_acceptance_symbol", "symbol", unique=True, postgresql_where=text("status = 'LIVE'")),
)

scale = Table(
    "scale",
    metadata,
    Column("scale", Text, primary_key=True),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    integer("resolution_cg"),
    integer("capacity_cg"),
    string("calibration"),
    Column("calibrated_until", Date, nullable=False),
    CheckConstraint("resolution_cg IN (1, 2, 5, 10, 20, 50, 100)", name="resolution"),
    CheckConstraint("capacity_cg > 0 AND capacity_cg % resolution_cg = 0", name="capacity"),
    Index("uq_scale_scale", text(folded("scale")), unique=True),
)

provenance = Table(
    "provenance",
    metadata,
    number("provenance_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("origin"),
    string("country", null=True),
    string("licence", null=True),
    string("tax_proof", null=True),
    string("seller_check", null=True),
    Column("documents", ARRAY(Text), nullable=False),
    Column("conflict_area", Boolean, nullable=False),
    Column("missing", ARRAY(Text), nullable=False),
    string("grade"),
    Column("reasons", ARRAY(Text), nullable=False),
    string("rule"),
    string("due_diligence", null=True),
    string("status"),
    integer("at"),
    string("by"),
    one_of("origin", ORIGINS),
    one_of("grade", GRADES),
    one_of("status", PROVENANCE.states),
    Index("ix_provenance_lot_id", "lot_id"),
)

sample = Table(
    "sample",
    metadata,
    number("sample_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("party"),
    string("seal"),
    integer("weight_cg"),
    integer("at"),
    string("by"),
    integer("remelted_at", null=True),
    one_of("party", PARTIES),
    CheckConstraint("weight_cg > 0", name="weight"),
    Index("ix_sample_lot_id", "lot_id"),
    Index("uq_sample_seal", text(folded("seal")), unique=True),
)

LOCK_KINDS = ("FREEZE", "PLEDGE", "LEGAL_HOLD", "TRANSFER", "CANCEL", "CLAIM", "DEAL")

lot_lock = Table(
    "lot_lock",
    metadata,
    number("lock_id"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("kind"),
    Column("subject", BigInteger),
    string("reason"),
    string("by"),
    integer("at"),
    string("lifted_by", null=True),
    integer("lifted_at", null=True),
    one_of("kind", LOCK_KINDS),
    CheckConstraint("(lifted_by IS NULL) = (lifted_at IS NULL)", name="lifted_by_someone"),
    CheckConstraint("kind <> 'FREEZE' OR lifted_by <> by", name="two_people"),
    Index("uq_lot_lock_lot_id_kind", "lot_id", "kind", unique=True, postgresql_where=text("lifted_at IS NULL")),
    Index("ix_lot_lock_kind_subject", "kind", "subject"),
)

grade_customs = Table(
    "grade_customs",
    metadata,
    Column("symbol", Text, ForeignKey("instrument.symbol"), primary_key=True),
    string("customs"),
    string("set_by"),
    integer("set_at"),
    one_of("customs", CUSTOMS),
)
