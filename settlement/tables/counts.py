"""The tables of inventory counts: what is to be counted, what each counter found, and the signed record.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
)

from settlement.documents.counts import INVENTORY_COUNT
from settlement.tables.columns import integer, metadata, number, one_of, string

EXTENTS = ("FULL", "LOTS", "SAMPLE")
SOURCES = ("TYPED", "LIST", "SCAN")

inventory_count = Table(
    "inventory_count",
    metadata,
    number("count_no"),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    string("extent"),
    Column("lots", ARRAY(BigInteger), nullable=False),
    integer("sample", null=True),
    string("seed", null=True),
    string("first_counter"),
    string("second_counter"),
    string("why"),
    string("status"),
    string("supervisor", null=True),
    string("reason", null=True),
    integer("opened_at", null=True),
    integer("closed_at", null=True),
    Column("run_id", BigInteger, ForeignKey("recon_run.run_id")),
    one_of("extent", EXTENTS),
    one_of("status", INVENTORY_COUNT.states),
    CheckConstraint("first_counter <> second_counter", name="two_counters"),
    CheckConstraint("supervisor NOT IN (first_counter, second_counter)", name="supervised_by_another"),
    CheckConstraint("(extent = 'SAMPLE') = (sample IS NOT NULL AND seed IS NOT NULL)", name="drawn_by_a_seed"),
    CheckConstraint("(status = 'CLOSED') = (supervisor IS NOT NULL AND run_id IS NOT NULL)", name="closed_by_someone"),
    Index("ix_inventory_count_warehouse_status", "warehouse", "status"),
)

count_lot = Table(
    "count_lot",
    metadata,
    Column("count_no", BigInteger, ForeignKey("inventory_count.count_no"), primary_key=True, autoincrement=False),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    string("refiner"),
    string("serial"),
    integer("year"),
    Index("uq_count_lot_count_no_lot_id", "count_no", "lot_id", unique=True),
)

count_again = Table(
    "count_again",
    metadata,
    Column("count_no", BigInteger, ForeignKey("inventory_count.count_no"), primary_key=True, autoincrement=False),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id")),
    string("refiner"),
    string("serial"),
    integer("year"),
)

count_result = Table(
    "count_result",
    metadata,
    number("result_no"),
    Column("count_no", BigInteger, ForeignKey("inventory_count.count_no"), nullable=False),
    integer("round"),
    string("counter"),
    string("refiner"),
    string("serial"),
    integer("year"),
    Column("found", Boolean, nullable=False),
    integer("gross_cg", null=True),
    string("seal", null=True),
    string("condition", default=""),
    string("source"),
    integer("at"),
    one_of("source", SOURCES),
    CheckConstraint("round IN (1, 2)", name="round_known"),
    CheckConstraint("gross_cg > 0", name="weight"),
    CheckConstraint("found OR (gross_cg IS NULL AND seal IS NULL)", name="what_is_missing_has_no_weight"),
    Index("ix_count_result_count_no_round_counter", "count_no", "round", "counter"),
)

count_signature = Table(
    "count_signature",
    metadata,
    number("signature_no"),
    Column("count_no", BigInteger, ForeignKey("inventory_count.count_no"), nullable=False),
    integer("round"),
    string("counter"),
    integer("last_result"),
    integer("at"),
    Index("ix_count_signature_count_no", "count_no"),
)

count_record = Table(
    "count_record",
    metadata,
    Column("count_no", BigInteger, ForeignKey("inventory_count.count_no"), primary_key=True, autoincrement=False),
    string("content"),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("hash = sha256(convert_to(content, 'UTF8'))", name="hash_of_content"),
)
