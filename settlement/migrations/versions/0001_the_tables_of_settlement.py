"""The tables of settlement"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "engine_holding",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("locked", sa.BigInteger(), nullable=False),
        sa.Column("unwithdrawable", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "asset", name=op.f("pk_engine_holding")),
    )
    op.create_table(
        "instrument",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("min_fineness", sa.BigInteger(), nullable=False),
        sa.Column("max_fineness", sa.BigInteger(), nullable=False),
        sa.Column("reference_price", sa.BigInteger(), nullable=True),
        sa.Column("last_price", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_instrument")),
    )
    op.create_table(
        "ledger_account",
        sa.Column("account_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('member', 'bank_escrow', 'vault', 'fee_income', 'suspense')",
            name=op.f("ck_ledger_account_kind_known"),
        ),
        sa.CheckConstraint(
            "kind NOT IN ('bank_escrow', 'vault') OR balance <= 0", name=op.f("ck_ledger_account_assets_are_debits")
        ),
        sa.CheckConstraint(
            "kind NOT IN ('member', 'fee_income') OR balance >= 0",
            name=op.f("ck_ledger_account_prepaid_never_negative"),
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_ledger_account")),
        sa.UniqueConstraint("kind", "name", "asset", name=op.f("uq_ledger_account_kind_name_asset")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('trade', 'cash', 'receipt', 'load_out', 'unidentified')", name=op.f("ck_ledger_entry_kind_known")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_ledger_entry")),
    )
    op.create_table(
        "member",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_member")),
    )
    op.create_table(
        "outbox",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.BigInteger(), nullable=False),
        sa.Column("legs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=True),
        sa.Column("frame", sa.BigInteger(), nullable=True),
        sa.Column("journal_end", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('cash', 'receipt', 'load_out')", name=op.f("ck_outbox_kind_known")),
        sa.CheckConstraint(
            "status IN ('PENDING', 'SENDING', 'SENT', 'DONE', 'REFUSED')", name=op.f("ck_outbox_status_known")
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_outbox")),
        sa.UniqueConstraint("number", name=op.f("uq_outbox_number")),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["number"],
        unique=False,
        postgresql_where=sa.text("status IN ('PENDING', 'SENDING')"),
    )
    op.create_table(
        "posting",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_posting_not_zero")),
        sa.PrimaryKeyConstraint("sequence", "line", name=op.f("pk_posting")),
    )
    op.create_index("ix_posting_account_id_sequence", "posting", ["account_id", "sequence"], unique=False)
    op.create_table(
        "progress",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_progress_sequence_counts")),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_progress")),
    )
    op.create_table(
        "recon_run",
        sa.Column("run_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.Column("breaks", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_recon_run")),
    )
    op.create_table(
        "staff",
        sa.Column("staff", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("permissions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "permissions <@ ARRAY['operate', 'settle', 'supervise']", name=op.f("ck_staff_permissions_known")
        ),
        sa.PrimaryKeyConstraint("staff", name=op.f("pk_staff")),
    )
    op.create_table(
        "trade",
        sa.Column("trade_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("buy_account", sa.Text(), nullable=False),
        sa.Column("sell_account", sa.Text(), nullable=False),
        sa.Column("buy_fee", sa.BigInteger(), nullable=False),
        sa.Column("sell_fee", sa.BigInteger(), nullable=False),
        sa.Column("taker_side", sa.SmallInteger(), nullable=True),
        sa.CheckConstraint(
            "price > 0 AND quantity > 0 AND amount > 0 AND buy_fee >= 0 AND sell_fee >= 0",
            name=op.f("ck_trade_positive"),
        ),
        sa.PrimaryKeyConstraint("trade_id", name=op.f("pk_trade")),
        sa.UniqueConstraint("sequence", name=op.f("uq_trade_sequence")),
    )
    op.create_table(
        "trading_account",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_trading_account")),
    )
    op.create_table(
        "warehouse",
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("customs", sa.Text(), nullable=False),
        sa.CheckConstraint("customs IN ('DOMESTIC', 'BONDED')", name=op.f("ck_warehouse_customs_known")),
        sa.PrimaryKeyConstraint("warehouse", name=op.f("pk_warehouse")),
    )
    op.create_table(
        "api_key",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("member", sa.Text(), nullable=True),
        sa.Column("staff", sa.Text(), nullable=True),
        sa.Column("permissions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "permissions <@ CASE WHEN staff IS NULL THEN ARRAY['trade'] ELSE ARRAY['operate', 'settle', 'supervise'] END",
            name=op.f("ck_api_key_permissions_fit_holder"),
        ),
        sa.CheckConstraint("(member IS NULL) <> (staff IS NULL)", name=op.f("ck_api_key_one_holder")),
        sa.CheckConstraint("length(public_key) = 32", name=op.f("ck_api_key_public_key_ed25519")),
        sa.ForeignKeyConstraint(["member"], ["member.member"], name=op.f("fk_api_key_member")),
        sa.ForeignKeyConstraint(["staff"], ["staff.staff"], name=op.f("fk_api_key_staff")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("public_key", name=op.f("uq_api_key_public_key")),
    )
    op.create_table(
        "cash_transfer",
        sa.Column("cash_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'SENDING', 'DONE', 'DECLINED', 'REFUSED')",
            name=op.f("ck_cash_transfer_status_known"),
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_cash_transfer_not_zero")),
        sa.ForeignKeyConstraint(["account"], ["trading_account.account"], name=op.f("fk_cash_transfer_account")),
        sa.PrimaryKeyConstraint("cash_id", name=op.f("pk_cash_transfer")),
    )
    op.create_index(
        "uq_cash_transfer_bank_reference",
        "cash_transfer",
        ["bank_reference"],
        unique=True,
        postgresql_where=sa.text("status IN ('PROPOSED', 'SENDING', 'DONE')"),
    )
    op.create_table(
        "load_out",
        sa.Column("load_out_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("ask_mg", sa.BigInteger(), nullable=False),
        sa.Column("allocated_mg", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("price_source", sa.Text(), nullable=False),
        sa.Column("over_short_fen", sa.BigInteger(), nullable=False),
        sa.Column("collector", sa.Text(), nullable=False),
        sa.Column("code_salt", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('APPLIED', 'APPROVED', 'SUCCESS', 'RELEASED', 'CANCELLED', 'REFUSED')",
            name=op.f("ck_load_out_status_known"),
        ),
        sa.CheckConstraint("ask_mg > 0 AND allocated_mg > 0 AND price > 0", name=op.f("ck_load_out_positive")),
        sa.ForeignKeyConstraint(["account"], ["trading_account.account"], name=op.f("fk_load_out_account")),
        sa.ForeignKeyConstraint(["symbol"], ["instrument.symbol"], name=op.f("fk_load_out_symbol")),
        sa.ForeignKeyConstraint(["warehouse"], ["warehouse.warehouse"], name=op.f("fk_load_out_warehouse")),
        sa.PrimaryKeyConstraint("load_out_no", name=op.f("pk_load_out")),
    )
    op.create_table(
        "lot",
        sa.Column("lot_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("refiner", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("year", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("origin_document", sa.Text(), nullable=False),
        sa.Column("declared_gross_cg", sa.BigInteger(), nullable=False),
        sa.Column("declared_fineness_e5", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("gross_cg", sa.BigInteger(), nullable=True),
        sa.Column("melt_cg", sa.BigInteger(), nullable=True),
        sa.Column("fineness_e5", sa.BigInteger(), nullable=True),
        sa.Column("fine_mg", sa.BigInteger(), nullable=True),
        sa.Column("residue_1e7", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(fine_mg IS NOT NULL) = (state IN ('CERTIFIED', 'REGISTERED', 'RECEIPTED', 'ALLOCATED', 'WITHDRAWN', 'RELEASED')) OR state IN ('REJECTED', 'RETURNED')",
            name=op.f("ck_lot_fine_once_certified"),
        ),
        sa.CheckConstraint(
            "form IN ('SCRAP_JEWEL', 'KARAT_ALLOY', 'DORE', 'NONAPPROVED_BAR', 'GRAIN')", name=op.f("ck_lot_form_known")
        ),
        sa.CheckConstraint(
            "origin IN ('MINE', 'RECYCLED_CONSUMER', 'RECYCLED_TRADE', 'MANUFACTURING', 'INDUSTRIAL', 'BANK')",
            name=op.f("ck_lot_origin_known"),
        ),
        sa.CheckConstraint(
            "state IN ('ARRIVED', 'WEIGHED', 'SCREENED', 'MELTED', 'ASSAYED', 'CERTIFIED', 'REGISTERED', 'RECEIPTED', 'ALLOCATED', 'WITHDRAWN', 'RELEASED', 'REJECTED', 'RETURNED')",
            name=op.f("ck_lot_state_known"),
        ),
        sa.CheckConstraint(
            "declared_gross_cg > 0 AND gross_cg > 0 AND melt_cg > 0 AND melt_cg <= gross_cg",
            name=op.f("ck_lot_weights"),
        ),
        sa.CheckConstraint(
            "fine_mg * 10000 + residue_1e7 = COALESCE(melt_cg, gross_cg) * fineness_e5 AND residue_1e7 BETWEEN 0 AND 9999",
            name=op.f("ck_lot_fine_is_weight_times_fineness"),
        ),
        sa.CheckConstraint("fineness_e5 BETWEEN 1 AND 100000", name=op.f("ck_lot_fineness")),
        sa.ForeignKeyConstraint(["account"], ["trading_account.account"], name=op.f("fk_lot_account")),
        sa.ForeignKeyConstraint(["symbol"], ["instrument.symbol"], name=op.f("fk_lot_symbol")),
        sa.ForeignKeyConstraint(["warehouse"], ["warehouse.warehouse"], name=op.f("fk_lot_warehouse")),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lot")),
    )
    op.create_index("ix_lot_symbol_warehouse_state", "lot", ["symbol", "warehouse", "state"], unique=False)
    op.create_index(
        "uq_lot_refiner_serial_year",
        "lot",
        ["refiner", "serial", "year"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('RELEASED', 'RETURNED')"),
    )
    op.create_table(
        "proposal",
        sa.Column("proposal_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subjects", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(status = 'PROPOSED') = (decided_by IS NULL)", name=op.f("ck_proposal_decided_by_someone")),
        sa.CheckConstraint("kind IN ('cash', 'receipt', 'load_out')", name=op.f("ck_proposal_kind_known")),
        sa.CheckConstraint("status <> 'APPROVED' OR decided_by <> proposed_by", name=op.f("ck_proposal_two_people")),
        sa.CheckConstraint("status IN ('PROPOSED', 'APPROVED', 'DECLINED')", name=op.f("ck_proposal_status_known")),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.staff"], name=op.f("fk_proposal_decided_by")),
        sa.ForeignKeyConstraint(["proposed_by"], ["staff.staff"], name=op.f("fk_proposal_proposed_by")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_proposal")),
    )
    op.create_table(
        "recon_break",
        sa.Column("break_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("first_run", sa.BigInteger(), nullable=False),
        sa.Column("last_run", sa.BigInteger(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('OPEN', 'EXPLAINED', 'CORRECTED')", name=op.f("ck_recon_break_status_known")),
        sa.ForeignKeyConstraint(["first_run"], ["recon_run.run_id"], name=op.f("fk_recon_break_first_run")),
        sa.ForeignKeyConstraint(["last_run"], ["recon_run.run_id"], name=op.f("fk_recon_break_last_run")),
        sa.PrimaryKeyConstraint("break_id", name=op.f("pk_recon_break")),
    )
    op.create_index(
        "uq_recon_break_kind_subject_asset",
        "recon_break",
        ["kind", "subject", "asset"],
        unique=True,
        postgresql_where=sa.text("status <> 'CORRECTED'"),
    )
    op.create_table(
        "assay",
        sa.Column("assay_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("laboratory", sa.Text(), nullable=False),
        sa.Column("replicates_ppm", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("reported_e5", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("method IN ('FIRE_ASSAY', 'XRF')", name=op.f("ck_assay_method_known")),
        sa.CheckConstraint("reported_e5 BETWEEN 1 AND 100000", name=op.f("ck_assay_reported")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_assay_lot_id")),
        sa.PrimaryKeyConstraint("assay_id", name=op.f("pk_assay")),
    )
    op.create_index("ix_assay_lot_id", "assay", ["lot_id"], unique=False)
    op.create_table(
        "custody_event",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_custody_event_lot_id")),
        sa.ForeignKeyConstraint(["warehouse"], ["warehouse.warehouse"], name=op.f("fk_custody_event_warehouse")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_custody_event")),
    )
    op.create_index("ix_custody_event_lot_id", "custody_event", ["lot_id"], unique=False)
    op.create_table(
        "load_out_lot",
        sa.Column("load_out_no", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["load_out_no"], ["load_out.load_out_no"], name=op.f("fk_load_out_lot_load_out_no")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_load_out_lot_lot_id")),
        sa.PrimaryKeyConstraint("load_out_no", "lot_id", name=op.f("pk_load_out_lot")),
    )
    op.create_index("ix_load_out_lot_lot_id", "load_out_lot", ["lot_id"], unique=False)
    op.create_table(
        "receipt",
        sa.Column("receipt_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("fine_mg", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'ISSUING', 'LIVE', 'CANCELLED', 'VOID')", name=op.f("ck_receipt_status_known")
        ),
        sa.CheckConstraint("fine_mg > 0", name=op.f("ck_receipt_fine")),
        sa.ForeignKeyConstraint(["account"], ["trading_account.account"], name=op.f("fk_receipt_account")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_receipt_lot_id")),
        sa.ForeignKeyConstraint(["symbol"], ["instrument.symbol"], name=op.f("fk_receipt_symbol")),
        sa.PrimaryKeyConstraint("receipt_no", name=op.f("pk_receipt")),
    )
    op.create_index(
        "uq_receipt_lot_id",
        "receipt",
        ["lot_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('PROPOSED', 'ISSUING', 'LIVE')"),
    )
    op.create_table(
        "certificate",
        sa.Column("certificate_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("assay_id", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("hash = sha256(convert_to(content, 'UTF8'))", name=op.f("ck_certificate_hash_of_content")),
        sa.ForeignKeyConstraint(["assay_id"], ["assay.assay_id"], name=op.f("fk_certificate_assay_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_certificate_lot_id")),
        sa.PrimaryKeyConstraint("certificate_no", name=op.f("pk_certificate")),
        sa.UniqueConstraint("lot_id", name=op.f("uq_certificate_lot_id")),
    )
