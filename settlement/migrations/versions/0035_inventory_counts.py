"""Inventory counts: lists, results of two counters, signatures and records"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

KIND = "inventory_count"
STATES = "'PROPOSED', 'COUNTING', 'DECLINED', 'RECOUNTING', 'CLOSED', 'CANCELLED'"


def _key(table: str, column: str, of: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.{column}"], name=op.f(f"fk_{table}_{column}"))


def _mark() -> list[sa.Column[object]]:
    return [
        sa.Column("refiner", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=False),
    ]


def _allow(name: str, word: str) -> None:
    found = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    table = name.removeprefix("ck_").removesuffix("_kind_known")
    before = op.get_bind().execute(found, {"name": name}).scalar_one()
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    after = before.replace("ARRAY[", f"ARRAY['{word}'::text, ")
    op.get_bind().exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {after}")


def upgrade() -> None:
    _allow("ck_proposal_kind_known", KIND)
    _allow("ck_file_kind_known", "count")
    op.create_table(
        "inventory_count",
        sa.Column("count_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("warehouse", sa.Text(), nullable=False),
        sa.Column("extent", sa.Text(), nullable=False),
        sa.Column("lots", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("sample", sa.BigInteger(), nullable=True),
        sa.Column("seed", sa.Text(), nullable=True),
        sa.Column("first_counter", sa.Text(), nullable=False),
        sa.Column("second_counter", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("supervisor", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("extent IN ('FULL', 'LOTS', 'SAMPLE')", name=op.f("ck_inventory_count_extent_known")),
        sa.CheckConstraint(f"status IN ({STATES})", name=op.f("ck_inventory_count_status_known")),
        sa.CheckConstraint("first_counter <> second_counter", name=op.f("ck_inventory_count_two_counters")),
        sa.CheckConstraint(
            "supervisor NOT IN (first_counter, second_counter)", name=op.f("ck_inventory_count_supervised_by_another")
        ),
        sa.CheckConstraint(
            "(extent = 'SAMPLE') = (sample IS NOT NULL AND seed IS NOT NULL)",
            name=op.f("ck_inventory_count_drawn_by_a_seed"),
        ),
        sa.CheckConstraint(
            "(status = 'CLOSED') = (supervisor IS NOT NULL AND run_id IS NOT NULL)",
            name=op.f("ck_inventory_count_closed_by_someone"),
        ),
        _key("inventory_count", "warehouse", "warehouse"),
        _key("inventory_count", "run_id", "recon_run"),
        sa.PrimaryKeyConstraint("count_no", name=op.f("pk_inventory_count")),
    )
    op.create_index("ix_inventory_count_warehouse_status", "inventory_count", ["warehouse", "status"])
    for table, is_lot in (("count_lot", True), ("count_again", False)):
        op.create_table(
            table,
            sa.Column("count_no", sa.BigInteger(), nullable=False),
            sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("lot_id", sa.BigInteger(), nullable=not is_lot),
            *_mark(),
            _key(table, "count_no", "inventory_count"),
            _key(table, "lot_id", "lot"),
            sa.PrimaryKeyConstraint("count_no", "line", name=op.f(f"pk_{table}")),
        )
    op.create_index("uq_count_lot_count_no_lot_id", "count_lot", ["count_no", "lot_id"], unique=True)
    op.create_table(
        "count_result",
        sa.Column("result_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("count_no", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("counter", sa.Text(), nullable=False),
        *_mark(),
        sa.Column("found", sa.Boolean(), nullable=False),
        sa.Column("gross_cg", sa.BigInteger(), nullable=True),
        sa.Column("seal", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("source IN ('TYPED', 'LIST', 'SCAN')", name=op.f("ck_count_result_source_known")),
        sa.CheckConstraint("round IN (1, 2)", name=op.f("ck_count_result_round_known")),
        sa.CheckConstraint("gross_cg > 0", name=op.f("ck_count_result_weight")),
        sa.CheckConstraint(
            "found OR (gross_cg IS NULL AND seal IS NULL)", name=op.f("ck_count_result_what_is_missing_has_no_weight")
        ),
        _key("count_result", "count_no", "inventory_count"),
        sa.PrimaryKeyConstraint("result_no", name=op.f("pk_count_result")),
    )
    op.create_index("ix_count_result_count_no_round_counter", "count_result", ["count_no", "round", "counter"])
    op.create_table(
        "count_signature",
        sa.Column("signature_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("count_no", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("last_result", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _key("count_signature", "count_no", "inventory_count"),
        sa.PrimaryKeyConstraint("signature_no", name=op.f("pk_count_signature")),
    )
    op.create_index("ix_count_signature_count_no", "count_signature", ["count_no"])
    op.create_table(
        "count_record",
        sa.Column("count_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "hash = sha256(convert_to(content, 'UTF8'))", name=op.f("ck_count_record_hash_of_content")
        ),
        _key("count_record", "count_no", "inventory_count"),
        sa.PrimaryKeyConstraint("count_no", name=op.f("pk_count_record")),
    )
    for table in ("count_lot", "count_again", "count_result", "count_signature", "count_record"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
