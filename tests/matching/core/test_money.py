"""Limits that decide about money, each tested at the limit and one unit beyond."""

from typing import Any

import pytest

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import HoldingAdjust, HoldingSettle, Leg
from matching.core.adjustments import MAX_TOTAL
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.test_state import LOT, limit, market
from tests.matching.core.validator import validate

CASH = 10**9
"""The fen that ``market`` gives to ann and to bob, and the same number of mg of AU."""


def reason(engine: Engine, command: Any) -> str:
    """Return the reason why a command is refused, or an empty text."""
    first = apply(engine, 3, command)[0]
    return first.reason if isinstance(first, events.OrderRejected | events.CommandRejected) else ""


def withdrawal(amount: int, asset: str = "CNY", account: str = "ann") -> HoldingAdjust:
    return HoldingAdjust(account, asset, -amount, f"w-{account}-{asset}-{amount}")


# Price limits


@pytest.mark.parametrize(
    ("definition", "lowest", "highest"),
    [
        # 10,001 x 90% = 9,000.9 and x 110% = 11,001.1: the limits are the next prices inside.
        ({"price_limit_percent": 10, "reference_price": 10_001}, 9_001, 11_001),
        ({"price_limit_percent": 10, "reference_price": 10_001, "tick": 5}, 9_005, 11_000),
        ({"price_limit_percent": 3, "reference_price": 99_999}, 97_000, 102_998),
        ({"price_limit_percent": 10, "reference_price": 10_000}, 9_000, 11_000),
        ({"lower_price_limit": 9_001, "upper_price_limit": 11_004, "tick": 5}, 9_005, 11_000),
        # An absolute limit wins over the percentage, only on its own side.
        ({"price_limit_percent": 10, "reference_price": 10_001, "lower_price_limit": 8_000}, 8_000, 11_001),
        ({"price_limit_percent": 10, "reference_price": 10_001, "upper_price_limit": 12_000}, 9_001, 12_000),
    ],
)
def test_price_limits_are_rounded_inward(definition: dict[str, int], lowest: int, highest: int) -> None:
    engine = market(**definition)
    tick = definition.get("tick", 1)
    instrument = engine.state.instruments["AU"]
    assert (instrument.low, instrument.high) == (lowest, highest)
    assert reason(engine, limit("ann", terms.BUY, lowest)) == ""
    assert reason(engine, limit("ann", terms.BUY, lowest - tick)) == "PRICE_LIMIT"
    assert reason(engine, limit("bob", terms.SELL, highest)) == ""
    assert reason(engine, limit("bob", terms.SELL, highest + tick)) == "PRICE_LIMIT"


def test_a_new_reference_moves_both_limits_rounded_inward() -> None:
    engine = market(price_limit_percent=10, reference_price=10_000)
    apply(engine, 2, commands.MarketSetReference("AU", 10_001))
    assert reason(engine, limit("ann", terms.BUY, 9_000)) == "PRICE_LIMIT"
    assert reason(engine, limit("ann", terms.BUY, 9_001)) == ""
    assert reason(engine, limit("bob", terms.SELL, 11_002)) == "PRICE_LIMIT"
    assert reason(engine, limit("bob", terms.SELL, 11_001)) == ""


# Withdrawals of several legs


@pytest.mark.parametrize("asset", ["CNY", "AU"])
def test_the_legs_of_a_settlement_are_added_up_before_they_are_allowed(asset: str) -> None:
    """Each of two legs is possible by itself, both together are not."""
    engine = market()
    half = CASH // 2
    legs = (Leg("ann", asset, -half), Leg("ann", asset, -half - 1))
    assert reason(engine, HoldingSettle("s1", legs)) == ("INSUFFICIENT_CASH" if asset == "CNY" else "INSUFFICIENT_GOLD")
    validate(engine)
    assert engine.state.accounts["ann"].balance(asset).total == CASH
    assert reason(engine, HoldingSettle("s2", (Leg("ann", asset, -half), Leg("ann", asset, -half)))) == ""
    assert engine.state.accounts["ann"].balance(asset).total == 0


def test_a_leg_that_brings_in_pays_for_one_that_takes_out_whatever_their_order() -> None:
    engine = market()
    legs = (Leg("ann", "CNY", -CASH - 5), Leg("ann", "CNY", 5))
    assert reason(engine, HoldingSettle("s1", legs)) == ""
    assert engine.state.accounts["ann"].cash.total == 0


def test_the_legs_of_different_accounts_and_assets_are_not_added_up() -> None:
    engine = market()
    over = HoldingSettle("s1", (Leg("ann", "CNY", -CASH - 1), Leg("bob", "CNY", 1), Leg("ann", "AU", 1)))
    assert reason(engine, over) == "INSUFFICIENT_CASH"
    assert [account.cash.total for account in engine.state.accounts.values()] == [CASH, CASH]


