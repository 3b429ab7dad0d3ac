"""Intake: acceptance rules, balances, laboratories, provenance, melts, samples, the exchange of assays"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

APPEND_ONLY = ("melt_parent", "finding", "valuation")
LOT_STATES = (
    *("PRE_ADVISED", "ARRIVED", "WEIGHED", "SCREENED", "MELTED", "SAMPLED", "ASSAYED", "CERTIFIED", "REGISTERED"),
    *(
        "RECEIPTED",
        "ALLOCATED",
        "WITHDRAWN",
        "RELEASED",
        "CANCELLED",
        "CONSUMED",
        "QUARANTINED",
        "REJECTED",
        "RETURNED",
    ),
)
PROPOSAL_KINDS = (
    *("cash", "receipt", "receipt_cancel", "pledge", "pledge_release", "legal_hold", "legal_lift", "load_out"),
    *("transfer", "acceptance", "provenance", "lot_lift", "lot_return"),
)

# Written values stay: a commitment, what it was opened with, a weight, a record of provenance.
KEEP = """
CREATE FUNCTION keep_columns() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY TG_ARGV LOOP
        IF to_jsonb(OLD) -> name <> 'null' AND to_jsonb(OLD) -> name IS DISTINCT FROM to_jsonb(NEW) -> name THEN
            RAISE EXCEPTION '% of % is refused: % is written once', TG_OP, TG_TABLE_NAME, name
                USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
