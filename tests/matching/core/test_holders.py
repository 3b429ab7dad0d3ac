"""Purchases that a regime locks, and the limit of holders."""

from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.test_decisions import reasons
from tests.matching.core.test_regime import APPROVED, detail, place, trade, under
from tests.matching.core.test_stories import LOT, market
from tests.matching.core.validator import validate

# T+5


def test_what_is_bought_may_be_sold_after_five_trading_days_and_what_was_deposited_at_once() -> None:
    engine = market()
    under(engine, APPROVED, min_hold_trading_days=5)
    apply(engine, 3, commands.HoldingAdjust("B", "X", -100 * LOT, "all"))
    trade(engine, 1, 3 * LOT)
    for day in range(24, 29):
        assert reasons(engine, place("B", f"t{day}", terms.SELL, 100, LOT)) == ["RESALE_LOCKED"], day
        if day == 25:
            trade(engine, 2, 2 * LOT)
        apply(engine, 3, commands.MarketEndDay(f"2026-11-{day}"))
        engine = Engine.restore(engine.snapshot())
    apply(engine, 3, commands.HoldingAdjust("B", "X", LOT, "own", deposit=True))
    assert reasons(engine, place("B", "s", terms.SELL, 110, 5 * LOT)) == ["RESALE_LOCKED"]
    assert reasons(engine, place("B", "s", terms.SELL, 110, 4 * LOT)) == [""]


def test_the_longer_of_the_two_locks_counts_and_the_fast_path_takes_nothing() -> None:
    for of_instrument, of_regime, expected in ((2, 0, 2), (2, 5, 5), (7, 5, 7)):
        engine = market(resale_lock_days=of_instrument)
        under(engine, APPROVED, min_hold_trading_days=of_regime)
        before = engine.state.general_trades
        trade(engine, 1, LOT)
        assert engine.state.accounts["B"].balances["X"].locks == {expected: LOT}
        assert engine.state.general_trades == before + 1
        apply(engine, 3, commands.MarketSetPhase("X", terms.CLOSED))
        apply(engine, 3, commands.OrderCancelAll("A"))
        apply(engine, 3, commands.InstrumentDefine("X", given=("name",), name="another"))
        assert engine.state.instruments["X"].lock_days == expected


# Holders


def held_by(*accounts: str, most: int) -> Engine:
    """Return a market whose X is held by these accounts alone."""
    engine = market(max_holders=most)
    for account in engine.state.accounts:
        if account not in accounts:
            apply(engine, 2, commands.HoldingAdjust(account, "X", -100 * LOT, f"out-{account}"))
    return engine


def test_an_order_that_would_make_a_holder_too_many_is_refused_before_it_trades() -> None:
    engine = held_by("A", most=2)
    apply(engine, 3, place("A", "s", terms.SELL, 100, 5 * LOT))
    assert reasons(engine, place("B", "b", terms.BUY, 90)) == [""]
    words = "MAX_HOLDERS max_holders: X may have 2 holders, and has 2 with those who want to buy"
    assert detail(engine, place("C", "c", terms.BUY, 100)) == words
    assert reasons(engine, place("C", "c", terms.BUY, None)) == ["MAX_HOLDERS"]
    quote = commands.QuoteSet("C", "q", "X", 90, LOT, 110, LOT)
    assert reasons(engine, quote) == ["MAX_HOLDERS"]
    assert reasons(engine, place("B", "more", terms.BUY, 95), place("A", "own", terms.BUY, 80)) == ["", ""]
    assert reasons(engine, commands.OrderCancelAll("B"), place("C", "c", terms.BUY, 90)) == ["", ""]
    validate(engine)


def test_a_pending_stop_is_a_would_be_holder_and_a_seller_of_everything_is_none() -> None:
    engine = held_by("A", most=2)
    assert reasons(engine, place("B", "stop", terms.BUY, 120, stop_price=115)) == [""]
    assert reasons(engine, place("C", "c", terms.BUY, 100)) == ["MAX_HOLDERS"]
    apply(engine, 3, place("A", "s", terms.SELL, 100, 100 * LOT))
    assert reasons(engine, place("B", "all", terms.BUY, 100, 100 * LOT)) == [""]
    assert reasons(engine, place("C", "c", terms.BUY, 100)) == [""]


def test_accounts_of_one_person_are_one_holder() -> None:
    engine = held_by("A", most=1)
    openings: list[AnyCommand] = [
        commands.AccountOpen("A.HOLD", "CUSTODY", owner="A"),
        commands.HoldingAdjust("A.HOLD", "X", LOT, "in", deposit=True),
        commands.HoldingAdjust("B", "X", LOT, "in2", deposit=True),
        commands.HoldingAdjust("B", "X", LOT, "back"),
    ]
    assert reasons(engine, *openings) == ["", "", "MAX_HOLDERS", ""]


def test_two_deposits_in_one_command_are_counted_together() -> None:
    engine = held_by("A", most=2)
    legs = tuple(commands.Leg(account, "X", LOT) for account in ("B", "C"))
    assert reasons(engine, commands.HoldingSettle("both", legs, deposit=True)) == ["MAX_HOLDERS"]
    assert reasons(engine, commands.HoldingSettle("one", legs[:1], deposit=True)) == [""]


def test_a_lower_limit_takes_nothing_away() -> None:
    engine = held_by("A", "B", most=3)
    lower = commands.InstrumentDefine("X", given=("max_holders",), max_holders=1)
    apply(engine, 3, commands.MarketSetPhase("X", terms.CLOSED))
    assert reasons(engine, lower, commands.MarketSetPhase("X", terms.CONTINUOUS)) == ["", ""]
    engine = Engine.restore(engine.snapshot())
    assert reasons(engine, place("A", "s", terms.SELL, 100), place("B", "b", terms.BUY, 100)) == ["", ""]
    assert reasons(engine, place("C", "c", terms.BUY, 100)) == ["MAX_HOLDERS"]
    gone = commands.InstrumentDefine("X", given=("max_holders",), max_holders=None, rules=3, by="ada")
    apply(engine, 3, commands.MarketSetPhase("X", terms.CLOSED))
    assert apply(engine, 3, gone)[0].event == "instrument.proposed", "to take it away takes two"
