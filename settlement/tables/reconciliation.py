"""The tables of reconciliation runs, of the differences they find, and of the keys that warehouses sign with.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, LargeBinary, Table, Text, text

from settlement.documents.reconciliation import BREAK_OPEN, CORRECTED, WAREHOUSE_KEY
from settlement.tables.columns import integer, metadata, number, one_of, string, total

NOT_CORRECTED = f"status <> {CORRECTED!r}"

recon_run = Table(
    "recon_run",
    metadata,
    number("run_id"),
    integer("at"),
    integer("sequence"),
    string("by"),
    integer("checked"),
    integer("breaks"),
    string("scope", default="books"),
)

recon_break = Table(
    "recon_break",
    metadata,
    number("break_id"),
    string("kind"),
    string("subject"),
    string("asset"),
    total("expected"),
    total("found"),
    string("owner"),
    string("status"),
    integer("opened_at"),
    integer("closed_at", null=True),
    Column("first_run", BigInteger, ForeignKey("recon_run.run_id"), nullable=False),
    Column("last_run", BigInteger, ForeignKey("recon_run.run_id"), nullable=False),
    string("explanation", null=True),
    string("scope", default="books"),
    string("unit", default="amount"),
    string("note", default=""),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id")),
    one_of("status", (*BREAK_OPEN, CORRECTED)),
    Index(
        "uq_recon_break_scope_kind_subject_asset_lot",
        "scope",
        "kind",
        "subject",
        "asset",
        text("coalesce(lot_id, 0)"),
        unique=True,
        postgresql_where=text(NOT_CORRECTED),
    ),
)

warehouse_key = Table(
    "warehouse_key",
    metadata,
    number("key_no"),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    string("reason"),
    string("status"),
    string("end_reason", null=True),
    one_of("status", WAREHOUSE_KEY.states),
    CheckConstraint("length(public_key) = 32", name="public_key_ed25519"),
    CheckConstraint("(status = 'ENDED') = (end_reason IS NOT NULL)", name="ended_for_a_reason"),
    Index("uq_warehouse_key_public_key", "public_key", unique=True, postgresql_where=text("status <> 'DECLINED'")),
)
