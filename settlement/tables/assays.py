"""The tables of assays, laboratories, certificates and valuations.

Units as in ``settlement.tables.columns``.
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

from settlement.documents.assays import ASSAY_EXCHANGE, ASSAY_PARTY
from settlement.tables.columns import folded, integer, metadata, number, one_of, string
from settlement.tables.lots import PARTIES

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
ACCREDITATIONS = ("CMA", "CNAS")
"""CMA: Chinese legal evidence; CNAS: mutual recognition through ILAC (domain sheet 3.4)."""

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
    Index("uq_laboratory_laboratory", text(folded("laboratory")), unique=True),
    Index("uq_laboratory_accreditation_no", text(folded("accreditation_no")), unique=True),
)

assay_exchange = Table(
    "assay_exchange",
    metadata,
    number("assay_exchange_no"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("status"),
    integer("split_limit_e5"),
    string("fineness_rule"),
    string("umpire_rule"),
    integer("opened_at"),
    string("reason", null=True),
    one_of("status", ASSAY_EXCHANGE.states),
    Index("uq_assay_exchange_lot_id", "lot_id", unique=True, postgresql_where=text("status <> 'VOID'")),
)

assay_exchange_party = Table(
    "assay_exchange_party",
    metadata,
    Column("assay_exchange_no", BigInteger, ForeignKey("assay_exchange.assay_exchange_no"), primary_key=True),
    Column("party", Text, primary_key=True),
    Column("laboratory", Text, ForeignKey("laboratory.laboratory"), nullable=False),
    Column("sample_no", BigInteger, ForeignKey("sample.sample_no"), nullable=False),
    string("status"),
    Column("commitment", LargeBinary),
    integer("committed_at", null=True),
    string("opening", null=True),
    Column("assay_id", BigInteger, ForeignKey("assay.assay_id")),
    one_of("party", PARTIES),
    one_of("status", ASSAY_PARTY.states),
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
