"""The protection of market makers: no trade of a group after the one that reaches a limit, until it is reset."""

from typing import Any

import msgspec
import pytest

from goldx.protocol import commands, events, terms
from goldx.protocol.events import AnyEvent
from goldx.protocol.quote_commands import QuoteResetProtection, QuoteSetProtection
from goldx.protocol.quote_events import ProtectionReset, ProtectionSet, ProtectionTriggered
from matching.core.engine import Engine
from matching.core.protection import MAX_GROUPS
from tests.matching.core.driving import apply
from tests.matching.core.validator import validate

LOT = 1_000
MAKER = ("M1", "M2", "M3", "M4", "M5")
"""Five accounts of one member, each with an owner of its own."""


def market(*symbols: str) -> Engine:
    """Return a core in continuous trading: a maker with five accounts, another maker N, and T, who trades with them."""
    engine = Engine()
    for symbol in symbols or ("X",):
        apply(engine, 1, commands.InstrumentDefine(symbol))
        apply(engine, 1, commands.MarketSetPhase(symbol, terms.CONTINUOUS))
    for account in (*MAKER, "N", "T"):
        apply(engine, 1, commands.AccountOpen(account, "maker" if account in MAKER else f"m{account}"))
        for asset in ("CNY", *(symbols or ("X",))):
            apply(engine, 1, commands.HoldingAdjust(account, asset, 10**9, f"{account}-{asset}"))
    return engine


def limit(engine: Engine, at: int = 2, group: str = "X", **limits: int) -> None:
    found = apply(engine, at, QuoteSetProtection("M1", group, **({"window_ms": 1_000} | limits)))
    assert isinstance(found[0], ProtectionSet)


def quote(engine: Engine, account: str, bid: int, ask: int, **more: Any) -> list[AnyEvent]:
    """Quote 10 lots a side, unless steps otherwise."""
    number = engine.state.last_order_id
    lots, at = more.pop("lots", 10), more.pop("at", 2)
    symbol = more.pop("symbol", "X")
    command = commands.QuoteSet(account, f"q{number}", symbol, bid, lots * LOT, ask, lots * LOT, **more)
    return apply(engine, at, command)


def order(engine: Engine, side: int, price: int, lots: int, at: int = 3, **more: Any) -> list[AnyEvent]:
    number, symbol = engine.state.last_order_id, more.pop("symbol", "X")
    command = commands.OrderPlace("T", f"t{number}", symbol, side, terms.LIMIT, lots * LOT, price, **more)
    found = apply(engine, at, command)
    validate(engine)
    return found