"""
KEPT = {
    "exchange_party": "'laboratory', 'sample_no', 'commitment', 'committed_at', 'opening', 'assay_id'",
    "melt": "'parents_mg', 'child_mg', 'loss_mg', 'fine_parents_mg', 'fine_child_mg', 'explanation', 'explained_by'",
    "provenance": "'lot_id', 'origin', 'country', 'licence', 'tax_proof', 'seller_check', 'documents', 'conflict_area', "
    "'missing', 'grade', 'rule'",
    "sample": "'lot_id', 'party', 'seal', 'weight_cg', 'remelted_at'",
}

# A lot never becomes tradable outside the band of its class: no receipt is made for one, and none goes to the engine.
BAND = """
CREATE FUNCTION receipt_within_band() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    outside bigint;
BEGIN
    SELECT l.lot_id INTO outside FROM lot l JOIN instrument i USING (symbol)
    WHERE l.lot_id = NEW.lot_id AND (l.fineness_e5 IS NULL OR l.fineness_e5 NOT BETWEEN i.min_fineness AND i.max_fineness);
    IF FOUND THEN
        RAISE EXCEPTION 'lot % is outside the band of its class', outside USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "laboratory",
        sa.Column("laboratory", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), server_default="", nullable=False),
        sa.Column("accreditations", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("accreditation_no", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "cardinality(accreditations) > 0 AND accreditations <@ ARRAY['CMA', 'CNAS']",
            name=op.f("ck_laboratory_accreditations_known"),
        ),
        sa.CheckConstraint("valid_from <= valid_until", name=op.f("ck_laboratory_validity")),
        sa.PrimaryKeyConstraint("laboratory", name=op.f("pk_laboratory")),
    )
    op.create_table(
        "acceptance",
        sa.Column("acceptance_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("forms", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("warehouses", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("min_fine_mg", sa.BigInteger(), nullable=False),
        sa.Column("fineness_rule", sa.Text(), nullable=False),
        sa.Column("umpire_rule", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'LIVE', 'REPLACED', 'DECLINED')", name=op.f("ck_acceptance_status_known")
        ),
        sa.CheckConstraint("cardinality(forms) > 0", name=op.f("ck_acceptance_some_form")),
        sa.CheckConstraint("min_fine_mg >= 0", name=op.f("ck_acceptance_minimum")),
        sa.ForeignKeyConstraint(["symbol"], ["instrument.symbol"], name=op.f("fk_acceptance_symbol")),
        sa.PrimaryKeyConstraint("acceptance_no", name=op.f("pk_acceptance")),
    )
    op.create_index(
        "uq_acceptance_symbol", "acceptance", ["symbol"], unique=True, postgresql_where=sa.text("status = 'LIVE'")
    )
    op.create_table(
        "scale",
        sa.Column("scale", sa.Text(), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("resolution_cg", sa.BigInteger(), nullable=False),
        sa.Column("capacity_cg", sa.BigInteger(), nullable=False),
        sa.Column("calibration", sa.Text(), nullable=False),
        sa.Column("calibrated_until", sa.Date(), nullable=False),
        sa.CheckConstraint("capacity_cg > 0 AND capacity_cg % resolution_cg = 0", name=op.f("ck_scale_capacity")),
        sa.CheckConstraint("resolution_cg IN (1, 2, 5, 10, 20, 50, 100)", name=op.f("ck_scale_resolution")),
        sa.ForeignKeyConstraint(["warehouse"], ["warehouse.warehouse"], name=op.f("fk_scale_warehouse")),
        sa.PrimaryKeyConstraint("scale", name=op.f("pk_scale")),
    )
    op.create_table(
        "exchange",
        sa.Column("exchange_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("split_limit_e5", sa.BigInteger(), nullable=False),
        sa.Column("fineness_rule", sa.Text(), nullable=False),
        sa.Column("umpire_rule", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('OPEN', 'COMMITTED', 'AGREED', 'SPLIT', 'DECIDED', 'VOID')",
            name=op.f("ck_exchange_status_known"),
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_exchange_lot_id")),
        sa.PrimaryKeyConstraint("exchange_no", name=op.f("pk_exchange")),
    )
    op.create_index(
        "uq_exchange_lot_id", "exchange", ["lot_id"], unique=True, postgresql_where=sa.text("status <> 'VOID'")
    )
    op.create_table(
        "finding",
        sa.Column("finding_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("assays", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("final_e5", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("split_limit_e5", sa.BigInteger(), nullable=True),
        sa.Column("umpire_paid_by", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("final_e5 BETWEEN 1 AND 100000", name=op.f("ck_finding_final")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_finding_lot_id")),
        sa.PrimaryKeyConstraint("finding_no", name=op.f("pk_finding")),
    )
    op.create_index("ix_finding_lot_id", "finding", ["lot_id"], unique=False)
    op.create_table(
        "melt",
        sa.Column("melt_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("scale", sa.Text(), nullable=False),
        sa.Column("parents_mg", sa.BigInteger(), nullable=False),
        sa.Column("child_mg", sa.BigInteger(), nullable=False),
        sa.Column("loss_mg", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("alarms", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("fine_parents_mg", sa.BigInteger(), nullable=True),
        sa.Column("fine_child_mg", sa.BigInteger(), nullable=True),
        sa.Column("fine_loss_mg", sa.BigInteger(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("explained_by", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("explained_by <> by", name=op.f("ck_melt_explained_by_another")),
        sa.CheckConstraint("fine_parents_mg = fine_child_mg + fine_loss_mg", name=op.f("ck_melt_gold_is_conserved")),
        sa.CheckConstraint(
            "parents_mg = child_mg + loss_mg AND loss_mg >= 0", name=op.f("ck_melt_weight_is_conserved")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_melt_lot_id")),
        sa.PrimaryKeyConstraint("melt_no", name=op.f("pk_melt")),
    )
    op.create_index("ix_melt_form_at", "melt", ["form", "at"], unique=False)
    op.create_index("ix_melt_lot_id", "melt", ["lot_id"], unique=False)
    op.create_table(
        "provenance",
        sa.Column("provenance_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("tax_proof", sa.Text(), nullable=True),
        sa.Column("seller_check", sa.Text(), nullable=True),
        sa.Column("documents", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("conflict_area", sa.Boolean(), nullable=False),
        sa.Column("missing", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("reasons", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("due_diligence", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("grade IN ('LOW', 'MEDIUM', 'HIGH')", name=op.f("ck_provenance_grade_known")),
        sa.CheckConstraint(
            "origin IN ('MINE', 'RECYCLED_CONSUMER', 'RECYCLED_TRADE', 'MANUFACTURING', 'INDUSTRIAL', 'BANK')",
            name=op.f("ck_provenance_origin_known"),
        ),
        sa.CheckConstraint("status IN ('RECORDED', 'PROPOSED', 'ACCEPTED')", name=op.f("ck_provenance_status_known")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_provenance_lot_id")),
        sa.PrimaryKeyConstraint("provenance_no", name=op.f("pk_provenance")),
    )
    op.create_index("ix_provenance_lot_id", "provenance", ["lot_id"], unique=False)
    op.create_table(
        "sample",
        sa.Column("sample_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.Column("weight_cg", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("remelted_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("party IN ('A', 'B', 'UMPIRE')", name=op.f("ck_sample_party_known")),
        sa.CheckConstraint("weight_cg > 0", name=op.f("ck_sample_weight")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_sample_lot_id")),
        sa.PrimaryKeyConstraint("sample_no", name=op.f("pk_sample")),
        sa.UniqueConstraint("seal", name=op.f("uq_sample_seal")),
    )
    op.create_index("ix_sample_lot_id", "sample", ["lot_id"], unique=False)
    op.create_table(
        "valuation",
        sa.Column("valuation_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_valuation_lot_id")),
        sa.PrimaryKeyConstraint("valuation_no", name=op.f("pk_valuation")),
    )
    op.create_index("ix_valuation_lot_id", "valuation", ["lot_id"], unique=False)
    op.create_table(
        "exchange_party",
        sa.Column("exchange_no", sa.BigInteger(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("laboratory", sa.Text(), nullable=False),
        sa.Column("sample_no", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=True),
        sa.Column("committed_at", sa.BigInteger(), nullable=True),
        sa.Column("opening", sa.Text(), nullable=True),
        sa.Column("assay_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status = 'REVEALED') = (assay_id IS NOT NULL)", name=op.f("ck_exchange_party_revealed_with_a_result")
        ),
        sa.CheckConstraint(
            "commitment = sha256(convert_to(opening, 'UTF8'))",
            name=op.f("ck_exchange_party_revealed_what_was_committed"),
        ),
        sa.CheckConstraint("party IN ('A', 'B', 'UMPIRE')", name=op.f("ck_exchange_party_party_known")),
        sa.CheckConstraint(
            "status IN ('INVITED', 'COMMITTED', 'REVEALED')", name=op.f("ck_exchange_party_status_known")
        ),
        sa.CheckConstraint("length(commitment) = 32", name=op.f("ck_exchange_party_commitment_sha256")),
        sa.ForeignKeyConstraint(["assay_id"], ["assay.assay_id"], name=op.f("fk_exchange_party_assay_id")),
        sa.ForeignKeyConstraint(["exchange_no"], ["exchange.exchange_no"], name=op.f("fk_exchange_party_exchange_no")),
        sa.ForeignKeyConstraint(["laboratory"], ["laboratory.laboratory"], name=op.f("fk_exchange_party_laboratory")),
        sa.ForeignKeyConstraint(["sample_no"], ["sample.sample_no"], name=op.f("fk_exchange_party_sample_no")),
        sa.PrimaryKeyConstraint("exchange_no", "party", name=op.f("pk_exchange_party")),
    )
    op.create_table(
        "melt_parent",
        sa.Column("melt_no", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("weight_mg", sa.BigInteger(), nullable=False),
        sa.Column("fine_mg", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.lot_id"], name=op.f("fk_melt_parent_lot_id")),
        sa.ForeignKeyConstraint(["melt_no"], ["melt.melt_no"], name=op.f("fk_melt_parent_melt_no")),
        sa.PrimaryKeyConstraint("melt_no", "lot_id", name=op.f("pk_melt_parent")),
    )
    op.create_index("uq_melt_parent_lot_id", "melt_parent", ["lot_id"], unique=True)
    op.add_column("assay", sa.Column("standard", sa.Text(), nullable=True))
    op.add_column("assay", sa.Column("sample_no", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_assay_of_a_sample"),
        "assay",
        "(method = 'FIRE_ASSAY') = (sample_no IS NOT NULL AND standard IS NOT NULL)",
    )
    op.drop_column("certificate", "assay_id")
    op.execute("ALTER TABLE certificate ALTER COLUMN certificate_no DROP IDENTITY")
    op.add_column("lot", sa.Column("held_state", sa.Text(), nullable=True))
    op.drop_column("lot", "origin_document")
    op.drop_column("lot", "origin")
    op.drop_constraint(op.f("ck_lot_state_known"), "lot")
    op.create_check_constraint(op.f("ck_lot_state_known"), "lot", f"state IN ({', '.join(map(repr, LOT_STATES))})")
    op.drop_constraint(op.f("ck_lot_fine_once_certified"), "lot")
    op.create_check_constraint(
        op.f("ck_lot_fine_once_certified"),
        "lot",
        "(fine_mg IS NOT NULL) = (state IN ('CERTIFIED', 'REGISTERED', 'RECEIPTED', 'ALLOCATED', 'WITHDRAWN', "
        "'RELEASED')) OR state IN ('CONSUMED', 'QUARANTINED', 'REJECTED', 'RETURNED')",
    )
    op.create_check_constraint(
        op.f("ck_lot_held_from_somewhere"), "lot", "state <> 'QUARANTINED' OR held_state IS NOT NULL"
    )
    op.drop_index("uq_lot_refiner_serial_year", "lot")
    op.create_index(
        "uq_lot_refiner_serial_year",
        "lot",
        ["refiner", "serial", "year"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('RELEASED', 'RETURNED', 'CANCELLED', 'CONSUMED')"),
    )
    op.drop_constraint(op.f("ck_proposal_kind_known"), "proposal")
    op.create_check_constraint(
        op.f("ck_proposal_kind_known"), "proposal", f"kind IN ({', '.join(map(repr, PROPOSAL_KINDS))})"
    )
    op.execute(KEEP)
    for table, columns in KEPT.items():
        op.execute(
            f"CREATE TRIGGER written_once BEFORE UPDATE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION keep_columns({columns})"
        )
        op.execute(
            f"CREATE TRIGGER never_deleted BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is kept')"
        )
    op.execute(BAND)
    op.execute(
        "CREATE TRIGGER receipt_within_band BEFORE INSERT OR UPDATE OF status ON receipt FOR EACH ROW "
        "WHEN (NEW.status IN ('PROPOSED', 'ISSUING')) EXECUTE FUNCTION receipt_within_band()"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
