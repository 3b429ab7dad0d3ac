"""The counter for old gold: sellers, posted prices, tickets, reports"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity_salt",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("one = 1 AND length(salt) = 32", name=op.f("ck_identity_salt_one_salt")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_identity_salt")),
    )
    op.create_table(
        "posted_price",
        sa.Column("price_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("poster", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("bid", sa.BigInteger(), nullable=False),
        sa.Column("ask", sa.BigInteger(), nullable=False),
        sa.Column("adjustment", sa.BigInteger(), nullable=False),
        sa.Column("payable_e5", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "form IN ('SCRAP_JEWEL', 'KARAT_ALLOY', 'DORE', 'NONAPPROVED_BAR', 'GRAIN')",
            name=op.f("ck_posted_price_form_known"),
        ),
        sa.CheckConstraint("bid > 0 AND ask >= bid AND bid + adjustment > 0", name=op.f("ck_posted_price_two_way")),
        sa.CheckConstraint("payable_e5 BETWEEN 1 AND 100000", name=op.f("ck_posted_price_payable")),
        sa.PrimaryKeyConstraint("price_no", name=op.f("pk_posted_price")),
    )
    op.create_index("ix_posted_price_poster_form", "posted_price", ["poster", "form", "price_no"], unique=False)
    op.create_table(
        "seller",
        sa.Column("seller_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("identity_hash", sa.LargeBinary(), nullable=False),
        sa.Column("id_type", sa.Text(), nullable=False),
        sa.Column("masked_number", sa.Text(), nullable=False),
        sa.Column("masked_name", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "id_type IN ('RESIDENT_ID', 'PASSPORT', 'RESIDENCE_PERMIT')", name=op.f("ck_seller_id_type_known")
        ),
        sa.PrimaryKeyConstraint("seller_id", name=op.f("pk_seller")),
        sa.UniqueConstraint("identity_hash", name=op.f("uq_seller_identity_hash")),
    )
    op.create_table(
        "aml_report",
        sa.Column("report_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.BigInteger(), nullable=True),
        sa.Column("tickets", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('LARGE_VALUE', 'SUSPICIOUS')", name=op.f("ck_aml_report_kind_known")),
        sa.CheckConstraint(
            "status IN ('REVIEW', 'DUE', 'FILED', 'DISMISSED')", name=op.f("ck_aml_report_status_known")
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["seller.seller_id"], name=op.f("fk_aml_report_seller_id")),
        sa.PrimaryKeyConstraint("report_no", name=op.f("pk_aml_report")),
    )
    op.create_index("ix_aml_report_seller_id_day", "aml_report", ["seller_id", "day"], unique=False)
    op.create_index(
        "ix_aml_report_waiting",
        "aml_report",
        ["due_on"],
        unique=False,
        postgresql_where=sa.text("status IN ('REVIEW', 'DUE')"),
    )
    op.create_table(
        "counter",
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["trading_account.account"], name=op.f("fk_counter_account")),
        sa.ForeignKeyConstraint(["member"], ["member.member"], name=op.f("fk_counter_member")),
        sa.ForeignKeyConstraint(["warehouse"], ["warehouse.warehouse"], name=op.f("fk_counter_warehouse")),
        sa.PrimaryKeyConstraint("counter", name=op.f("pk_counter")),
    )
    op.create_table(
        "due_diligence",
        sa.Column("due_diligence_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("seller_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["seller_id"], ["seller.seller_id"], name=op.f("fk_due_diligence_seller_id")),
        sa.PrimaryKeyConstraint("due_diligence_no", name=op.f("pk_due_diligence")),
    )
    op.create_index("ix_due_diligence_seller_id", "due_diligence", ["seller_id"], unique=False)
    op.create_table(
        "counter_ticket",
        sa.Column("ticket_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("id_copy", sa.Text(), nullable=False),
        sa.Column("screening", sa.Text(), nullable=False),
        sa.Column("screening_list", sa.Text(), nullable=False),
        sa.Column("offered_by", sa.Text(), nullable=True),
        sa.Column("offered_fen", sa.BigInteger(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("payment_reference", sa.Text(), nullable=True),
        sa.Column("paid_by", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.BigInteger(), nullable=True),
        sa.Column("paid_day", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status IN ('PAID', 'DELIVERED')) = (paid_by IS NOT NULL) AND paid_by <> offered_by",
            name=op.f("ck_counter_ticket_two_people"),
        ),
        sa.CheckConstraint("method IN ('CASH', 'TRANSFER')", name=op.f("ck_counter_ticket_method_known")),
        sa.CheckConstraint("screening IN ('CLEAR', 'HIT', 'NOT_DONE')", name=op.f("ck_counter_ticket_screening_known")),
        sa.CheckConstraint(
            "status = 'REFUSED' OR (seller_id IS NOT NULL AND screening = 'CLEAR')",
            name=op.f("ck_counter_ticket_seller_known"),
        ),
        sa.CheckConstraint(
            "status IN ('OPENED', 'SCREENED', 'OFFERED', 'ACCEPTED', 'PAID', 'DELIVERED', 'DECLINED', 'REFUSED')",
            name=op.f("ck_counter_ticket_status_known"),
        ),
        sa.ForeignKeyConstraint(["counter"], ["counter.counter"], name=op.f("fk_counter_ticket_counter")),
        sa.ForeignKeyConstraint(["seller_id"], ["seller.seller_id"], name=op.f("fk_counter_ticket_seller_id")),
        sa.PrimaryKeyConstraint("ticket_no", name=op.f("pk_counter_ticket")),
    )
    op.create_index("ix_counter_ticket_seller_id_paid_day", "counter_ticket", ["seller_id", "paid_day"], unique=False)
    op.create_table(
        "counter_item",
        sa.Column("ticket_no", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("gross_cg", sa.BigInteger(), nullable=False),
        sa.Column("stated_origin", sa.Text(), nullable=False),
        sa.Column("xrf_e5", sa.BigInteger(), nullable=True),
        sa.Column("price_no", sa.BigInteger(), nullable=True),
        sa.Column("fine_mg", sa.BigInteger(), nullable=True),
        sa.Column("payable_mg", sa.BigInteger(), nullable=True),
        sa.Column("value_fen", sa.BigInteger(), nullable=True),
        sa.Column("lot_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "form IN ('SCRAP_JEWEL', 'KARAT_ALLOY', 'DORE', 'NONAPPROVED_BAR', 'GRAIN')",
            name=op.f("ck_counter_item_form_known"),
        ),
        sa.CheckConstraint(
            "gross_cg > 0 AND xrf_e5 BETWEEN 1 AND 100000 AND value_fen >= 0", name=op.f("ck_counter_item_figures")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_counter_item_lot_id")),
        sa.ForeignKeyConstraint(["price_no"], ["posted_price.price_no"], name=op.f("fk_counter_item_price_no")),
        sa.ForeignKeyConstraint(["ticket_no"], ["counter_ticket.ticket_no"], name=op.f("fk_counter_item_ticket_no")),
        sa.PrimaryKeyConstraint("ticket_no", "line", name=op.f("pk_counter_item")),
        sa.UniqueConstraint("lot_id", name=op.f("uq_counter_item_lot_id")),
    )
    for table in ("posted_price", "due_diligence", "identity_salt"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
