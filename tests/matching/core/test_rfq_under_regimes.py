"""Requests for quotes under the legal regimes: disclosed ones are always allowed, anonymous ones take an approval."""

from typing import Any

import pytest

from goldx.protocol import commands, terms
from goldx.protocol.commands import HoldingAdjust, MarketEndDay, MarketSetPhase
from goldx.protocol.rfq_commands import RfqAccept, RfqCreate, RfqQuote
from goldx.protocol.rfq_events import RfqQuoted
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.rfq_market import ended, fills
from tests.matching.core.test_decisions import reasons
from tests.matching.core.test_holders import held_by
from tests.matching.core.test_regime import APPROVED, NEGOTIATED, SANDBOX, WIND_DOWN, detail, place, trade, under
from tests.matching.core.test_stories import LOT, market
from tests.matching.core.validator import validate

AT, SEEN = 3, 1_003
"""The time of all commands here (``reasons`` and ``detail`` apply theirs then), and the end of the graces."""
BUY, SELL = terms.BUY, terms.SELL


def ask(account: str, side: int, name: str, lots: int = 1, **more: Any) -> RfqCreate:
    return RfqCreate(account, name, "X", side, lots * LOT, 1_000_000, 1_000, **more)


def traded(engine: Engine, asker: str, side: int, quoter: str, lots: int = 1, **more: Any) -> list[str]:
    """Ask, quote and accept at 100 fen; return what refused the three commands."""
    number = engine.state.last_rfq_id + 1
    found = reasons(engine, ask(asker, side, f"r{number}", lots, **more), RfqQuote(quoter, number, 100, lots * LOT))
    apply(engine, engine.state.now + 1_000, commands.ClockTick())
    return found + reasons(engine, RfqAccept(asker, number, 100))


@pytest.mark.parametrize("kind", [NEGOTIATED, SANDBOX, APPROVED])
def test_disclosed_requests_are_made_under_every_regime_while_the_book_is_closed(kind: int) -> None:
    engine = market()
    under(engine, kind)
    apply(engine, AT, MarketSetPhase("X", terms.CLOSED))
    assert traded(engine, "A", BUY, "B") == ["", "", ""]
    validate(engine)


def test_anonymous_requests_take_an_approval_or_a_sandbox() -> None:
    engine = market()
    assert traded(engine, "A", BUY, "B", anonymous=True) == ["", "", ""]
    for kind, needed in (
        (NEGOTIATED, "NEGOTIATED does not allow it; it needs SANDBOX or APPROVED"),
        (WIND_DOWN, "nothing new begins in WIND_DOWN"),
    ):
        under(engine, kind)
        assert detail(engine, ask("A", SELL, "no", anonymous=True)) == f"REGIME anonymity: {needed}"
    for kind in (SANDBOX, APPROVED):
        engine = market()
        under(engine, kind)
        assert traded(engine, "A", BUY, "B", anonymous=True) == ["", "", ""]


def test_a_regime_that_no_longer_allows_it_ends_anonymous_requests_alone() -> None:
    engine = market()
    apply(engine, 2, ask("A", BUY, "r1", anonymous=True))
    apply(engine, 2, ask("A", BUY, "r2"))
    for number in (1, 2):
        apply(engine, 2, RfqQuote("B", number, 100, LOT))
    assert ended(under(engine, NEGOTIATED)) == {"A": "REGIME", "B": "REGIME"}
    assert list(engine.state.requests) == [2]
    assert fills(apply(engine, 10_000, RfqAccept("A", 2, 100)))


def test_anonymous_trades_count_towards_the_caps_of_a_sandbox_and_disclosed_ones_do_not() -> None:
    engine = market()
    under(engine, SANDBOX)
    assert traded(engine, "A", SELL, "B", 90) == ["", "", ""]
    assert (engine.state.day_value, engine.state.total_value) == (0, 0)
    apply(engine, AT, HoldingAdjust("A", "X", 200 * LOT, "more"))
    assert traded(engine, "A", SELL, "B", 90, anonymous=True) == ["", "", ""]
    assert (engine.state.day_value, engine.state.total_value) == (9_000, 9_000)
    assert traded(engine, "A", SELL, "B", 11, anonymous=True) == ["", "", "REGIME"]
    words = "REGIME max_day_value: the sandbox allows 100.00 CNY, of which 90.00 are traded"
    assert detail(engine, RfqAccept("A", engine.state.last_rfq_id, 100)) == words
    assert traded(engine, "A", SELL, "B", 11) == ["", "", ""]
    trade(engine, 1, 10 * LOT)
    assert engine.state.day_value == 10_000
    assert traded(engine, "A", SELL, "B", 1, anonymous=True) == ["", "", "REGIME"]


