"""The tables of reconciliation runs, of breaks and what is done about them, and of the keys that warehouses sign with.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from settlement.documents.reconciliation import BREAK, CORRECTED, WAREHOUSE_KEY
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
    integer("since", null=True),
)
"""``since``: the last sequence of the proved day after which the books were compared; null if everything was."""

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
    string("account", null=True),
    Column("cash_id", BigInteger, ForeignKey("cash_transfer.cash_id")),
    string("difference", null=True),
    one_of("status", BREAK.states),
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
"""Lot, account and document of money are what a break is about (``settlement.reconciliation.breaks.Break``).

``account`` refers to no table: a run also finds accounts that are in the ledger or the engine alone.
"""

break_state = Table(
    "break_state",
    metadata,
    number("change_no"),
    Column("break_id", BigInteger, ForeignKey("recon_break.break_id"), nullable=False),
    string("status"),
    string("owner"),
    string("explanation", null=True),
    string("unit"),
    string("note"),
    total("expected"),
    total("found"),
    integer("lot_id", null=True),
    integer("closed_at", null=True),
    Index("ix_break_state_break_id_change_no", "break_id", "change_no"),
)
"""Each state that a break was in, which a trigger keeps: what a run or a person changes of it."""

BREAK_STEPS = ("note", "assign", "explain", "resolve", "propose_write_off", "decline_write_off", "write_off", "reopen")
"""The steps that people take with a break, and the run that opens it again."""

break_step = Table(
    "break_step",
    metadata,
    number("step_no"),
    Column("break_id", BigInteger, ForeignKey("recon_break.break_id"), nullable=False),
    string("step"),
    string("text"),
    string("document", default=""),
    integer("at"),
    string("by"),
    one_of("step", BREAK_STEPS),
    CheckConstraint("(step IN ('resolve', 'propose_write_off', 'write_off')) <= (document <> '')", name="by_document"),
    Index("ix_break_step_break_id", "break_id"),
)
BREAK_FILE_KINDS = ("pdf", "png", "jpeg", "xlsx", "csv", "txt")
LARGEST_BREAK_FILE = 5 * 1024 * 1024

break_file = Table(
    "break_file",
    metadata,
    number("file_no"),
    Column("break_id", BigInteger, ForeignKey("recon_break.break_id"), nullable=False),
    string("name"),
    string("kind"),
    Column("sha256", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    integer("at"),
    string("by"),
    one_of("kind", BREAK_FILE_KINDS),
    CheckConstraint("sha256 = sha256(content)", name="hash_of_content"),
    CheckConstraint(f"length(content) BETWEEN 1 AND {LARGEST_BREAK_FILE}", name="size"),
    UniqueConstraint("break_id", "sha256"),
)
BREAK_AREAS = ("ENGINE", "LEDGER", "WAREHOUSE", "BANK", "FEE")
BREAK_LIMITS = ("OWNER", "OPERATIONS", "RISK", "SUPERVISOR", "LIMIT", "WRITE_OFF")

break_limit = Table(
    "break_limit",
    metadata,
    number("limit_no"),
    string("area"),
    string("name"),
    integer("value"),
    string("reason"),
    integer("at"),
    string("by"),
    one_of("area", BREAK_AREAS),
    one_of("name", BREAK_LIMITS),
    CheckConstraint("value >= 0", name="not_negative"),
    CheckConstraint("area <> 'ENGINE' OR name NOT IN ('LIMIT', 'WRITE_OFF')", name="engine_is_fixed"),
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