def test_no_total_grows_beyond_its_bound_in_one_leg_or_in_several() -> None:
    engine = market()
    room = MAX_TOTAL - CASH
    step = 10**17
    for number in range(room // step):
        assert reason(engine, HoldingAdjust("ann", "CNY", step, f"in{number}")) == ""
    left = MAX_TOTAL - engine.state.accounts["ann"].cash.total
    assert reason(engine, HoldingAdjust("ann", "CNY", left + 1, "over")) == "BAD_VALUE"
    both = (Leg("ann", "CNY", left), Leg("ann", "CNY", 1))
    assert reason(engine, HoldingSettle("both", both)) == "BAD_VALUE"
    assert reason(engine, HoldingAdjust("ann", "CNY", left, "full")) == ""


# Withdrawable amounts


def sold_with_half_held_back() -> Engine:
    """ann has sold 10 g at 10.01, of which half may not be withdrawn today."""
    engine = market(same_day_reuse_percent=50)
    for account, side in (("ann", terms.SELL), ("bob", terms.BUY)):
        apply(engine, 2, commands.OrderPlace(account, "o", "AU", side, terms.LIMIT, 10 * LOT, 1_001))
    return engine


def test_proceeds_held_back_may_not_be_withdrawn_before_the_day_ends() -> None:
    """Of 10,010 fen 5,005 may be withdrawn at once; all of it may be traded with."""
    engine = sold_with_half_held_back()
    assert reason(engine, withdrawal(CASH + 5_006)) == "INSUFFICIENT_CASH"
    assert reason(engine, HoldingSettle("s", (Leg("ann", "CNY", -CASH - 5_006),))) == "INSUFFICIENT_CASH"
    assert reason(engine, withdrawal(CASH + 5_005)) == ""
    assert reason(engine, withdrawal(1)) == "INSUFFICIENT_CASH"
    assert reason(engine, limit("ann", terms.BUY, 5_005)) == ""
    validate(engine)


def test_proceeds_held_back_may_be_withdrawn_after_the_day_has_ended() -> None:
    engine = sold_with_half_held_back()
    apply(engine, 3, commands.MarketEndDay("2026-11-25"))
    assert reason(engine, withdrawal(CASH + 10_011)) == "INSUFFICIENT_CASH"
    assert reason(engine, withdrawal(CASH + 10_010)) == ""


def test_what_an_order_reserves_may_not_be_withdrawn() -> None:
    engine = market()
    apply(engine, 2, limit("ann", terms.BUY, 100))
    apply(engine, 2, limit("ann", terms.SELL, 200))
    assert reason(engine, withdrawal(CASH - 99)) == "INSUFFICIENT_CASH"
    assert reason(engine, withdrawal(CASH - 100)) == ""
    assert reason(engine, withdrawal(CASH - LOT + 1, "AU")) == "INSUFFICIENT_GOLD"
    assert reason(engine, withdrawal(CASH - LOT, "AU")) == ""


def test_gold_under_the_resale_lock_may_not_be_withdrawn_or_sold() -> None:
    engine = market(resale_lock_days=1)
    apply(engine, 2, limit("bob", terms.SELL, 100))
    apply(engine, 2, limit("ann", terms.BUY, 100))
    everything = CASH + LOT
    assert reason(engine, withdrawal(CASH + 1, "AU")) == "INSUFFICIENT_GOLD"
    sell = commands.OrderPlace("ann", "sell", "AU", terms.SELL, terms.LIMIT, everything, 100)
    assert reason(engine, sell) == "RESALE_LOCKED"
    apply(engine, 3, commands.MarketEndDay("2026-11-25"))
    assert reason(engine, withdrawal(everything, "AU")) == ""


def test_what_is_reserved_and_held_back_together_leaves_nothing_negative_to_withdraw() -> None:
    """More is reserved than could be withdrawn: the withdrawable amount is zero, not negative."""
    engine = sold_with_half_held_back()
    assert reason(engine, commands.OrderPlace("ann", "all", "AU", terms.BUY, terms.LIMIT, CASH // 100 * LOT, 100)) == ""
    cash = engine.state.accounts["ann"].cash
    assert cash.total - cash.reserved - cash.unwithdrawable == 5_005
    assert reason(engine, commands.OrderPlace("ann", "more", "AU", terms.BUY, terms.LIMIT, 100 * LOT, 100)) == ""
    assert cash.withdrawable() == 0
    assert reason(engine, withdrawal(1)) == "INSUFFICIENT_CASH"


# Money and gold for a quote


def test_a_new_quote_may_use_the_money_and_the_gold_of_the_one_that_it_replaces_and_no_more() -> None:
    """Each quote asks for all money (10,000 g at 1,000.00) and for all gold."""
    engine = market()

    def quote(quote_id: str, *, more_grams: int = 0, more_gold: int = 0) -> commands.QuoteSet:
        bought, sold = (10_000 + more_grams) * LOT, CASH + more_gold * LOT
        return commands.QuoteSet("ann", quote_id, "AU", 100_000, bought, 100_001, sold)

    assert reason(engine, quote("q1")) == ""
    assert reason(engine, quote("q2", more_grams=1)) == "INSUFFICIENT_CASH"
    assert reason(engine, quote("q2", more_gold=1)) == "INSUFFICIENT_GOLD"
    assert reason(engine, quote("q2")) == ""
    validate(engine)
    assert [engine.state.accounts["ann"].balance(asset).available() for asset in ("CNY", "AU")] == [0, 0]
