"""Decisions of the venue: the end of a day, terms, references, retirements."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.dangerous_terms import DEFINITION_RULES, REFERENCE_RULES
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.test_stories import LOT, market, place
from tests.matching.core.validator import validate

CLOSE = commands.MarketSetPhase("X", terms.CLOSED)


def reasons(engine: Engine, *given: AnyCommand, at: int = 3) -> list[str]:
    """Return for each command the reason for which it is refused, or an empty text."""
    firsts = [apply(engine, at, command)[0] for command in given]
    return [e.reason if isinstance(e, events.OrderRejected | events.CommandRejected) else "" for e in firsts]


def end_day(day: str) -> commands.MarketEndDay:
    return commands.MarketEndDay(day, rules=terms.END_OF_DAY_RULES)


@pytest.mark.parametrize(
    ("hour", "first"),
    [(15, "2026-11-24"), (16, "2026-11-25")],
    ids=["a minute before midnight in China", "a minute after it"],
)
def test_the_next_trading_day_is_bounded_by_the_date_in_china(hour: int, first: str) -> None:
    engine = market()
    minute = 59 if hour == 15 else 1
    at = int(datetime(2026, 11, 24, hour, minute, tzinfo=UTC).timestamp()) * 1_000
    too_early, last = ("2026-11-23", "2026-12-24") if hour == 15 else ("2026-11-24", "2026-12-25")
    beyond = f"2026-12-{int(last[-2:]) + 1}"
    assert reasons(engine, CLOSE, end_day(too_early), end_day(beyond), at=at) == ["", "BAD_VALUE", "BAD_VALUE"]
    assert reasons(engine, end_day(first), end_day(first), at=at) == ["", "BAD_VALUE"]
    assert reasons(engine, end_day(last), at=at) == [""]


def test_no_trading_day_goes_back_from_the_last_day_that_is_allowed() -> None:
    """By older rules it did, and journals that have it still fold so."""
    at = int(datetime(2026, 11, 24, 7, 30, tzinfo=UTC).timestamp()) * 1_000
    for rules, refused in ((terms.END_OF_DAY_RULES, "BAD_VALUE"), (2, "")):
        engine = market()
        ends = [commands.MarketEndDay(day, rules=rules) for day in ("2026-12-24", "2026-11-25")]
        assert reasons(engine, CLOSE, *ends, at=at) == ["", "", refused]


def test_a_next_trading_day_that_takes_two_begins_when_the_second_names_the_same() -> None:
    engine = market()
    at = int(datetime(2026, 11, 24, 7, 30, tzinfo=UTC).timestamp()) * 1_000

    def end(day: str, by: str) -> str:
        return apply(engine, at, commands.MarketEndDay(day, by, terms.END_OF_DAY_BY_TWO))[0].event

    assert end("2026-12-03", "ada") == "command.rejected", "the market is open"
    apply(engine, at, CLOSE)
    asked = [("2026-12-03", "ada"), ("2026-12-03", "ada"), ("2026-12-04", "ben"), ("2026-12-03", "ada")]
    assert [end(*each) for each in asked] == ["day.end_proposed"] * 4
    assert engine.state.trading_day == ""
    restored = Engine.restore(engine.snapshot())
    for each in (engine, restored):
        (ended, *_) = apply(each, at, commands.MarketEndDay("2026-12-03", "ben", terms.END_OF_DAY_BY_TWO))
        assert isinstance(ended, events.DayEnded)
        assert each.state.trading_day == "2026-12-03"
    assert end("2026-12-07", "ada") == "day.end_proposed", "nothing of the day before is left"


def test_a_day_whose_date_has_not_begun_ends_by_two_persons() -> None:
    """By older rules one person did it, and journals that have it still fold so."""
    tuesday = int(datetime(2026, 11, 24, 7, 30, tzinfo=UTC).timestamp()) * 1_000
    midnight = int(datetime(2026, 11, 24, 16, tzinfo=UTC).timestamp()) * 1_000

    def end(engine: Engine, at: int, day: str, by: str, rules: int = terms.END_OF_DAY_RULES) -> str:
        return apply(engine, at, commands.MarketEndDay(day, by, rules))[0].event

    engine = market()
    apply(engine, tuesday, CLOSE)
    assert end(engine, tuesday, "2026-11-25", "ada") == "day.ended", "the first day of a new exchange"
    restored = Engine.restore(engine.snapshot())
    for each in (engine, restored):
        assert [end(each, midnight - 1, "2026-11-26", by) for by in ("ada", "ada")] == ["day.end_proposed"] * 2
        assert each.state.trading_day == "2026-11-25"
    assert end(engine, midnight - 1, "2026-11-26", "ben") == "day.ended"
    assert end(engine, midnight, "2026-11-27", "ben") == "day.end_proposed", "it is Wednesday, and Thursday's day ends"
    assert end(restored, midnight, "2026-11-26", "ada") == "day.ended", "its date has begun"
    older = market()
    apply(older, tuesday, CLOSE)
    for day in ("2026-11-25", "2026-11-26"):
        assert end(older, tuesday, day, "ada", 3) == "day.ended"


def test_a_trading_day_that_older_rules_let_lie_in_the_far_future_ends() -> None:
    engine = market()
    at = int(datetime(2026, 11, 24, 7, 30, tzinfo=UTC).timestamp()) * 1_000
    apply(engine, at, commands.MarketEndDay("9999-12-31"))
    assert reasons(engine, CLOSE, end_day("2026-11-25"), at=at) == ["", ""]
    assert engine.state.trading_day == "2026-11-25"


def test_an_instrument_is_retired_when_nobody_has_anything_of_it_and_can_be_defined_again() -> None:
    engine = market()
    retire = commands.InstrumentRetire("X")
    place(engine, "A-1", terms.SELL, 100, 1)
    assert reasons(engine, retire, CLOSE, retire) == ["PHASE", "", "PHASE"]
    assert reasons(engine, commands.MarketCancelOrders("X", "it is retired"), retire) == ["", "BAD_VALUE"]
    out = [commands.HoldingAdjust(account, "X", -100 * LOT, f"out-{account}") for account in ("A", "A2", "B", "C")]
    assert reasons(engine, *out[:3], retire, out[3], retire, retire) == ["", "", "", "BAD_VALUE", "", "", "RETIRED"]
    engine = Engine.restore(engine.snapshot())
    opening, moving = commands.MarketSetPhase("X", terms.PRE_OPEN), commands.MarketSetReference("X", 100)
    assert reasons(engine, opening, moving) == ["RETIRED", "RETIRED"]
    assert reasons(engine, commands.InstrumentDefine("X", given=()), opening, moving) == ["", "", ""]
    validate(engine)


@pytest.mark.parametrize("phase", [terms.PRE_OPEN, terms.CONTINUOUS, terms.HALTED])
def test_an_instrument_that_nobody_has_anything_of_is_retired_only_when_it_is_closed(phase: int) -> None:
    engine = market()
    phases = [commands.MarketSetPhase("W", one) for one in dict.fromkeys((terms.PRE_OPEN, phase))]
    assert reasons(engine, commands.InstrumentDefine("W"), *phases) == [""] * (1 + len(phases))
    retire, close = commands.InstrumentRetire("W"), commands.MarketSetPhase("W", terms.CLOSED)
    assert reasons(engine, retire, close, retire) == ["PHASE", "", ""]
    validate(engine)


def test_an_account_is_retired_when_it_is_empty_and_stays_so() -> None:
    """It stays retired when its member is killed and restored; money that comes in later can be withdrawn."""
    engine = market()
    retire = commands.AccountRetire("C")
    order = commands.OrderPlace("C", "o", "X", terms.BUY, terms.LIMIT, LOT, 100)
    stop = commands.OrderPlace("C", "stop", "X", terms.BUY, terms.MARKET, LOT, stop_price=100)
    assert reasons(engine, stop, retire) == ["", "BAD_VALUE"]
    gone = [commands.HoldingAdjust("C", "CNY", -(10**6), "m"), commands.HoldingAdjust("C", "X", -100 * LOT, "g")]
    assert reasons(engine, *gone, retire) == ["", "", "BAD_VALUE"], "a market stop reserves nothing and is open"
    assert reasons(engine, commands.OrderCancelAll("C"), retire, retire) == ["", "", "RETIRED"]
    engine = Engine.restore(engine.snapshot())
    back, out = (commands.HoldingAdjust("C", "CNY", sign * 10**6, f"back{sign}") for sign in (1, -1))
    quote = commands.QuoteSet("C", "q", "X", 90, LOT, 110, LOT)
    assert reasons(engine, back, order, quote) == ["", "RETIRED", "RETIRED"]
    assert reasons(engine, commands.MemberKill("mC"), order) == ["", "KILLED"]
    assert reasons(engine, commands.MemberRestore("mC"), order, out) == ["", "RETIRED", ""]
    assert reasons(engine, commands.AccountOpen("C", "mC")) == ["DUPLICATE_ID"]


def give(engine: Engine, price: int, by: str) -> str:
    """Give a reference price within ten percent; return the event."""
    return apply(engine, 3, commands.MarketSetReference("X", price, by, 10))[0].event


def test_a_far_reference_is_followed_by_another_person_who_gives_the_same() -> None:
    """The distance is measured from the last price; exactly ten percent needs no second person."""
    engine = market(reference_price=200)
    place(engine, "B-1", terms.SELL, 100, 1)
    place(engine, "C-1", terms.BUY, 100, 1)
    assert [give(engine, 110, "ada"), give(engine, 90, "ada")] == ["reference.changed"] * 2
    assert [give(engine, 111, "ada"), give(engine, 111, "ada"), give(engine, 112, "ben")] == ["reference.proposed"] * 3
    assert engine.state.instruments["X"].reference == 90
    engine = Engine.restore(engine.snapshot())
    assert [give(engine, 112, "ben"), give(engine, 112, "ada")] == ["reference.proposed", "reference.changed"]
    assert [give(engine, 112, "ben")] == ["reference.proposed"], "a proposal that took effect is over"


def test_a_first_reference_far_from_all_other_prices_is_followed_by_another_person_who_gives_the_same() -> None:
    """So does a price of 70.00 for 700.00, which nothing of the instrument itself shows."""
    engine = market(reference_price=70_000)
    apply(engine, 2, commands.InstrumentDefine("N"))

    def first(price: int, by: str, rules: int = REFERENCE_RULES) -> str:
        return apply(engine, 3, commands.MarketSetReference("N", price, by, 10, rules))[0].event

    assert [first(7_000, "ada"), first(7_000, "ada"), first(140_001, "ben")] == ["reference.proposed"] * 3
    engine = Engine.restore(engine.snapshot())
    assert first(140_001, "ada") == "reference.changed"
    for price, rules in ((35_000, REFERENCE_RULES), (140_000, REFERENCE_RULES), (7_000, 0)):
        engine = market(reference_price=70_000)
        apply(engine, 2, commands.InstrumentDefine("N"))
        assert first(price, "ada", rules) == "reference.changed"


def test_a_proposed_reference_ends_with_the_day() -> None:
    engine = market(reference_price=100)
    assert give(engine, 200, "ada") == "reference.proposed"
    apply(engine, 3, commands.MarketEndDay("2026-11-25"))
    assert [give(engine, 200, "ben"), give(engine, 200, "ada")] == ["reference.proposed", "reference.changed"]


def define(engine: Engine, by: str, **terms_of_x: Any) -> str:
    """Give terms of the instrument X by the newest rules; return the event."""
    command = commands.InstrumentDefine("X", by=by, given=tuple(terms_of_x), rules=DEFINITION_RULES, **terms_of_x)
    return apply(engine, 3, command)[0].event


def test_a_dangerous_fee_is_followed_by_another_person_who_gives_the_same() -> None:
    engine = market(reference_price=1_000)
    apply(engine, 2, commands.MarketSetPhase("X", terms.CLOSED))
    assert define(engine, "ada", maker_fee_bp=10) == "instrument.defined"
    assert [define(engine, "ada", maker_fee_bp=100) for _ in range(2)] == ["instrument.proposed"] * 2
    assert define(engine, "ben", maker_fee_bp=101) == "instrument.proposed", "another figure is another proposal"
    assert engine.state.instruments["X"].definition.maker_fee_bp == 10
    engine = Engine.restore(engine.snapshot())
    assert [define(engine, "ben", maker_fee_bp=101), define(engine, "ada", maker_fee_bp=101)] == [
        "instrument.proposed",
        "instrument.defined",
    ]
    assert engine.state.instruments["X"].definition.maker_fee_bp == 101
    assert define(engine, "ada", name="Dore") == "instrument.defined", "what stays as it is was asked already"
    assert define(engine, "ada", taker_fee_bp=200) == "instrument.proposed"
    apply(engine, 3, commands.MarketEndDay("2026-11-25"))
    assert define(engine, "ben", taker_fee_bp=200) == "instrument.proposed", "a proposal ends with its day"


def test_a_new_instrument_with_a_dangerous_term_is_not_there_until_a_second_person_defines_it() -> None:
    engine = market(reference_price=1_000)
    new = commands.InstrumentDefine("N", reference_price=450, given=("reference_price",), rules=DEFINITION_RULES)
    ada, ben = (msgspec.structs.replace(new, by=by) for by in ("ada", "ben"))
    (proposed,) = apply(engine, 3, ada)
    assert isinstance(proposed, events.InstrumentProposed)
    assert (proposed.symbol, proposed.terms, proposed.by) == ("N", ("reference_price",), "ada")
    assert reasons(engine, commands.MarketSetPhase("N", terms.CONTINUOUS)) == ["UNKNOWN_SYMBOL"]
    assert apply(engine, 3, ben)[0].event == "instrument.defined"
    assert "N" in engine.state.instruments
    assert not engine.state.proposed_terms


def test_journals_without_rules_let_one_person_set_any_term() -> None:
    engine = market(reference_price=1_000)
    apply(engine, 2, commands.MarketSetPhase("X", terms.CLOSED))
    old = commands.InstrumentDefine("X", maker_fee_bp=1_000, given=("maker_fee_bp",), by="ada")
    assert apply(engine, 3, old)[0].event == "instrument.defined"


def test_an_order_that_the_venue_cancels_frees_what_it_reserved_and_says_why() -> None:
    engine = market()
    place(engine, "A-1", terms.SELL, 110, 1)
    place(engine, "B-1", terms.BUY, 90, 1)
    apply(engine, 2, commands.OrderPlace("C", "stop", "X", terms.BUY, terms.LIMIT, LOT, 95, stop_price=120))
    apply(engine, 2, commands.MarketSetPhase("X", terms.HALTED))
    only_b = apply(engine, 3, commands.MarketCancelOrders("X", "a mistake of B", "B"))
    found = only_b + apply(engine, 3, commands.MarketCancelOrders("X", "a new tick"))
    cancelled = [(e.account, e.reason, e.detail) for e in found if isinstance(e, events.OrderCancelled)]
    assert cancelled == [("B", "VENUE", "a mistake of B"), ("A", "VENUE", "a new tick"), ("C", "VENUE", "a new tick")]
    assert not engine.state.orders
    validate(engine)


def test_a_pending_stop_alone_keeps_the_terms_of_its_closed_instrument() -> None:
    engine = Engine()
    apply(engine, 1, commands.InstrumentDefine("X"))
    apply(engine, 1, commands.MarketSetPhase("X", terms.CONTINUOUS))
    apply(engine, 1, commands.AccountOpen("C", "mC"))
    apply(engine, 1, commands.HoldingAdjust("C", "CNY", 10**9, "C-CNY"))
    apply(engine, 2, commands.OrderPlace("C", "stop", "X", terms.BUY, terms.LIMIT, LOT, 95, stop_price=120))
    apply(engine, 3, commands.MarketSetPhase("X", terms.CLOSED))
    assert len(engine.state.orders) == 1
    (refused,) = apply(engine, 4, commands.InstrumentDefine("X", given=("name",), name="Dore"))
    assert isinstance(refused, events.CommandRejected)
    assert refused.reason == "PHASE"
    (refused,) = apply(engine, 4, commands.InstrumentRetire("X"))
    assert isinstance(refused, events.CommandRejected)
