"""The tables of the recycling counter: sellers, posted prices, tickets, and reports to the authority.

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
    SmallInteger,
    Table,
    Text,
    text,
)

from goldx.protocol.terms import FORMS
from settlement.documents.recycling import AML_REPORT, COUNTER_TICKET, REPORT_WAITING, TICKET_PAID
from settlement.tables.columns import folded, integer, is_in, metadata, number, one_of, string

ID_TYPES = ("RESIDENT_ID", "PASSPORT", "RESIDENCE_PERMIT")
"""Identity documents that a counter takes."""
SCREENINGS = ("CLEAR", "HIT")
"""Results of the screening of a seller against lists."""
PAYMENT_METHODS = ("CASH", "TRANSFER")
"""How a counter may pay."""

identity_salt = Table(
    "identity_salt",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    CheckConstraint("one = 1 AND length(salt) = 32", name="one_salt"),
)

seller = Table(
    "seller",
    metadata,
    number("seller_id"),
    Column("identity_hash", LargeBinary, nullable=False, unique=True),
    string("id_type"),
    string("masked_number"),
    string("masked_name"),
    integer("first_seen"),
    Column("name_hash", LargeBinary),
    string("named_by", null=True),
    one_of("id_type", ID_TYPES),
)

due_diligence = Table(
    "due_diligence",
    metadata,
    number("due_diligence_no"),
    Column("seller_id", BigInteger, ForeignKey("seller.seller_id"), nullable=False),
    integer("at"),
    string("by"),
    string("document"),
    string("findings"),
    Index("ix_due_diligence_seller_id", "seller_id"),
)

counter = Table(
    "counter",
    metadata,
    Column("counter", Text, primary_key=True),
    Column("member", Text, ForeignKey("member.member"), nullable=False),
    Column("account", Text, ForeignKey("trading_account.account"), nullable=False),
    Column("warehouse", Text, ForeignKey("warehouse.warehouse"), nullable=False),
    string("name"),
    Index("uq_counter_counter", text(folded("counter")), unique=True),
)

posted_price = Table(
    "posted_price",
    metadata,
    number("price_no"),
    string("poster"),
    string("form"),
    integer("bid"),
    integer("ask"),
    integer("adjustment"),
    integer("payable_e5"),
    integer("at"),
    string("by"),
    one_of("form", FORMS),
    CheckConstraint("bid > 0 AND ask >= bid AND bid + adjustment > 0", name="two_way"),
    CheckConstraint("payable_e5 BETWEEN 1 AND 100000", name="payable"),
    Index("ix_posted_price_poster_form", "poster", "form", "price_no"),
)

counter_ticket = Table(
    "counter_ticket",
    metadata,
    number("ticket_no"),
    Column("counter", Text, ForeignKey("counter.counter"), nullable=False),
    Column("seller_id", BigInteger, ForeignKey("seller.seller_id")),
    string("status"),
    integer("opened_at"),
    string("opened_by"),
    string("id_copy"),
    string("screening"),
    string("screening_list"),
    string("offered_by", null=True),
    integer("offered_fen", null=True),
    string("method", null=True),
    string("payment_reference", null=True),
    string("paid_by", null=True),
    integer("paid_at", null=True),
    Column("paid_day", Date),
    string("reason", null=True),
    one_of("status", COUNTER_TICKET.states),
    one_of("method", PAYMENT_METHODS),
    one_of("screening", (*SCREENINGS, "NOT_DONE")),
    CheckConstraint("status = 'REFUSED' OR (seller_id IS NOT NULL AND screening = 'CLEAR')", name="seller_known"),
    CheckConstraint(
        f"({is_in('status', TICKET_PAID)}) = (paid_by IS NOT NULL) AND paid_by <> offered_by", name="two_people"
    ),
    Index("ix_counter_ticket_seller_id_paid_day", "seller_id", "paid_day"),
    Index(
        "uq_counter_ticket_payment_reference",
        text(folded("payment_reference")),
        unique=True,
        postgresql_where=text("method = 'TRANSFER'"),
    ),
)

counter_item = Table(
    "counter_item",
    metadata,
    Column("ticket_no", BigInteger, ForeignKey("counter_ticket.ticket_no"), primary_key=True),
    Column("line", SmallInteger, primary_key=True, autoincrement=False),
    string("description"),
    string("marks"),
    string("form"),
    integer("gross_cg"),
    string("stated_origin"),
    integer("xrf_e5", null=True),
    Column("price_no", BigInteger, ForeignKey("posted_price.price_no")),
    integer("fine_mg", null=True),
    integer("payable_mg", null=True),
    integer("value_fen", null=True),
    Column("lot_id", BigInteger, ForeignKey("lot.lot_id"), unique=True),
    one_of("form", FORMS),
    CheckConstraint("gross_cg > 0 AND xrf_e5 BETWEEN 1 AND 100000 AND value_fen >= 0", name="figures"),
)

aml_report = Table(
    "aml_report",
    metadata,
    number("report_no"),
    string("kind"),
    Column("seller_id", BigInteger, ForeignKey("seller.seller_id")),
    Column("tickets", ARRAY(BigInteger), nullable=False),
    Column("day", Date, nullable=False),
    integer("amount_fen"),
    string("reason"),
    string("description"),
    Column("due_on", Date, nullable=False),
    string("status"),
    integer("made_at"),
    string("made_by"),
    string("decided_by", null=True),
    integer("decided_at", null=True),
    string("reference", null=True),
    one_of("kind", ("LARGE_VALUE", "SUSPICIOUS")),
    one_of("status", AML_REPORT.states),
    Index("ix_aml_report_seller_id_day", "seller_id", "day"),
    Index("ix_aml_report_waiting", "due_on", postgresql_where=text(is_in("status", REPORT_WAITING))),
)
