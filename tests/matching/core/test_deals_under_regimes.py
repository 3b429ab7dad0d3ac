"""Negotiated deals under the legal regimes: allowed in each, locked and looked through like every purchase."""

import pytest

from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand, HoldingAdjust, MarketEndDay, MarketSetPhase
from goldx.protocol.deal_commands import DealAccept, DealCancel, DealPropose
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.test_decisions import reasons
from tests.matching.core.test_holders import held_by
from tests.matching.core.test_regime import APPROVED, NEGOTIATED, SANDBOX, WIND_DOWN, detail, place, trade, under
from tests.matching.core.test_stories import LOT, market
from tests.matching.core.validator import validate

AT = 3
"""The time of all commands here (``reasons`` and ``detail`` apply theirs then)."""


def propose(account: str, counter: str, side: int, name: str, quantity: int = LOT) -> DealPropose:
    return DealPropose(account, name, counter, "X", side, quantity, 100, 1_000_000)


def deal(engine: Engine, name: str, buyer: str = "B", seller: str = "A", quantity: int = LOT) -> list[str]:
    """Let a seller propose a deal and a buyer accept it; return what refused the two commands."""
    number = engine.state.last_deal_id + 1
    return reasons(engine, propose(seller, buyer, terms.SELL, name, quantity), DealAccept(buyer, number))


@pytest.mark.parametrize("kind", [NEGOTIATED, SANDBOX, APPROVED])
def test_deals_are_made_under_every_regime_while_the_book_is_closed(kind: int) -> None:
    engine = market()
    under(engine, kind)
    apply(engine, AT, MarketSetPhase("X", terms.CLOSED))
    assert deal(engine, "d") == ["", ""]
    validate(engine)


def test_deals_go_on_when_a_sandbox_has_lapsed() -> None:
    engine = market()
    under(engine, SANDBOX, last_trading_day="2026-11-24")
    for day in (24, 25):
        apply(engine, AT, MarketEndDay(f"2026-11-{day}"))
    assert reasons(engine, place("A", "a", terms.SELL, 100)) == ["REGIME"]
    assert deal(engine, "d") == ["", ""]


def test_deals_count_towards_no_cap_of_a_sandbox_and_need_no_room_in_it() -> None:
    engine = market()
    under(engine, SANDBOX)
    assert deal(engine, "d1", quantity=90 * LOT) == ["", ""]
    assert (engine.state.day_value, engine.state.total_value) == (0, 0)
    trade(engine, 1, 10 * LOT)
    apply(engine, AT, HoldingAdjust("A", "X", 200 * LOT, "more"))
    trade(engine, 2, 90 * LOT)
    assert reasons(engine, place("A", "full", terms.SELL, 100)) == ["REGIME"]
    assert deal(engine, "d2", quantity=90 * LOT) == ["", ""]
    assert engine.state.day_value == 10_000


def test_while_the_venue_winds_down_only_its_buyers_buy_whoever_proposes() -> None:
    engine = market()
    under(engine, WIND_DOWN, buyers=("mB",))
    words = "REGIME mA may not buy in WIND_DOWN; only mB"
    assert detail(engine, propose("A", "B", terms.BUY, "d1")) == words
    assert detail(engine, propose("B", "A", terms.SELL, "d2")) == words
    assert reasons(engine, propose("B", "A", terms.BUY, "d3"), DealAccept("A", 1)) == ["", ""]
    assert deal(engine, "d4") == ["", ""]
    validate(engine)


@pytest.mark.parametrize("side", [terms.BUY, terms.SELL])
def test_an_open_proposal_of_who_may_not_buy_any_more_is_not_accepted_and_its_reservation_comes_back(side: int) -> None:
    engine = market()
    parties = ("C", "A") if side == terms.BUY else ("A", "C")
    apply(engine, 2, propose(*parties, side, "d"))
    under(engine, WIND_DOWN, buyers=("mB",))
    assert detail(engine, DealAccept(parties[1], 1)) == "REGIME mC may not buy in WIND_DOWN; only mB"
    assert list(engine.state.deals) == [1], "a refused acceptance changes nothing"
    assert reasons(engine, DealCancel(parties[0], 1)) == [""]
    assert all(b.reserved == 0 for account in engine.state.accounts.values() for b in account.balances.values())


def test_gold_bought_in_a_deal_is_sold_after_the_regimes_trading_days_in_no_deal_before() -> None:
    engine = market()
    under(engine, NEGOTIATED, min_hold_trading_days=5)
    apply(engine, AT, HoldingAdjust("B", "X", -100 * LOT, "all"))
    assert deal(engine, "d0", quantity=3 * LOT) == ["", ""]
    for day in range(24, 29):
        sale = propose("B", "C", terms.SELL, f"s{day}")
        bid = propose("C", "B", terms.BUY, f"b{day}")
        assert reasons(engine, sale, bid) == ["RESALE_LOCKED", ""]
        assert reasons(engine, DealAccept("B", engine.state.last_deal_id)) == ["RESALE_LOCKED"]
        apply(engine, AT, MarketEndDay(f"2026-11-{day}"))
        engine = Engine.restore(engine.snapshot())
    assert deal(engine, "free", buyer="C", seller="B", quantity=3 * LOT) == ["", ""]
    validate(engine)


def test_a_deal_makes_no_holder_too_many_and_who_has_proposed_to_buy_is_one() -> None:
    engine = held_by("A", most=2)
    words = "MAX_HOLDERS max_holders: X may have 2 holders, and has 2 with those who want to buy"
    assert reasons(engine, propose("B", "A", terms.BUY, "d1")) == [""]
    assert detail(engine, propose("C", "A", terms.BUY, "d2")) == words
    assert detail(engine, propose("A", "C", terms.SELL, "d3")) == words
    assert reasons(engine, place("C", "c", terms.BUY, 90)) == ["MAX_HOLDERS"]
    engine = Engine.restore(engine.snapshot())
    assert reasons(engine, DealCancel("B", 1), propose("A", "C", terms.SELL, "d4")) == ["", ""]
    assert reasons(engine, place("B", "b", terms.BUY, 90)) == [""]
    assert detail(engine, DealAccept("C", 2)) == words
    orders: list[AnyCommand] = [commands.OrderCancelAll("B"), DealAccept("C", 2)]
    assert reasons(engine, *orders) == ["", ""]
    validate(engine)


def test_two_accounts_of_one_person_make_no_deal_however_the_owner_is_named() -> None:
    engine = market()
    apply(engine, 2, commands.AccountOpen("A.HOLD", "CUSTODY", owner="A"))
    apply(engine, 2, commands.AccountOpen("one.too", "m9", owner="one"))
    for counter in ("A.HOLD", "one.too"):
        assert reasons(engine, propose("A", counter, terms.BUY, f"d-{counter}")) == ["SELF_TRADE"]