def story(found: list[AnyEvent]) -> list[Any]:
    """Return the trades as (seller's or buyer's account, lots), what triggered, and the cancelled accounts."""
    steps: list[Any] = []
    for event in found:
        if isinstance(event, events.Trade):
            steps.append((event.sell_account if event.taker_side == terms.BUY else event.buy_account, event.quantity))
        elif isinstance(event, ProtectionTriggered):
            steps.append(("triggered", event.account, event.group, event.bought // LOT, event.sold // LOT))
        elif isinstance(event, events.OrderCancelled):
            steps.append((event.account, event.reason, event.detail))
    return [(one[0], one[1] // LOT) if len(one) == 2 else one for one in steps]


def refusal(found: list[AnyEvent]) -> str:
    (first, *_) = found
    return first.reason if isinstance(first, events.CommandRejected | events.OrderRejected) else ""


def five_quotes(engine: Engine) -> None:
    """Five quotes of one member at 101 to 105, and one of another maker at 104, behind them in time."""
    for step, account in enumerate(MAKER):
        quote(engine, account, 50 - step, 101 + step, group="g")
    quote(engine, "N", 40, 104)


def test_a_sweep_through_five_quotes_stops_at_the_limit_and_goes_on_with_others() -> None:
    """25 lots: the third trade reaches them, the other quotes are gone before the order goes on."""
    engine = market()
    limit(engine, group="g", max_quantity=25 * LOT)
    five_quotes(engine)
    found = order(engine, terms.BUY, 105, 50)
    asks_and_bids = [(account, "PROTECTION", "g") for account in ("M1", "M2", "M3", "M4", "M4", "M5", "M5")]
    assert story(found) == [
        ("M1", 10),
        ("M2", 10),
        ("M3", 10),
        ("triggered", "M3", "g", 0, 30),
        *asks_and_bids,
        ("N", 10),
    ]
    assert engine.state.accounts["T"].balance("X").total == 10**9 + 40 * LOT
    for account in MAKER:
        assert refusal(quote(engine, account, 50, 101, group="g")) == "PROTECTION"
    assert refusal(quote(engine, "M1", 50, 106)) == "", "another group of the member"
    assert refusal(quote(engine, "N", 50, 107, group="g")) == "", "another member's group of that name"


def test_the_same_sweep_without_a_limit_takes_all_five() -> None:
    engine = market()
    five_quotes(engine)
    assert [account for account, _ in story(order(engine, terms.BUY, 105, 50))] == ["M1", "M2", "M3", "M4", "N"]


def test_a_trade_that_is_just_below_the_limit_triggers_nothing() -> None:
    engine = market()
    limit(engine, max_quantity=10 * LOT)
    quote(engine, "M1", 50, 101)
    assert story(order(engine, terms.BUY, 101, 9)) == [("M1", 9)]
    # What is left of the quote reaches the limit, and of the same quote the bid is cancelled.
    assert story(order(engine, terms.BUY, 101, 1)) == [
        ("M1", 1),
        ("triggered", "M1", "X", 0, 10),
        ("M1", "PROTECTION", "X"),
    ]


def test_the_rest_of_the_quote_that_reaches_the_limit_is_cancelled_too() -> None:
    engine = market()
    limit(engine, max_quantity=4 * LOT)
    quote(engine, "M1", 50, 101)
    found = order(engine, terms.BUY, 101, 4)
    assert [(e.remaining, e.reason) for e in found if isinstance(e, events.OrderCancelled)] == [
        (10 * LOT, "PROTECTION"),
        (6 * LOT, "PROTECTION"),
    ]
    assert not engine.state.orders
    assert all(b.reserved == 0 for b in engine.state.accounts["M1"].balances.values())


def test_the_net_quantity_counts_sales_against_purchases() -> None:
    """Bought 10, sold 10, bought 10: 30 lots traded, and never more than 10 net. Eleven are too many."""
    engine = market()
    limit(engine, max_net=11 * LOT)
    for side, price in ((terms.SELL, 50), (terms.BUY, 101), (terms.SELL, 50)):
        quote(engine, "M1", 50, 101)
        assert story(order(engine, side, price, 10)) == [("M1", 10)]
    quote(engine, "M1", 50, 101)
    assert story(order(engine, terms.SELL, 50, 1))[:2] == [("M1", 1), ("triggered", "M1", "X", 21, 10)]


def test_the_window_rolls_with_the_time_of_the_journal() -> None:
    """A trade of 1,000 ms ago is not in a window of 1,000 ms, one of 999 ms ago is."""
    for later, triggers in ((1_002, True), (1_003, False)):
        engine = market()
        limit(engine, max_quantity=10 * LOT)
        quote(engine, "M1", 50, 101)
        assert story(order(engine, terms.BUY, 101, 5, at=3)) == [("M1", 5)]
        found = story(order(engine, terms.BUY, 101, 5, at=later))
        assert (("triggered", "M1", "X", 0, 10) in found) is triggers


def test_a_net_quantity_that_passes_its_limit_by_ageing_waits_for_the_next_trade() -> None:
    """Bought 10 and later sold 9: when the purchase leaves the window, 9 are sold net. The next trade is the last."""
    engine = market()
    limit(engine, max_net=9 * LOT)
    quote(engine, "M1", 50, 101, lots=5)
    quote(engine, "M2", 49, 102, lots=5)
    order(engine, terms.SELL, 50, 5, at=3)
    quote(engine, "M1", 50, 101, lots=5)
    order(engine, terms.BUY, 101, 5, at=500)
    quote(engine, "M1", 50, 101, lots=5)
    order(engine, terms.BUY, 101, 5, at=501)
    quote(engine, "M1", 50, 101, lots=5)
    assert refusal(quote(engine, "M3", 48, 103, at=1_100)) == ""
    # A fill-or-kill order counts as the book would: one more trade, and then nothing of the group.
    assert refusal(order(engine, terms.BUY, 102, 6, at=1_101, time_in_force=terms.FOK)) == "CANNOT_FILL"
    found = story(order(engine, terms.BUY, 102, 5, at=1_101, time_in_force=terms.FOK))
    assert found[:2] == [("M1", 5), ("triggered", "M1", "X", 0, 15)]


def test_a_fill_or_kill_order_knows_what_would_be_cancelled() -> None:
    engine = market()
    limit(engine, group="g", max_quantity=20 * LOT)
    five_quotes(engine)
    assert refusal(order(engine, terms.BUY, 105, 31, time_in_force=terms.FOK)) == "CANNOT_FILL"
    assert len(engine.state.orders) == 12, "a refused order changes nothing"
    found = story(order(engine, terms.BUY, 105, 30, time_in_force=terms.FOK))
    assert [one for one in found if len(one) == 2] == [("M1", 10), ("M2", 10), ("N", 10)]


def test_a_quote_that_trades_as_it_enters_counts_and_its_other_side_does_not_enter() -> None:
    engine = market()
    limit(engine, max_quantity=10 * LOT)
    order(engine, terms.SELL, 100, 15, at=2)
    found = quote(engine, "M1", 100, 110, lots=20)
    assert [type(event).__name__ for event in found if not isinstance(event, events.HoldingChanged)] == [
        "OrderAccepted",
        "Trade",
        "ProtectionTriggered",
        "OrderCancelled",
        "OrderAccepted",
        "OrderCancelled",
    ]
    validate(engine)
    assert [o.account.name for o in engine.state.orders.values()] == []
    account = engine.state.accounts["M1"]
    assert [b.reserved for b in account.balances.values()] == [0, 0]


def test_an_uncross_stops_at_the_limit_as_well() -> None:
    engine = market()
    limit(engine, group="g", max_quantity=20 * LOT)
    apply(engine, 2, commands.MarketSetPhase("X", terms.AUCTION))
    five_quotes(engine)
    order(engine, terms.BUY, 105, 50, at=3)
    found = apply(engine, 4, commands.MarketSetPhase("X", terms.CONTINUOUS))
    validate(engine)
    sold = [event.sell_account for event in found if isinstance(event, events.Trade)]
    assert sold == ["M1", "M2", "N"]
    assert sum(isinstance(event, ProtectionTriggered) for event in found) == 1


def test_stops_that_a_sweep_triggers_find_no_quote_of_a_frozen_group() -> None:
    engine = market()
    limit(engine, group="g", max_quantity=10 * LOT)
    order(engine, terms.BUY, 105, 10, at=2, stop_price=101)
    five_quotes(engine)
    found = order(engine, terms.BUY, 101, 10)
    assert [one for one in story(found) if len(one) == 2] == [("M1", 10), ("N", 10)]


def test_one_trade_counts_for_both_groups_in_it() -> None:
    """Two makers, both with limits: the one that takes and the one that rests are both frozen."""
    engine = market()
    limit(engine, max_quantity=10 * LOT)
    apply(engine, 2, QuoteSetProtection("N", "X", 1_000, 10 * LOT))
    quote(engine, "N", 90, 100)
    found = quote(engine, "M1", 100, 110)
    triggered = [(e.account, e.bought, e.sold) for e in found if isinstance(e, ProtectionTriggered)]
    assert triggered == [("N", 0, 10 * LOT), ("M1", 10 * LOT, 0)]
    assert not engine.state.orders


def test_two_accounts_of_a_member_that_trade_with_each_other_count_twice() -> None:
    engine = market()
    limit(engine, max_quantity=20 * LOT)
    quote(engine, "M1", 90, 100)
    found = quote(engine, "M2", 100, 110)
    assert [(e.bought, e.sold) for e in found if isinstance(e, ProtectionTriggered)] == [(10 * LOT, 10 * LOT)]


def test_a_group_covers_several_instruments() -> None:
    engine = market("X", "Y")
    limit(engine, group="g", max_quantity=15 * LOT)
    for symbol in ("X", "Y"):
        quote(engine, "M1", 90, 100, symbol=symbol, group="g")
    order(engine, terms.BUY, 100, 10)
    found = story(order(engine, terms.BUY, 100, 5, symbol="Y"))
    assert ("triggered", "M1", "g", 0, 15) in found
    assert not engine.state.orders, "the bid in X is cancelled as well"


def test_an_order_that_is_no_quote_counts_nothing() -> None:
    engine = market()
    limit(engine, max_quantity=LOT)
    apply(engine, 2, commands.OrderPlace("M1", "o", "X", terms.SELL, terms.LIMIT, 5 * LOT, 100, display_quantity=LOT))
    assert story(order(engine, terms.BUY, 100, 5)) == [("M1", 1)] * 5


def frozen() -> Engine:
    engine = market()
    limit(engine, max_quantity=10 * LOT)
    quote(engine, "M1", 50, 101)
    order(engine, terms.BUY, 101, 10)
    assert engine.state.members["maker"].protections["X"].frozen
    return engine


def test_a_reset_lets_the_group_trade_again_and_counts_anew() -> None:
    engine = frozen()
    assert isinstance(apply(engine, 4, QuoteResetProtection("M2", "X"))[0], ProtectionReset)
    assert refusal(quote(engine, "M1", 50, 101)) == ""
    assert story(order(engine, terms.BUY, 101, 9, at=5)) == [("M1", 9)]


def test_a_freeze_outlasts_its_window_new_limits_the_day_and_a_restore() -> None:
    engine = frozen()
    apply(engine, 10**6, commands.ClockTick())
    assert refusal(quote(engine, "M1", 50, 101)) == "PROTECTION"
    limit(engine, max_quantity=10**6, at=10**6)
    assert refusal(quote(engine, "M1", 50, 101)) == "PROTECTION"
    assert refusal(apply(engine, 10**6, QuoteSetProtection("M1", "X"))) == "PROTECTION"
    apply(engine, 10**6, commands.MarketEndDay("2027-01-04"))
    engine = Engine.restore(engine.snapshot())
    assert refusal(quote(engine, "M1", 50, 101)) == "PROTECTION"
    apply(engine, 10**6, QuoteResetProtection("M1", "X"))
    assert refusal(quote(engine, "M1", 50, 101)) == ""


def test_limits_that_are_taken_away_count_no_more() -> None:
    engine = market()
    limit(engine, max_quantity=5 * LOT)
    (event,) = apply(engine, 2, QuoteSetProtection("M1", "X"))
    assert isinstance(event, ProtectionSet)
    assert event.window_ms is event.max_quantity is event.max_net is None
    quote(engine, "M1", 50, 101)
    assert story(order(engine, terms.BUY, 101, 10)) == [("M1", 10)]


def test_new_limits_count_anew() -> None:
    engine = market()
    limit(engine, max_quantity=10 * LOT)
    quote(engine, "M1", 50, 101)
    order(engine, terms.BUY, 101, 9)
    limit(engine, max_quantity=10 * LOT, at=3)
    assert story(order(engine, terms.BUY, 101, 1)) == [("M1", 1)]


def test_a_repeated_quote_learns_what_came_of_it_though_its_group_is_frozen() -> None:
    """Its member asks again because it had no answer: the quote was placed, and then its group reached a limit."""
    engine = frozen()
    again = commands.QuoteSet("M1", "q0", "X", 50, 10 * LOT, 101, 10 * LOT)
    assert refusal(apply(engine, 4, again)) == "DUPLICATE_ID"


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({}, "max_quantity: given, or max_net; the group has no limits to take away"),
        ({"max_quantity": 1}, "window_ms: from 1 to 3600000 with a limit"),
        ({"max_quantity": 1, "window_ms": 0}, "window_ms: from 1 to 3600000 with a limit"),
        ({"max_quantity": 1, "window_ms": 3_600_001}, "window_ms: from 1 to 3600000 with a limit"),
        ({"max_quantity": 0, "window_ms": 1}, "max_quantity: more than zero"),
        ({"max_net": -1, "window_ms": 1}, "max_net: more than zero"),
    ],
)
def test_limits_that_are_none_are_refused(fields: dict[str, int], detail: str) -> None:
    engine = market()
    (event,) = apply(engine, 1, QuoteSetProtection("M1", "X", **fields))
    assert isinstance(event, events.CommandRejected)
    assert (event.reason, event.detail) == ("BAD_VALUE", detail)
    (event,) = apply(engine, 1, QuoteResetProtection("M1", "X"))
    assert refusal([event]) == "BAD_VALUE"
    assert refusal(apply(engine, 1, QuoteResetProtection("nobody", "X"))) == "UNKNOWN_ACCOUNT"
    assert refusal(apply(engine, 1, QuoteSetProtection("nobody", "X", 1, 1))) == "UNKNOWN_ACCOUNT"
    assert not engine.state.members["maker"].protections


def test_a_member_has_limits_for_a_bounded_number_of_groups() -> None:
    engine = market()
    for number in range(MAX_GROUPS):
        limit(engine, group=f"g{number}", max_quantity=1)
    assert refusal(apply(engine, 2, QuoteSetProtection("M1", "one more", 1, 1))) == "BAD_VALUE"
    limit(engine, group="g0", max_quantity=2)
    assert isinstance(apply(engine, 2, QuoteSetProtection("N", "g", 1, 1))[0], ProtectionSet), "another member's"


def test_a_halted_member_may_still_set_limits_for_what_rests() -> None:
    engine = market()
    quote(engine, "M1", 50, 101)
    apply(engine, 2, commands.MemberHalt("maker"))
    limit(engine, max_quantity=LOT)
    assert len(story(order(engine, terms.BUY, 101, 1))) == 4


def test_a_state_without_limits_has_the_snapshot_that_it_had() -> None:
    """Journals and snapshots from before the limits keep their bytes: nothing is added to members and quotes."""
    engine = market()
    quote(engine, "M1", 50, 101)
    _, *parts = msgspec.msgpack.decode(engine.snapshot())
    members, instruments = parts[9], parts[11]
    assert members[0] == ["maker", ""]
    bids = instruments[0][6]
    assert len(bids[0][11]) == 9
    assert bids[0][11][8] == "q0"
    restored = Engine.restore(engine.snapshot())
    assert [o.special.group for o in restored.state.orders.values() if o.special] == ["X", "X"]


def test_the_count_of_trades_is_bounded_by_the_window() -> None:
    engine = market()
    limit(engine, max_net=10**9, window_ms=3)
    for at in range(10, 200):
        quote(engine, "M1", 50, 101, at=at)
        for _ in range(3):
            order(engine, terms.BUY, 101, 1, at=at)
        order(engine, terms.SELL, 50, 3, at=at)
    assert len(engine.state.members["maker"].protections["X"].trades) == 3
