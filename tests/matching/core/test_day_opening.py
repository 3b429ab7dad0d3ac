"""A trading day waits for settlement's permission, from the day after its first demand on."""

import pytest

from goldx.protocol import commands, terms, units
from goldx.protocol.commands import AnyCommand
from goldx.protocol.deal_commands import DealAccept, DealPropose
from goldx.protocol.events import CommandRejected
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.protocol.rfq_commands import RfqAccept, RfqCreate, RfqQuote
from matching.core.engine import Engine
from tests.matching.core.driving import apply

FIRST, SECOND, THIRD = "1970-01-01", "1970-01-02", "1970-01-05"
OPEN = commands.MarketSetPhase("X", terms.CONTINUOUS)
CLOSE = commands.MarketSetPhase("X", terms.CLOSED)
LASTS = 86_400_000


def market() -> Engine:
    """Return a market with two accounts that have money and gold, before its first trading day."""
    engine = Engine()
    apply(engine, 0, commands.InstrumentDefine("X", reference_price=100))
    for account in ("A", "B"):
        apply(engine, 0, commands.AccountOpen(account, f"m{account}"))
        for asset in (units.CASH, "X"):
            apply(engine, 0, commands.HoldingAdjust(account, asset, 1_000_000, f"{account}{asset}"))
    return engine


def outcome(engine: Engine, at: int, command: AnyCommand) -> str:
    """Return the reason of a refusal, or the name of the first event, or an empty text where nothing happens."""
    found = apply(engine, at, command)
    if found and isinstance(found[0], CommandRejected):
        return found[0].reason
    return found[0].event if found else ""


def detail_of(engine: Engine, command: AnyCommand) -> str:
    (found,) = apply(engine, 0, command)
    assert isinstance(found, CommandRejected)
    return found.detail or ""


def end(day: str, rules: int = 3) -> AnyCommand:
    return commands.MarketEndDay(day, "ada", rules)


def demanded() -> Engine:
    """Return a market in its second trading day, which waits; the demand was made before the first one."""
    engine = market()
    assert outcome(engine, 0, MarketPermitOpening("")) == "day.opening_decided"
    apply(engine, 0, end(FIRST))
    apply(engine, 0, end(SECOND))
    return engine


def test_without_a_demand_a_day_opens_by_phases_alone() -> None:
    engine = market()
    for day in (FIRST, SECOND):
        apply(engine, 0, end(day))
        assert outcome(engine, 0, OPEN) == "phase.changed"
        apply(engine, 0, CLOSE)


def test_the_first_day_waits_for_nothing_and_each_later_one_for_its_permission() -> None:
    engine = market()
    apply(engine, 0, MarketPermitOpening(""))
    apply(engine, 0, end(FIRST))
    for day, after in ((FIRST, SECOND), (SECOND, THIRD)):
        assert outcome(engine, 0, OPEN) == "phase.changed"
        apply(engine, 0, CLOSE)
        assert outcome(engine, 0, MarketPermitOpening(day, "too late")) == "", "a day that has opened stays open"
        assert outcome(engine, 0, OPEN) == "phase.changed"
        apply(engine, 0, CLOSE)
        apply(engine, 0, end(after))
        assert outcome(engine, 0, OPEN) == "DAY_WAITS"
        assert outcome(engine, 0, MarketPermitOpening(day)) == "BAD_VALUE", "it is about another day"
        assert outcome(engine, 0, OPEN) == "DAY_WAITS"
        assert outcome(engine, 0, MarketPermitOpening(after)) == "day.opening_decided"
        assert outcome(engine, 0, MarketPermitOpening(after)) == "", "it is known"


def test_a_refusal_says_what_stands_in_the_way() -> None:
    engine = demanded()
    assert detail_of(engine, OPEN) == (
        "settlement has not permitted 1970-01-02 yet; `goldx day why` shows who can clear it"
    )
    apply(engine, 0, MarketPermitOpening(SECOND, "1970-01-01 is not signed"))
    assert detail_of(engine, OPEN) == "1970-01-01 is not signed; `goldx day why` shows who can clear it"
    assert detail_of(engine, MarketPermitOpening(FIRST)) == "trading_day: the present one, 1970-01-02"
    assert detail_of(market(), MarketPermitOpening(FIRST)) == "trading_day: none has begun"


def test_a_permission_is_taken_back_until_the_day_has_opened() -> None:
    engine = demanded()
    apply(engine, 0, MarketPermitOpening(SECOND))
    assert outcome(engine, 0, MarketPermitOpening(SECOND, "a break")) == "day.opening_decided"
    assert outcome(engine, 0, OPEN) == "DAY_WAITS"
    apply(engine, 0, MarketPermitOpening(SECOND, ""))
    assert outcome(engine, 0, commands.MarketSetPhase("X", terms.HALTED)) == "phase.changed"
    apply(engine, 0, MarketPermitOpening(SECOND, "a break"))
    assert outcome(engine, 0, OPEN) == "DAY_WAITS", "a halt opens nothing"


