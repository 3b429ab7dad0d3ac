"""The tables of reconciliation runs and of the differences they find.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, text

from settlement.documents.reconciliation import BREAK_OPEN, CORRECTED
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
