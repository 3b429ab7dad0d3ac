"""The tables of receipts, of pledges and legal holds, and of transfers between warehouses.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    text,
)

from settlement.documents.custody import (
    LEGAL_HOLD,
    NEVER_BOUND,
    PLEDGE,
    PLEDGOR_ALONE,
    RECEIPT,
    RECEIPT_OPEN,
    RELEASE_BY_BOTH,
    TRANSFER,
)
from settlement.documents.machine import union
from settlement.tables.columns import folded, integer, is_in, metadata, not_in, number, one_of, string

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
    Column("load_out_no", BigInteger, ForeignKey("load_out.load_out_no")),
    one_of("status", RECEIPT.states),
    CheckConstraint("fine_mg > 0", name="fine"),
    Index(
        "uq_receipt_lot_id",
        "lot_id",
        unique=True,
        postgresql_where=text(is_in("status", RECEIPT_OPEN)),
    ),
    Index("ix_receipt_load_out_no", "load_out_no", postgresql_where=text("load_out_no IS NOT NULL")),
)
"""``load_out_no``: the load-out that the lot came back from, without having been collected."""
ENCUMBRANCE_KINDS = ("PLEDGE", "LEGAL_HOLD")

encumbrance = Table(
    "encumbrance",
    metadata,
    number("encumbrance_no"),
    string("kind"),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    integer("fine_mg"),
    Column("lots", ARRAY(BigInteger), nullable=False),
    string("in_favour_of"),
    string("document"),
    string("counter_document", null=True),
    string("release_document", null=True),
    string("release_counter_document", null=True),
    string("status"),
    string("reason", null=True),
    string("entered_by"),
    integer("entered_at"),
    one_of("kind", ENCUMBRANCE_KINDS),
    one_of("status", union(PLEDGE.states, LEGAL_HOLD.states)),
    CheckConstraint(
        "fine_mg > 0 OR kind = 'LEGAL_HOLD' AND fine_mg = 0 AND cardinality(lots) > 0", name="of_something"
    ),
    CheckConstraint(
        f"kind <> 'PLEDGE' OR counter_document IS NOT NULL OR {is_in('status', PLEDGOR_ALONE)}", name="both_sides"
    ),
    CheckConstraint(
        "kind <> 'PLEDGE' OR release_document IS NOT NULL AND release_counter_document IS NOT NULL "
        f"OR {not_in('status', RELEASE_BY_BOTH)}",
        name="both_sides_release",
    ),
    Index(
        "uq_encumbrance_kind_document",
        "kind",
        text(folded("document")),
        unique=True,
        postgresql_where=text(not_in("status", NEVER_BOUND)),
    ),
    Index("ix_encumbrance_account_symbol", "account", "symbol"),
)

transfer = Table(
    "transfer",
    metadata,
    number("transfer_no"),
    Column("from_warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    Column("to_warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    Column("new_symbol", Text, ForeignKey("instrument.symbol")),
    string("permit", null=True),
    string("reason"),
    string("status"),
    string("seal", null=True),
    string("carrier", null=True),
    string("shipped_by", null=True),
    integer("shipped_at", null=True),
    string("received_by", null=True),
    integer("received_at", null=True),
    one_of("status", TRANSFER.states),
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
