"""The tables of custody: what a lot or an account's gold is bound by, where lots travel, and how they leave.

Units as in ``settlement.schema``. What a CHECK cannot say (a locked lot is not allocated, a class takes metal of one
customs status) is said by triggers in the migrations.
"""

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text, text

from settlement.schema import CUSTOMS, _integer, _number, _one_of, _text, metadata

LOCK_KINDS = ("FREEZE", "PLEDGE", "LEGAL_HOLD", "TRANSFER", "CANCEL", "CLAIM")
ENCUMBRANCE_KINDS = ("PLEDGE", "LEGAL_HOLD")
ENCUMBRANCE_STATES = (
    *("ENTERED", "PAIRED", "PROPOSED", "SENDING", "LIVE", "RELEASE_ENTERED", "RELEASE_PAIRED", "LIFT_PROPOSED"),
    *("RELEASING", "RELEASED", "WITHDRAWN", "REFUSED"),
)
TRANSFER_STATES = ("PROPOSED", "MADE", "SHIPPED", "RECEIVED", "CANCELLED")

grade_customs = Table(
    "grade_customs",
    metadata,
    Column("symbol", Text, ForeignKey("instrument.symbol"), primary_key=True),
    _text("customs"),
    _text("set_by"),
    _integer("set_at"),
    _one_of("customs", CUSTOMS),
)

lot_lock = Table(
    "lot_lock",
    metadata,
    _number("lock_id"),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), nullable=False),
    _text("kind"),
    Column("subject", BigInteger),
    _text("reason"),
    _text("by"),
    _integer("at"),
    _text("lifted_by", null=True),
    _integer("lifted_at", null=True),
    _one_of("kind", LOCK_KINDS),
    CheckConstraint("(lifted_by IS NULL) = (lifted_at IS NULL)", name="lifted_by_someone"),
    CheckConstraint("kind <> 'FREEZE' OR lifted_by <> by", name="two_people"),
    Index("uq_lot_lock_lot_id_kind", "lot_id", "kind", unique=True, postgresql_where=text("lifted_at IS NULL")),
    Index("ix_lot_lock_kind_subject", "kind", "subject"),
)

encumbrance = Table(
    "encumbrance",
    metadata,
    _number("encumbrance_no"),
    _text("kind"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    _integer("fine_mg"),
    Column("lots", ARRAY(BigInteger), nullable=False),
    _text("in_favour_of"),
    _text("document"),
    _text("counter_document", null=True),
    _text("release_document", null=True),
    _text("release_counter_document", null=True),
    _text("status"),
    _text("reason", null=True),
    _text("entered_by"),
    _integer("entered_at"),
    _one_of("kind", ENCUMBRANCE_KINDS),
    _one_of("status", ENCUMBRANCE_STATES),
    CheckConstraint(
        "fine_mg > 0 OR kind = 'LEGAL_HOLD' AND fine_mg = 0 AND cardinality(lots) > 0", name="of_something"
    ),
    CheckConstraint(
        "kind <> 'PLEDGE' OR counter_document IS NOT NULL OR status IN ('ENTERED', 'WITHDRAWN')", name="both_sides"
    ),
    CheckConstraint(
        "kind <> 'PLEDGE' OR release_document IS NOT NULL AND release_counter_document IS NOT NULL "
        "OR status NOT IN ('RELEASE_PAIRED', 'RELEASING', 'RELEASED')",
        name="both_sides_release",
    ),
    Index(
        "uq_encumbrance_kind_document",
        "kind",
        "document",
        unique=True,
        postgresql_where=text("status NOT IN ('REFUSED', 'WITHDRAWN')"),
    ),
    Index("ix_encumbrance_account_symbol", "account", "symbol"),
)

transfer = Table(
    "transfer",
    metadata,
    _number("transfer_no"),
    Column("from_warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    Column("to_warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    Column("new_symbol", Text, ForeignKey("instrument.symbol")),
    _text("permit", null=True),
    _text("reason"),
    _text("status"),
    _text("seal", null=True),
    _text("carrier", null=True),
    _text("shipped_by", null=True),
    _integer("shipped_at", null=True),
    _text("received_by", null=True),
    _integer("received_at", null=True),
    _one_of("status", TRANSFER_STATES),
    CheckConstraint("from_warehouse <> to_warehouse", name="somewhere_else"),
    CheckConstraint("(new_symbol IS NULL) = (permit IS NULL)", name="customs_by_permit"),
    CheckConstraint("received_by <> shipped_by", name="two_people"),
)

transfer_lot = Table(
    "transfer_lot",
    metadata,
    Column("transfer_no", BigInteger, ForeignKey("transfer.transfer_no"), primary_key=True),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), primary_key=True),
    Index("ix_transfer_lot_lot_id", "lot_id"),
)
