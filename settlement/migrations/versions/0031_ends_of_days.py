"""The close of trading days: what engine and ledger had at each end, steps and prices"""

from decimal import Decimal

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

APPEND_ONLY = ("phase_change", "holding_at_end", "stock_at_end", "instrument_at_end", "balance_at_end", "day_price")


def _sum(name: str) -> sa.Column[Decimal]:
    return sa.Column(name, sa.Numeric(38, 0), nullable=False)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def upgrade() -> None:
    op.add_column("trading_day", sa.Column("kept", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.create_table(
        "phase_change",
        _number("sequence"),
        _number("at"),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=False),
        sa.Column("previous", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_phase_change")),
    )
    op.create_table(
        "holding_at_end",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        _number("sequence"),
        _sum("total"),
        _sum("reserved"),
        _sum("locked"),
        _sum("unwithdrawable"),
        sa.PrimaryKeyConstraint("account", "asset", "sequence", name=op.f("pk_holding_at_end")),
    )
    op.create_table(
        "stock_at_end",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        _number("sequence"),
        _number("own_mg"),
        _number("own_sold_mg"),
        sa.PrimaryKeyConstraint("account", "symbol", "sequence", name=op.f("pk_stock_at_end")),
    )
    op.create_table(
        "instrument_at_end",
        _number("sequence"),
        sa.Column("symbol", sa.Text(), nullable=False),
        _number("reference_price", null=True),
        _number("last_price", null=True),
        sa.PrimaryKeyConstraint("sequence", "symbol", name=op.f("pk_instrument_at_end")),
    )
    op.create_table(
        "balance_at_end",
        _number("account_id"),
        _number("sequence"),
        _sum("balance"),
        sa.PrimaryKeyConstraint("account_id", "sequence", name=op.f("pk_balance_at_end")),
    )
    op.create_index("ix_balance_at_end_sequence", "balance_at_end", ["sequence"])
    op.create_table(
        "business_day",
        sa.Column("day", sa.Date(), nullable=False),
        _number("first_sequence"),
        _number("last_sequence"),
        _number("begun_at", null=True),
        _number("ended_at"),
        sa.Column("state", sa.Text(), nullable=False),
        _number("started_at"),
        sa.Column("started_by", sa.Text(), nullable=False),
        _number("closed_at", null=True),
        sa.Column("closing_hash", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("state IN ('CLOSING', 'CLOSED')", name=op.f("ck_business_day_state_known")),
        sa.CheckConstraint("first_sequence <= last_sequence", name=op.f("ck_business_day_range")),
        sa.CheckConstraint(
            "(state = 'CLOSING') = (closing_hash IS NULL)", name=op.f("ck_business_day_closed_with_its_hash")
        ),
        sa.CheckConstraint(
            "(closing_hash IS NULL) = (closed_at IS NULL)", name=op.f("ck_business_day_closed_at_some_time")
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_business_day")),
        sa.UniqueConstraint("first_sequence", name=op.f("uq_business_day_first_sequence")),
        sa.UniqueConstraint("last_sequence", name=op.f("uq_business_day_last_sequence")),
    )
    op.create_table(
        "close_step",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=True),
        sa.Column("input_hash", sa.LargeBinary(), nullable=True),
        sa.Column("output", sa.LargeBinary(), nullable=True),
        sa.Column("output_hash", sa.LargeBinary(), nullable=True),
        sa.Column("obstacles", JSONB(), nullable=True),
        _number("started_at"),
        _number("finished_at", null=True),
        sa.CheckConstraint("status IN ('RUNNING', 'BLOCKED', 'DONE')", name=op.f("ck_close_step_status_known")),
        sa.CheckConstraint(
            "(status = 'DONE') = (output IS NOT NULL AND output_hash IS NOT NULL AND input_hash IS NOT NULL "
            "AND finished_at IS NOT NULL)",
            name=op.f("ck_close_step_done_with_its_output"),
        ),
        sa.CheckConstraint(
            "(status = 'BLOCKED') = (obstacles IS NOT NULL)", name=op.f("ck_close_step_blocked_by_something")
        ),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_close_step_day")),
        sa.PrimaryKeyConstraint("day", "step", name=op.f("pk_close_step")),
        sa.UniqueConstraint("day", "position", name=op.f("uq_close_step_day_position")),
    )
    op.create_table(
        "day_price",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        _number("closing_price", null=True),
        sa.Column("closing_method", sa.Text(), nullable=False),
        _number("settlement_price", null=True),
        sa.Column("settlement_method", sa.Text(), nullable=False),
        sa.Column("inputs", JSONB(), nullable=False),
        sa.CheckConstraint(
            "closing_method IN ('AUCTION', 'WINDOW', 'LAST', 'PREVIOUS', 'REFERENCE', 'NONE')",
            name=op.f("ck_day_price_closing_method_known"),
        ),
        sa.CheckConstraint(
            "settlement_method IN ('AVERAGE', 'PREVIOUS', 'REFERENCE', 'NONE')",
            name=op.f("ck_day_price_settlement_method_known"),
        ),
        sa.CheckConstraint(
            "(closing_method = 'NONE') = (closing_price IS NULL)", name=op.f("ck_day_price_closing_price_or_none")
        ),
        sa.CheckConstraint(
            "(settlement_method = 'NONE') = (settlement_price IS NULL)",
            name=op.f("ck_day_price_settlement_price_or_none"),
        ),
        sa.CheckConstraint("closing_price > 0 AND settlement_price > 0", name=op.f("ck_day_price_positive")),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_day_price_day")),
        sa.PrimaryKeyConstraint("day", "symbol", name=op.f("pk_day_price")),
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change('it is append-only')"
        )
    op.execute(
        "CREATE TRIGGER done_stays BEFORE UPDATE OR DELETE ON close_step FOR EACH ROW WHEN (OLD.status = 'DONE') "
        "EXECUTE FUNCTION refuse_change('the step is done')"
    )
    op.execute(
        "CREATE TRIGGER closed_stays BEFORE UPDATE OR DELETE ON business_day FOR EACH ROW WHEN (OLD.state = 'CLOSED') "
        "EXECUTE FUNCTION refuse_change('the day is closed')"
    )
