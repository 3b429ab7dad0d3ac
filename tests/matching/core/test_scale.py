"""Large numbers: thousands of prices, expiries, client ids, stops and fills."""

from itertools import pairwise
from typing import Any

import pytest

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import OrderPlace
from goldx.protocol.events import AnyEvent
from goldx.protocol.units import half_up
from matching.core.book import MAX_NEAR
from matching.core.engine import Engine
from matching.core.ids import FIRST_SIZE
from matching.core.state import FORGOTTEN_ENTRIES
from tests.matching.core.driving import apply
from tests.matching.core.test_state import FAR, LOT, good_till, limit, market, phases, place_and_cancel
from tests.matching.core.validator import validate

DEEP = 2 * MAX_NEAR + MAX_NEAR // 4
"""Prices on one side: so many that some are still outside the near ones after these were refilled once."""
ENOUGH_TO_SWEEP = FORGOTTEN_ENTRIES + 100


def place(account: str, number: int, side: int, price: int, lots: int = 1, **more: Any) -> OrderPlace:
    return OrderPlace(account, f"o{number}", "AU", side, terms.LIMIT, lots * LOT, price, **more)


def trades(found: list[AnyEvent]) -> list[events.Trade]:
    return [event for event in found if isinstance(event, events.Trade)]


def cancelled(found: list[AnyEvent]) -> list[tuple[str, str]]:
    return [(e.client_order_id, e.reason) for e in found if isinstance(e, events.OrderCancelled)]


def deep_book(side: int, restored: bool) -> tuple[Engine, list[int]]:
    """Return a core with one order at each of DEEP prices, from the best outward, and these prices."""
    engine = market()
    prices = [DEEP + 10 + (number if side == terms.SELL else -number) for number in range(DEEP)]
    for number, price in enumerate(prices):
        apply(engine, 1, place("ann", number, side, price))
    return (Engine.restore(engine.snapshot()) if restored else engine), prices


@pytest.mark.parametrize("restored", [False, True], ids=["as built", "restored"])
@pytest.mark.parametrize("side", [terms.BUY, terms.SELL])
def test_a_sweep_of_thousands_of_prices_takes_them_all_best_first(side: int, restored: bool) -> None:
    engine, prices = deep_book(side, restored)
    found = apply(engine, 2, place("bob", 0, 1 - side, prices[-1], DEEP))
    assert [trade.price for trade in trades(found)] == prices
    assert trades(found)[-1].taker_remaining == 0
    assert not engine.state.orders
    validate(engine)


