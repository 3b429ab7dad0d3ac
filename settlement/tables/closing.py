"""The tables of the close: what engine and ledger had at the end of each trading day, steps and prices.

Each ``sequence`` of an end is that of the event that ended the day. A holding, own stock or balance is kept at an end
only if it has changed since the one before: what an account had at an end is its newest row up to there.

Units as in ``settlement.tables.columns``.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from goldx.protocol.terms import FORMS
from settlement.documents.closing import (
    BENCHMARK_METHODS,
    CAPACITIES,
    CLOSING_METHODS,
    DAY_DIFFERENCE,
    DAY_STATES,
    DIFFERENCE_DECLINED,
    SETTLEMENT_METHODS,
    STEP_STATES,
    TAKEN_OVER,
)
from settlement.tables.columns import integer, metadata, number, one_of, string, total

phase_change = Table(
    "phase_change",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    integer("at"),
    string("symbol"),
    Column("phase", SmallInteger, nullable=False),
    Column("previous", SmallInteger, nullable=False),
    integer("planned_at", null=True),
)
"""The changes of phase that the engine has published; ``planned_at`` as in PhaseChanged."""

holding_at_end = Table(
    "holding_at_end",
    metadata,
    Column("account", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    total("total"),
    total("reserved"),
    total("locked"),
    total("unwithdrawable"),
)

stock_at_end = Table(
    "stock_at_end",
    metadata,
    Column("account", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    integer("own_mg"),
    integer("own_sold_mg"),
)

instrument_at_end = Table(
    "instrument_at_end",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("symbol", Text, primary_key=True),
    integer("reference_price", null=True),
    integer("last_price", null=True),
    string("name", null=True),
    string("name_zh", null=True),
    string("form", null=True),
)
"""All instruments at each end, with the prices, names and form that they had; an end of before 0062 has no names."""

balance_at_end = Table(
    "balance_at_end",
    metadata,
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    total("balance"),
    Index("ix_balance_at_end_sequence", "sequence"),
)
"""The balances of the ledger at the end of each closed day; the close writes them."""

business_day = Table(
    "business_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("first_sequence", BigInteger, nullable=False, unique=True),
    Column("last_sequence", BigInteger, nullable=False, unique=True),
    integer("begun_at", null=True),
    integer("ended_at"),
    string("state"),
    integer("started_at"),
    string("started_by"),
    integer("closed_at", null=True),
    Column("closing_hash", LargeBinary),
    one_of("state", DAY_STATES),
    CheckConstraint("first_sequence <= last_sequence", name="range"),
    CheckConstraint("(state = 'CLOSING') = (closing_hash IS NULL)", name="closed_with_its_hash"),
    CheckConstraint("(closing_hash IS NULL) = (closed_at IS NULL)", name="closed_at_some_time"),
)
"""The trading days that are closed or being closed; ``begun_at`` and ``ended_at`` are the engine's times."""

close_step = Table(
    "close_step",
    metadata,
    Column("day", Date, ForeignKey("business_day.day"), primary_key=True),
    Column("step", Text, primary_key=True),
    Column("position", SmallInteger, nullable=False),
    string("status"),
    Column("facts", LargeBinary),
    Column("input_hash", LargeBinary),
    Column("output", LargeBinary),
    Column("output_hash", LargeBinary),
    Column("obstacles", JSONB),
    integer("started_at"),
    integer("finished_at", null=True),
    one_of("status", STEP_STATES),
    UniqueConstraint("day", "position"),
    CheckConstraint(
        "(status = 'DONE') = (output IS NOT NULL AND output_hash IS NOT NULL AND input_hash IS NOT NULL "
        "AND finished_at IS NOT NULL)",
        name="done_with_its_output",
    ),
    CheckConstraint("(status = 'BLOCKED') = (obstacles IS NOT NULL)", name="blocked_by_something"),
)
"""The steps of each day's close. ``facts``: what a step has read that the engine's events do not determine."""

day_difference = Table(
    "day_difference",
    metadata,
    number("difference_no"),
    Column("day", Date, ForeignKey("business_day.day"), nullable=False),
    string("account"),
    string("asset"),
    total("engine"),
    total("ledger"),
    Column("owner", Text, ForeignKey("staff.staff"), nullable=False),
    string("reason"),
    string("status"),
    Column("break_id", BigInteger, ForeignKey("recon_break.break_id")),
    one_of("status", DAY_DIFFERENCE.states),
    CheckConstraint("engine <> ledger", name="differ"),
    CheckConstraint(f"(status = {TAKEN_OVER!r}) = (break_id IS NOT NULL)", name="taken_over_as_a_break"),
    Index(
        "uq_day_difference_day_account_asset",
        "day",
        "account",
        "asset",
        unique=True,
        postgresql_where=text(f"status <> {DIFFERENCE_DECLINED!r}"),
    ),
)
"""Differences between engine and ledger at the end of a day that people have seen and take over into the next day.

``engine`` and ``ledger`` are the figures that they have seen, in fen for CNY and in fine mg for gold. ``break_id`` is
the break that each of them is from its approval on, and ``owner`` who deals with it.
"""