@pytest.mark.parametrize("phase", [terms.PRE_OPEN, terms.AUCTION, terms.CONTINUOUS])
def test_no_phase_of_trading_begins_in_a_waiting_day_by_hand_or_by_plan(phase: int) -> None:
    engine = demanded()
    assert outcome(engine, 5, commands.MarketSetPhase("X", phase)) == "DAY_WAITS"
    assert outcome(engine, 5, commands.TimetableStep("X", phase, 5, 9)) == "DAY_WAITS"
    apply(engine, 5, MarketPermitOpening(SECOND))
    assert outcome(engine, 5, commands.TimetableStep("X", phase, 5, 9)) == "phase.changed"
    assert outcome(engine, 5, MarketPermitOpening(SECOND, "a break")) == ""
    assert outcome(engine, 5, commands.TimetableStep("X", terms.CLOSED, 6, 9)) == "TOO_EARLY"
    assert outcome(engine, 6, commands.TimetableStep("X", terms.CLOSED, 6, 9)) == "phase.changed"


def test_a_waiting_instrument_is_halted_and_closed() -> None:
    engine = demanded()
    assert outcome(engine, 0, commands.MarketSetPhase("X", terms.HALTED)) == "phase.changed"
    assert outcome(engine, 0, CLOSE) == "phase.changed"


def test_no_deal_and_no_request_is_made_or_accepted_in_a_waiting_day() -> None:
    engine = demanded()
    deal = DealPropose("A", "d", "B", "X", terms.BUY, 1_000, 100, LASTS)
    request = RfqCreate("A", "r", "X", terms.BUY, 1_000, LASTS, 1_000)
    quote = RfqQuote("B", 1, 100, 1_000)
    assert outcome(engine, 0, deal) == outcome(engine, 0, request) == "DAY_WAITS"
    apply(engine, 0, MarketPermitOpening(SECOND))
    assert outcome(engine, 0, deal) == "deal.proposed"
    assert outcome(engine, 0, request) == "rfq.created"
    assert outcome(engine, 0, quote) == "rfq.quoted"
    apply(engine, 0, MarketPermitOpening(SECOND, "a break"))
    apply(engine, 5_000, commands.ClockTick())
    for command in (DealAccept("B", 1), quote, RfqAccept("A", 1, 100)):
        assert outcome(engine, 5_000, command) == "DAY_WAITS"
    apply(engine, 5_000, MarketPermitOpening(SECOND))
    assert outcome(engine, 5_000, DealAccept("B", 1)) == "deal.accepted"
    assert outcome(engine, 5_000, MarketPermitOpening(SECOND, "a break")) == "", "the trade has opened the day"


def test_a_demand_in_an_open_day_counts_from_the_next_one() -> None:
    engine = market()
    apply(engine, 0, end(FIRST))
    apply(engine, 0, OPEN)
    assert outcome(engine, 0, MarketPermitOpening(FIRST, "a break")) == "day.opening_decided"
    apply(engine, 0, CLOSE)
    assert outcome(engine, 0, OPEN) == "phase.changed"
    apply(engine, 0, CLOSE)
    apply(engine, 0, end(SECOND))
    assert outcome(engine, 0, OPEN) == "DAY_WAITS"


def test_a_demand_before_a_day_has_opened_keeps_it_closed() -> None:
    engine = market()
    apply(engine, 0, end(FIRST))
    apply(engine, 0, MarketPermitOpening(FIRST, "a break"))
    assert outcome(engine, 0, OPEN) == "DAY_WAITS"


def test_a_day_that_has_not_opened_ends_all_the_same_and_no_day_ends_over_an_open_instrument() -> None:
    engine = demanded()
    assert outcome(engine, 0, end(THIRD)) == "day.ended"
    apply(engine, 0, MarketPermitOpening(THIRD))
    apply(engine, 0, OPEN)
    assert outcome(engine, 0, end("1970-01-06", rules=0)) == "PHASE", "the next day would begin open"


def test_a_snapshot_keeps_what_is_demanded_and_what_stands_in_the_way() -> None:
    engine = demanded()
    apply(engine, 0, MarketPermitOpening(SECOND, "a break"))
    engine = Engine.restore(engine.snapshot())
    assert detail_of(engine, OPEN).startswith("a break; ")
    apply(engine, 0, MarketPermitOpening(SECOND))
    apply(engine, 0, OPEN)
    engine = Engine.restore(engine.snapshot())
    assert outcome(engine, 0, MarketPermitOpening(SECOND, "a break")) == ""