@pytest.mark.parametrize("side", [terms.BUY, terms.SELL])
def test_prices_that_come_between_while_a_deep_book_is_taken_are_in_their_place(side: int) -> None:
    """A worse price added after the near ones were refilled is neither the best nor lost."""
    engine, prices = deep_book(side, False)
    apply(engine, 2, place("bob", 0, 1 - side, prices[MAX_NEAR + MAX_NEAR // 2], MAX_NEAR + MAX_NEAR // 2))
    worst = prices[-1] + (1 if side == terms.SELL else -1)
    apply(engine, 3, place("ann", DEEP, side, worst))
    found = trades(apply(engine, 4, place("bob", 1, 1 - side, worst, DEEP)))
    assert [trade.price for trade in found] == [*prices[MAX_NEAR + MAX_NEAR // 2 :], worst]
    validate(engine)


def test_live_expiries_outlive_thousands_of_dead_ones() -> None:
    """The timetable drops entries that are over; the remaining ones happen at their time and in their order."""
    engine = market()
    for number in range(3):
        apply(engine, 1, good_till(f"live{number}", FAR - number))
    place_and_cancel(engine, 0, ENOUGH_TO_SWEEP)
    assert len(engine.state.timetable) < FORGOTTEN_ENTRIES, "it has been swept"
    assert cancelled(apply(engine, FAR - 3, commands.ClockTick())) == []
    assert cancelled(apply(engine, FAR - 1, commands.ClockTick())) == [("live2", "EXPIRED"), ("live1", "EXPIRED")]
    assert cancelled(apply(engine, FAR, commands.ClockTick())) == [("live0", "EXPIRED")]


def test_an_interruption_ends_in_time_after_thousands_of_dead_expiries() -> None:
    engine = market(dynamic_band_percent=2, reference_price=100, interruption_ms=5_000)
    apply(engine, 1, limit("ann", terms.SELL, 103))
    assert phases(apply(engine, 1, limit("bob", terms.BUY, 103))) == [terms.AUCTION]
    place_and_cancel(engine, 0, ENOUGH_TO_SWEEP)
    assert len(engine.state.timetable) < FORGOTTEN_ENTRIES, "it has been swept"
    assert phases(apply(engine, 5_000, commands.ClockTick())) == []
    ended = apply(engine, 5_001, commands.ClockTick())
    assert phases(ended) == [terms.CONTINUOUS]
    assert [trade.price for trade in trades(ended)] == [103]


@pytest.mark.parametrize(
    "restored", [pytest.param(False, id="as built", marks=pytest.mark.campaign), pytest.param(True, id="restored")]
)
def test_every_one_of_thousands_of_client_ids_stays_taken(restored: bool) -> None:
    engine = market()
    count = 3 * FIRST_SIZE
    for number in range(count):
        apply(engine, 1, place("ann", number, terms.BUY, 100))
        apply(engine, 1, commands.OrderCancel("ann", number + 1))
    if restored:
        engine = Engine.restore(engine.snapshot())
    for number in range(0, count, 7):
        (refused,) = apply(engine, 2, place("ann", number, terms.BUY, 100))
        assert isinstance(refused, events.OrderRejected)
        assert (refused.reason, refused.order_id) == ("DUPLICATE_ID", number + 1)


@pytest.mark.parametrize("others", [0, 300], ids=["by the open orders", "by the client ids"])
def test_a_kill_cancels_thousands_of_orders_in_the_order_of_their_numbers(others: int) -> None:
    """It searches all open orders, or the client ids of the member, whichever are fewer."""
    engine = market()
    for number in range(others):
        apply(engine, 1, place("bob", number, terms.BUY, 90))
    mine = 200 if others else 2_000
    for number in range(mine):
        apply(engine, 1, place("ann", number, terms.BUY, 100 - number % 7))
    found = apply(engine, 2, commands.MemberKill("M-ann"))
    assert cancelled(found) == [(f"o{number}", "KILL") for number in range(mine)]
    assert len(engine.state.orders) == others
    assert engine.state.accounts["ann"].cash.reserved == 0
    validate(engine)


def test_thousands_of_stops_that_one_trade_reaches_enter_in_order_of_acceptance() -> None:
    engine = market()
    count = 2_000
    for number in range(count):
        stop_price = 101 + number * 7 % 50
        apply(engine, 1, place("ann", number, terms.BUY, 90, stop_price=stop_price))
    assert engine.state.instruments["AU"].pending_stops == count
    apply(engine, 2, place("ann", count, terms.SELL, 150))
    found = apply(engine, 3, place("bob", 0, terms.BUY, 150))
    triggered = [event.order_id for event in found if isinstance(event, events.OrderTriggered)]
    assert triggered == list(range(1, count + 1))
    assert engine.state.instruments["AU"].pending_stops == 0
    validate(engine)


def test_an_auction_of_thousands_of_orders_uncrosses_at_one_price_oldest_first() -> None:
    engine = market()
    apply(engine, 1, commands.MarketSetPhase("AU", terms.AUCTION))
    count = 1_500
    for number in range(count):
        apply(engine, 1, place("ann", number, terms.SELL, 100))
        apply(engine, 1, place("bob", number, terms.BUY, 100))
    found = trades(apply(engine, 2, commands.MarketSetPhase("AU", terms.CONTINUOUS)))
    assert {trade.price for trade in found} == {100}
    assert [(trade.maker_order_id, trade.taker_order_id) for trade in found] == [
        (2 * number + 1, 2 * number + 2) for number in range(count)
    ]
    assert not engine.state.orders


def test_the_fees_of_thousands_of_fills_are_the_rounded_sum_and_all_money_is_there() -> None:
    engine = market(maker_fee_bp=1, taker_fee_bp=3)
    count = 2_000
    apply(engine, 1, place("ann", 0, terms.SELL, 777, count))
    found = [trade for number in range(count) for trade in trades(apply(engine, 2, place("bob", number, 0, 777)))]
    assert len(found) == count
    assert sum(trade.sell_fee for trade in found) == half_up(777 * count * 1, 10_000)
    assert all(later.trade_id == earlier.trade_id + 1 for earlier, later in pairwise(found))
    accounts = engine.state.accounts
    assert accounts["ann"].cash.total + accounts["bob"].cash.total + engine.state.fees_collected == 2 * 10**9
    validate(engine)


def test_the_end_of_a_day_expires_thousands_of_day_orders_and_leaves_the_others() -> None:
    engine = market()
    for number in range(2_000):
        apply(
            engine, 1, place("ann", number, terms.BUY, 50 + number % 40, time_in_force=terms.DAY if number % 2 else 0)
        )
    found = apply(engine, 2, commands.MarketEndDay("2026-11-25"))
    assert cancelled(found) == [(f"o{number}", "EXPIRED") for number in range(1, 2_000, 2)]
    assert len(engine.state.orders) == 1_000
    validate(engine)
