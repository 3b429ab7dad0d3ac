"""The tables of intake: what a class accepts, balances, laboratories, provenance, melts, samples, the assay exchange.

Units as in ``settlement.schema``, melt weights in mg. Days (``_until``, ``_from``) are dates of Shanghai.
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from settlement.schema import integer, metadata, number, one_of, string
from settlement.schema_lots import ORIGINS

PARTIES = ("A", "B", "UMPIRE")
"""Whose a sample or a result is: the seller's, the buyer's (or the venue's), the umpire's."""
GRADES = ("LOW", "MEDIUM", "HIGH")
ACCEPTANCE_STATES = ("PROPOSED", "LIVE", "REPLACED", "DECLINED")
PROVENANCE_STATES = ("RECORDED", "PROPOSED", "ACCEPTED")
EXCHANGE_STATES = ("OPEN", "COMMITTED", "AGREED", "SPLIT", "DECIDED", "VOID")
PARTY_STATES = ("INVITED", "COMMITTED", "REVEALED")
ACCREDITATIONS = ("CMA", "CNAS")
"""CMA: Chinese legal evidence; CNAS: mutual recognition through ILAC (domain sheet 3.4)."""

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
    one_of("status", ACCEPTANCE_STATES),
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
)

laboratory = Table(
    "laboratory",
    metadata,
    Column("laboratory", Text, primary_key=True),
    string("name"),
    string("name_zh", default=""),
    Column("accreditations", ARRAY(Text), nullable=False),
    string("accreditation_no"),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    CheckConstraint(
        "cardinality(accreditations) > 0 AND accreditations <@ ARRAY['CMA', 'CNAS']", name="accreditations_known"
    ),
    CheckConstraint("valid_from <= valid_until", name="validity"),
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
    one_of("status", PROVENANCE_STATES),
    Index("ix_provenance_lot_id", "lot_id"),
)

melt = Table(
    "melt",
    metadata,
    number("melt_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("form"),
    string("scale"),
    integer("parents_mg"),
    integer("child_mg"),
    integer("loss_mg"),
    string("rule"),
    Column("alarms", ARRAY(Text), nullable=False),
    integer("fine_parents_mg", null=True),
    integer("fine_child_mg", null=True),
    integer("fine_loss_mg", null=True),
    string("explanation", null=True),
    string("explained_by", null=True),
    integer("at"),
    string("by"),
    CheckConstraint("parents_mg = child_mg + loss_mg AND loss_mg >= 0", name="weight_is_conserved"),
    CheckConstraint("fine_parents_mg = fine_child_mg + fine_loss_mg", name="gold_is_conserved"),
    CheckConstraint("explained_by <> by", name="explained_by_another"),
    Index("ix_melt_lot_id", "lot_id"),
    Index("ix_melt_form_at", "form", "at"),
)

melt_parent = Table(
    "melt_parent",
    metadata,
    Column("melt_no", BigInteger, ForeignKey("melt.melt_no"), primary_key=True),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), primary_key=True),
    integer("weight_mg"),
    integer("fine_mg", null=True),
    Index("uq_melt_parent_lot_id", "lot_id", unique=True),
)

sample = Table(
    "sample",
    metadata,
    number("sample_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("party"),
    Column("seal", Text, nullable=False, unique=True),
    integer("weight_cg"),
    integer("at"),
    string("by"),
    integer("remelted_at", null=True),
    one_of("party", PARTIES),
    CheckConstraint("weight_cg > 0", name="weight"),
    Index("ix_sample_lot_id", "lot_id"),
)

exchange = Table(
    "exchange",
    metadata,
    number("exchange_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("status"),
    integer("split_limit_e5"),
    string("fineness_rule"),
    string("umpire_rule"),
    integer("opened_at"),
    string("reason", null=True),
    one_of("status", EXCHANGE_STATES),
    Index("uq_exchange_lot_id", "lot_id", unique=True, postgresql_where=text("status <> 'VOID'")),
)

exchange_party = Table(
    "exchange_party",
    metadata,
    Column("exchange_no", BigInteger, ForeignKey("exchange.exchange_no"), primary_key=True),
    Column("party", Text, primary_key=True),
    Column("laboratory", Text, ForeignKey("laboratory.laboratory"), nullable=False),
    Column("sample_no", BigInteger, ForeignKey("sample.sample_no"), nullable=False),
    string("status"),
    Column("commitment", LargeBinary),
    integer("committed_at", null=True),
    string("opening", null=True),
    Column("assay_id", BigInteger, ForeignKey("assay.assay_id")),
    one_of("party", PARTIES),
    one_of("status", PARTY_STATES),
    CheckConstraint("length(commitment) = 32", name="commitment_sha256"),
    CheckConstraint("(status = 'REVEALED') = (assay_id IS NOT NULL)", name="revealed_with_a_result"),
    CheckConstraint("commitment = sha256(convert_to(opening, 'UTF8'))", name="revealed_what_was_committed"),
)

finding = Table(
    "finding",
    metadata,
    number("finding_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    Column("assays", ARRAY(BigInteger), nullable=False),
    integer("final_e5"),
    string("rule"),
    integer("split_limit_e5", null=True),
    string("umpire_paid_by", null=True),
    integer("at"),
    string("by"),
    CheckConstraint("final_e5 BETWEEN 1 AND 100000", name="final"),
    Index("ix_finding_lot_id", "lot_id"),
)

valuation = Table(
    "valuation",
    metadata,
    number("valuation_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    Column("terms", JSONB, nullable=False),
    Column("figures", JSONB, nullable=False),
    integer("at"),
    string("by"),
    Index("ix_valuation_lot_id", "lot_id"),
)
