"""Phases by the timetable: each step once, not early, never stale; holds, delays, halts; snapshots."""

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import AnyCommand
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.test_stories import market, place
from tests.matching.core.validator import validate

LATE = 1_000


def step(planned_at: int, phase: int) -> commands.TimetableStep:
    return commands.TimetableStep("X", phase, planned_at, planned_at + LATE)


def outcome(engine: Engine, at: int, command: AnyCommand) -> str:
    """Return the reason of a refusal, or the name of the first event."""
    first = apply(engine, at, command)[0]
    validate(engine)
    return first.reason if isinstance(first, events.CommandRejected) else first.event


def restored(engine: Engine) -> Engine:
    """Return the core again from its snapshot; the same bytes come out."""
    again = Engine.restore(engine.snapshot())
    assert again.snapshot() == engine.snapshot()
    return again


def test_a_step_is_taken_once_also_after_a_snapshot_and_after_a_later_one() -> None:
    engine = market()
    assert outcome(engine, 1_000, step(1_000, terms.AUCTION)) == "phase.changed"
    assert outcome(engine, 1_000, step(1_000, terms.CLOSED)) == "STEP_TAKEN"
    engine = restored(engine)
    assert outcome(engine, 1_001, step(1_000, terms.CLOSED)) == "STEP_TAKEN"
    assert outcome(engine, 1_001, step(999, terms.CLOSED)) == "STEP_TAKEN"
    assert outcome(engine, 1_001, step(1_001, terms.CONTINUOUS)) == "phase.changed"


def test_a_step_is_taken_neither_early_nor_late() -> None:
    engine = market()
    assert outcome(engine, 1_999, step(2_000, terms.AUCTION)) == "TOO_EARLY"
    assert outcome(engine, 2_000 + LATE + 1, step(2_000, terms.AUCTION)) == "TOO_LATE"
    assert outcome(engine, 4_000 + LATE, step(4_000, terms.AUCTION)) == "phase.changed"


def test_a_step_into_the_present_phase_is_taken_and_ends_an_interruption() -> None:
    engine = market(dynamic_band_percent=1, reference_price=100, interruption_ms=1_000)
    place(engine, "A-1", terms.SELL, 105, 1)
    place(engine, "B-1", terms.BUY, 105, 1)
    assert engine.state.instruments["X"].phase == terms.AUCTION
    (changed, *_) = apply(engine, 500, step(500, terms.AUCTION))
    assert isinstance(changed, events.PhaseChanged)
    assert (changed.phase, changed.previous, changed.planned_at) == (terms.AUCTION, terms.AUCTION, 500)
    # The interruption would have ended here.
    apply(engine, 5_000, commands.ClockTick())
    assert engine.state.instruments["X"].phase == terms.AUCTION


def test_a_halted_instrument_is_not_uncrossed_and_opens_again_by_an_operator_alone() -> None:
    engine = market()
    apply(engine, 10, commands.MarketSetPhase("X", terms.AUCTION))
    place(engine, "A-1", terms.SELL, 100, 1)
    place(engine, "B-1", terms.BUY, 100, 1)
    apply(engine, 20, commands.MarketSetPhase("X", terms.HALTED))
    assert outcome(engine, 100, step(100, terms.CONTINUOUS)) == "HALTED"
    found = apply(engine, 200, step(200, terms.CLOSED))
    assert [event.event for event in found] == ["phase.changed", "timetable.held"]
    engine = restored(engine)
    assert outcome(engine, 300, step(300, terms.PRE_OPEN)) == "HELD"
    assert outcome(engine, 310, commands.TimetableHold("X", False)) == "timetable.held"
    assert outcome(engine, 310, commands.TimetableHold("X", False)) == "BAD_VALUE"
    assert outcome(engine, 320, step(320, terms.PRE_OPEN)) == "phase.changed"
    assert len(engine.state.orders) == 2


def test_a_delay_counts_for_its_steps_until_the_day_ends() -> None:
    engine = market()
    delay = commands.TimetableDelay("X", 1_000, 2_000, 500)
    assert outcome(engine, 10, delay) == "timetable.delayed"
    engine = restored(engine)
    assert outcome(engine, 999, step(999, terms.AUCTION)) == "phase.changed"
    assert outcome(engine, 1_499, step(1_000, terms.CLOSED)) == "TOO_EARLY"
    assert outcome(engine, 1_500, step(1_000, terms.CLOSED)) == "phase.changed"
    assert outcome(engine, 1_500, delay) == "STEP_TAKEN"
    assert outcome(engine, 1_500, commands.TimetableDelay("X", 3_000, 2_999, 1)) == "BAD_VALUE"
    assert outcome(engine, 1_500, commands.TimetableDelay("X", 3_000, 3_000, 86_400_001)) == "BAD_VALUE"
    assert outcome(engine, 1_600, commands.MarketEndDay("1970-01-02", rules=1)) == "day.ended"
    assert outcome(engine, 2_000, step(2_000, terms.AUCTION)) == "phase.changed"


def test_a_delay_of_nothing_takes_a_delay_back() -> None:
    engine = market()
    before = engine.snapshot()
    apply(engine, 0, commands.TimetableDelay("X", 1_000, 2_000, 500))
    apply(engine, 0, commands.TimetableDelay("X", 1_000, 1_000, 0))
    assert len(engine.snapshot()) == len(before)
    assert outcome(engine, 1_500, step(1_500, terms.AUCTION)) == "phase.changed"


def test_steps_are_refused_for_what_is_not_there() -> None:
    engine = market()
    assert outcome(engine, 1, commands.TimetableStep("Z", terms.CLOSED, 1, 1)) == "UNKNOWN_SYMBOL"
    assert outcome(engine, 1, step(1, terms.HALTED)) == "BAD_VALUE"
    assert outcome(engine, 1, step(1, 9)) == "BAD_VALUE"
    apply(engine, 1, commands.InstrumentDefine("V"))
    apply(engine, 1, commands.InstrumentRetire("V"))
    assert outcome(engine, 1, commands.TimetableStep("V", terms.AUCTION, 1, 1)) == "RETIRED"
    assert outcome(engine, 1, commands.TimetableHold("V", True)) == "RETIRED"
    assert outcome(engine, 1, commands.TimetableDelay("V", 1, 1, 1)) == "RETIRED"