close_progress = Table(
    "close_progress",
    metadata,
    Column("day", Date, ForeignKey("business_day.day"), primary_key=True),
    string("step"),
    integer("done"),
    integer("of"),
    integer("at"),
)
"""By day how much of how much of a step was done at a time (``settlement.closing.progress``)."""

day_price = Table(
    "day_price",
    metadata,
    Column("day", Date, ForeignKey("business_day.day"), primary_key=True),
    Column("symbol", Text, primary_key=True),
    integer("closing_price", null=True),
    string("closing_method"),
    integer("settlement_price", null=True),
    string("settlement_method"),
    Column("inputs", JSONB, nullable=False),
    one_of("closing_method", CLOSING_METHODS),
    one_of("settlement_method", SETTLEMENT_METHODS),
    CheckConstraint("(closing_method = 'NONE') = (closing_price IS NULL)", name="closing_price_or_none"),
    CheckConstraint("(settlement_method = 'NONE') = (settlement_price IS NULL)", name="settlement_price_or_none"),
    CheckConstraint("closing_price > 0 AND settlement_price > 0", name="positive"),
)
"""Closing and settlement price of each instrument and closed day in fen per gram, with what they were found from."""

day_benchmark = Table(
    "day_benchmark",
    metadata,
    Column("day", Date, ForeignKey("business_day.day"), primary_key=True),
    Column("form", Text, primary_key=True),
    integer("price", null=True),
    string("method"),
    integer("trades"),
    total("quantity_mg"),
    total("amount_fen"),
    Column("inputs", JSONB, nullable=False),
    one_of("form", FORMS),
    one_of("method", BENCHMARK_METHODS),
    CheckConstraint("(method = 'NONE') = (price IS NULL)", name="price_or_none"),
    CheckConstraint("price > 0", name="positive"),
)
"""The venue's benchmark of each form and closed day in fen per gram, with what it was found from."""

day_signature = Table(
    "day_signature",
    metadata,
    Column("day", Date, ForeignKey("business_day.day"), primary_key=True),
    Column("capacity", Text, primary_key=True),
    Column("signed_by", Text, ForeignKey("staff.staff"), nullable=False),
    Column("closing_hash", LargeBinary, nullable=False),
    integer("signed_at"),
    one_of("capacity", CAPACITIES),
    UniqueConstraint("day", "signed_by"),
)
"""The signatures of closed days; no person signs a day in two capacities."""

day_record = Table(
    "day_record",
    metadata,
    number("record_no"),
    Column("day", Date, ForeignKey("business_day.day"), nullable=False, unique=True),
    Column("previous", LargeBinary, nullable=False, unique=True),
    Column("content", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    integer("made_at"),
    CheckConstraint("length(previous) = 32 AND length(hash) = 32", name="sha256"),
)
"""The records of the days that all three have signed, each chained to the one before by its hash."""

day_proof = Table(
    "day_proof",
    metadata,
    Column("day", Date, ForeignKey("business_day.day"), primary_key=True),
    Column("run_id", BigInteger, ForeignKey("recon_run.run_id"), nullable=False),
    integer("sequence"),
    total("trade_fees_fen"),
    integer("audit_number"),
    integer("change_no"),
    integer("transaction"),
    string("cluster"),
    string("revision"),
)
"""The days at whose close a run found nothing: the last sequence, the fees of the trades that stood at it, and where
the records ended that the run saw (``settlement.reconciliation.since.RecordEnds``)."""

day_archive = Table(
    "day_archive",
    metadata,
    Column("day", Date, ForeignKey("day_record.day"), primary_key=True),
    string("file"),
    Column("sha256", LargeBinary, nullable=False),
    integer("archived_at"),
    CheckConstraint("length(sha256) = 32", name="sha256"),
)
"""The files in which the records of days are archived, by name in the folder of the archive, with their hashes."""

day_stamp = Table(
    "day_stamp",
    metadata,
    Column("day", Date, ForeignKey("day_record.day"), primary_key=True),
    Column("answer", LargeBinary, nullable=False),
    integer("stamped_at"),
    string("service"),
)
"""The time stamps of the records of days: the whole answer of the service, the time in it, and the service's URL."""

day_opening = Table(
    "day_opening",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("given_by", Text, ForeignKey("staff.staff"), primary_key=True),
    Column("day", Date, nullable=False),
    string("reason"),
    Column("obstacles", JSONB, nullable=False),
    integer("given_at"),
)
"""The people who open a trading day in spite of obstacles; ``sequence`` is that of the event that began the day."""

day_opening_obstacle = Table(
    "day_opening_obstacle",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("given_by", Text, primary_key=True),
    Column("about", Text, primary_key=True),
    string("obstacle"),
    string("reason"),
    integer("given_at"),
    ForeignKeyConstraint(["sequence", "given_by"], [day_opening.c.sequence, day_opening.c.given_by]),
)
"""The obstacles in spite of which each of these people opens the day, with the reason given for them.

``about`` identifies an obstacle (``settlement.closing.opening.InTheWay``).
"""
