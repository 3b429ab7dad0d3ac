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
    LOT_RESERVATION,
    NEVER_BOUND,
    PLEDGE,
    PLEDGOR_ALONE,
    RECEIPT,
    RECEIPT_OPEN,
    RELEASE_BY_BOTH,
    RESERVATION_OPEN,
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
    string("issued_to", null=True),
    Column("trade_id", BigInteger, ForeignKey("trade.trade_id")),
    one_of("status", RECEIPT.states),
    CheckConstraint("fine_mg > 0", name="fine"),
    CheckConstraint("(issued_to IS NULL) = (trade_id IS NULL)", name="traded_from_somebody"),
    Index(
        "uq_receipt_lot_id",
        "lot_id",
        unique=True,
        postgresql_where=text(is_in("status", RECEIPT_OPEN)),
    ),
    Index("ix_receipt_load_out_no", "load_out_no", postgresql_where=text("load_out_no IS NOT NULL")),
)
"""``load_out_no``: the load-out that the lot came back from, without having been collected.

``trade_id``: the trade of named lots by which ``account`` has the title; ``issued_to`` is then the account that the
receipt was issued to. Both are null where no trade has moved the title, or every one that did was annulled.
"""

RESERVATION_PURPOSES = ("DEAL", "BUST")
"""Named lots are reserved to be sold by a deal, or to go back by the annulment of its trade."""

lot_reservation = Table(
    "lot_reservation",
    metadata,
    number("reservation_no"),
    string("purpose"),
    Column("from_account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("to_account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("symbol", Text, ForeignKey("instrument.symbol"), nullable=False),
    Column("receipts", ARRAY(BigInteger), nullable=False),
    Column("lots", ARRAY(BigInteger), nullable=False),
    integer("fine_mg"),
    integer("until"),
    string("status"),
    integer("deal_id", null=True),
    Column("trade_id", BigInteger),
    integer("deposited_mg", null=True),
    string("reason", null=True),
    one_of("purpose", RESERVATION_PURPOSES),
    one_of("status", LOT_RESERVATION.states),
    CheckConstraint("from_account <> to_account", name="two_accounts"),
    CheckConstraint("fine_mg > 0", name="fine"),
    CheckConstraint("cardinality(receipts) > 0 AND cardinality(lots) = cardinality(receipts)", name="of_lots"),
    CheckConstraint("status <> 'OPEN' OR deal_id IS NOT NULL", name="of_a_deal"),
    CheckConstraint(
        "(status = 'MOVED') <= (trade_id IS NOT NULL AND deposited_mg BETWEEN 0 AND fine_mg)", name="by_a_trade"
    ),
    CheckConstraint("purpose <> 'BUST' OR trade_id IS NOT NULL AND deal_id IS NULL", name="of_a_trade"),
    Index("ix_lot_reservation_open", "reservation_no", postgresql_where=text(is_in("status", RESERVATION_OPEN))),
    Index("ix_lot_reservation_trade_id", "trade_id", postgresql_where=text("trade_id IS NOT NULL")),
    Index(
        "ix_lot_reservation_receipts",
        "receipts",
        postgresql_using="gin",
        postgresql_where=text("status = 'MOVED'"),
    ),
)
"""``until``: the last time (ms, by the journal) at which the engine takes the command that the lots are kept for.

``deposited_mg``: how much of the gold that moved its owner had deposited itself, and not bought by name.
"""
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