def test_while_the_venue_winds_down_only_its_buyers_buy_whoever_asks() -> None:
    engine = market()
    apply(engine, 2, ask("A", SELL, "before"))
    for account in ("B", "C"):
        apply(engine, 2, RfqQuote(account, 1, 101 if account == "C" else 100, LOT))
    under(engine, WIND_DOWN, buyers=("mB",))
    words = "REGIME mA may not buy in WIND_DOWN; only mB"
    assert detail(engine, ask("A", BUY, "r2")) == words
    assert traded(engine, "B", BUY, "A") == ["", "", ""]
    apply(engine, AT, ask("A", SELL, "r3"))
    assert detail(engine, RfqQuote("C", 3, 100, LOT)) == "REGIME mC may not buy in WIND_DOWN; only mB"
    assert reasons(engine, RfqQuote("B", 3, 100, LOT)) == [""]
    found = apply(engine, 10_000, RfqAccept("A", 1, 1))
    assert ended(found) == {"C": "TRADED_AWAY"}, "a quote of who may not buy any more takes no part"
    assert engine.state.accounts["B"].balances["X"].total == 102 * LOT
    validate(engine)


def test_a_requester_that_may_not_buy_any_more_accepts_nothing() -> None:
    engine = market()
    apply(engine, 2, ask("C", BUY, "r1"))
    apply(engine, 2, RfqQuote("A", 1, 100, LOT))
    under(engine, WIND_DOWN, buyers=("mB",))
    apply(engine, 10_000, commands.ClockTick())
    assert detail(engine, RfqAccept("C", 1, 100)) == "REGIME mC may not buy in WIND_DOWN; only mB"
    assert list(engine.state.requests) == [1]


def test_gold_bought_by_a_request_is_sold_after_the_regimes_trading_days_by_no_request_before() -> None:
    engine = market()
    under(engine, NEGOTIATED, min_hold_trading_days=5)
    apply(engine, AT, HoldingAdjust("B", "X", -100 * LOT, "all"))
    assert traded(engine, "B", BUY, "A", 3) == ["", "", ""]
    for day in range(24, 29):
        assert traded(engine, "C", BUY, "B", 3) == ["", "RESALE_LOCKED", "CANNOT_FILL"]
        assert traded(engine, "B", SELL, "C", 3) == ["", "", "RESALE_LOCKED"]
        apply(engine, AT, MarketEndDay(f"2026-11-{day}"))
        engine = Engine.restore(engine.snapshot())
    assert traded(engine, "C", BUY, "B", 3) == ["", "", ""]
    validate(engine)


def test_a_request_makes_no_holder_too_many_and_who_quotes_to_buy_is_one() -> None:
    engine = held_by("A", most=2)
    words = "MAX_HOLDERS max_holders: X may have 2 holders, and has 2 with those who want to buy"
    apply(engine, 2, ask("A", SELL, "r1"))
    apply(engine, 2, ask("C", BUY, "r2"))
    assert isinstance(apply(engine, 2, RfqQuote("A", 2, 100, LOT))[0], RfqQuoted)
    assert isinstance(apply(engine, 2, RfqQuote("B", 1, 100, LOT))[0], RfqQuoted)
    engine = Engine.restore(engine.snapshot())
    assert detail(engine, RfqQuote("C", 1, 100, LOT)) == words
    assert detail(engine, ask("C", BUY, "r3")) == words
    assert reasons(engine, place("C", "c", BUY, 90)) == ["MAX_HOLDERS"]
    apply(engine, SEEN, commands.ClockTick())
    assert detail(engine, RfqAccept("C", 2, 100)) == words
    assert fills(apply(engine, SEEN, RfqAccept("A", 1, 100))) == [("B", 1, 1)]
    validate(engine)


def test_two_accounts_of_one_person_trade_by_no_request_however_the_owner_is_named() -> None:
    engine = market()
    apply(engine, 2, ask("A", SELL, "r1"))
    apply(engine, 2, commands.AccountOpen("A.HOLD", "CUSTODY", owner="A"))
    apply(engine, 2, commands.AccountOpen("one.too", "m9", owner="one"))
    for account in ("A2", "A.HOLD", "one.too"):
        assert reasons(engine, RfqQuote(account, 1, 100, LOT)) == ["SELF_TRADE"]


def test_a_quote_of_who_turns_out_to_be_the_requester_takes_no_part() -> None:
    """An account that is opened after the quote shows that the quoter and the requester have the same owner."""
    engine = market()
    apply(engine, 2, commands.AccountOpen("D", "mD", owner="late"))
    apply(engine, 2, HoldingAdjust("D", "CNY", 1_000, "d"))
    apply(engine, 2, ask("A", SELL, "r1"))
    apply(engine, 2, RfqQuote("D", 1, 100, LOT))
    apply(engine, 2, commands.AccountOpen("late", "mL", owner="one"))
    apply(engine, SEEN, commands.ClockTick())
    assert reasons(engine, RfqAccept("A", 1, 1)) == ["CANNOT_FILL"]
