"""Annulment of trades at the limits of money, gold, time and persons."""

from typing import Any

import pytest
from msgspec.structs import replace

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import HoldingAdjust, OrderPlace, TradeBust, TradeTerms
from goldx.protocol.events import AnyEvent, CommandRejected, HoldingChanged, TradeBusted, TradeBustProposed
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.test_state import LOT, market
from tests.matching.core.trade_terms import terms_of
from tests.matching.core.validator import validate

CASH = 10**9
"""The fen that ``market`` gives to ann and to bob, and the same number of mg of AU."""
MADE_AT = 1_000


def sold(price: int = 60_000, quantity: int = 10 * LOT, **definition: Any) -> tuple[Engine, TradeTerms]:
    """Return a market in which ann has sold gold to bob, and the terms of the trade."""
    engine = market(**definition)
    made: list[AnyEvent] = []
    for account, side in (("ann", terms.SELL), ("bob", terms.BUY)):
        made += apply(engine, MADE_AT, OrderPlace(account, "o", "AU", side, terms.LIMIT, quantity, price))
    (trade,) = (event for event in made if isinstance(event, events.Trade))
    return engine, terms_of(trade, engine.state.trading_day)


def ask(engine: Engine, given: TradeTerms | None, by: str, at: int = MADE_AT, trade_id: int = 1) -> list[AnyEvent]:
    return apply(engine, at, TradeBust(trade_id, "a wrong price", by, given))


def bust(engine: Engine, given: TradeTerms, at: int = MADE_AT) -> list[AnyEvent]:
    """Ask for the annulment by two persons, and return the events of the second command."""
    ask(engine, given, "ada", at)
    return ask(engine, given, "ben", at)


def refusal(found: list[AnyEvent]) -> tuple[str, str]:
    (event,) = found
    assert isinstance(event, CommandRejected), event
    return event.reason, event.detail or ""


def test_money_gold_and_fees_go_back_in_one_step() -> None:
    engine, given = sold(maker_fee_bp=3, taker_fee_bp=5)
    assert engine.state.fees_collected == given.buy_fee + given.sell_fee == 480
    (proposed,) = ask(engine, given, "ada")
    assert isinstance(proposed, TradeBustProposed)
    assert (proposed.trade_id, proposed.symbol, proposed.by) == (1, "AU", "ada")
    busted, *holdings = ask(engine, given, "ben")
    assert isinstance(busted, TradeBusted)
    assert (busted.proposed_by, busted.by, busted.reason, busted.traded_at) == ("ada", "ben", "a wrong price", MADE_AT)
    back = [(h.account, h.asset, h.total) for h in holdings if isinstance(h, HoldingChanged)]
    assert sorted(back) == [(account, asset, CASH) for account in ("ann", "bob") for asset in ("AU", "CNY")]
    assert engine.state.fees_collected == 0
    validate(engine)


def test_the_same_person_cannot_annul_a_trade_alone_and_nobody_can_twice() -> None:
    engine, given = sold()
    for _ in range(3):
        assert isinstance(ask(engine, given, "ada")[0], TradeBustProposed)
    assert isinstance(ask(engine, given, "ben")[0], TradeBusted)
    assert refusal(ask(engine, given, "ada"))[0] == "BUSTED"
    assert refusal(ask(engine, given, "ben"))[0] == "BUSTED"


def test_orders_the_last_price_and_triggered_stops_stay() -> None:
    engine = market()
    apply(engine, 1, OrderPlace("ann", "a", "AU", terms.SELL, terms.LIMIT, 5 * LOT, 60_000))
    stop = OrderPlace("ann", "s", "AU", terms.SELL, terms.LIMIT, LOT, 70_000, stop_price=60_000)
    apply(engine, 1, stop)
    made = apply(engine, 1, OrderPlace("bob", "b", "AU", terms.BUY, terms.LIMIT, 2 * LOT, 60_000))
    assert [event.event for event in made if event.event == "order.triggered"] == ["order.triggered"]
    (trade,) = (event for event in made if isinstance(event, events.Trade))
    bust(engine, terms_of(trade, ""))
    left = {order.client_order_id: order.remaining for order in engine.state.orders.values()}
    assert left == {"a": 3 * LOT, "s": LOT}
    assert engine.state.instruments["AU"].last == 60_000
    validate(engine)


@pytest.mark.parametrize("missing", [1, 0])
def test_the_seller_has_to_have_the_money(missing: int) -> None:
    engine, given = sold(taker_fee_bp=5)
    proceeds = given.amount - given.sell_fee
    apply(engine, 2, HoldingAdjust("ann", "CNY", -CASH - missing, "w"))
    found = ask(engine, given, "ada")
    if missing:
        assert refusal(found) == ("INSUFFICIENT_CASH", "ann lacks 1 of CNY in its smallest unit")
        assert engine.state.accounts["ann"].cash.total == proceeds - 1
    else:
        assert isinstance(ask(engine, given, "ben")[0], TradeBusted)
        assert engine.state.accounts["ann"].cash.total == 0
    validate(engine)


@pytest.mark.parametrize("missing", [1, 0])
def test_the_buyer_has_to_have_the_gold(missing: int) -> None:
    engine, given = sold()
    apply(engine, 2, HoldingAdjust("bob", "AU", -CASH - missing, "w"))
    found = ask(engine, given, "ada")
    if missing:
        assert refusal(found) == ("INSUFFICIENT_GOLD", "bob lacks 1 of AU in its smallest unit")
    else:
        assert isinstance(ask(engine, given, "ben")[0], TradeBusted)
        assert engine.state.accounts["bob"].balance("AU").total == 0
    validate(engine)


def test_everything_that_is_missing_is_said_and_nothing_has_changed() -> None:
    engine, given = sold()
    ask(engine, given, "ada")
    apply(engine, 2, HoldingAdjust("bob", "AU", -CASH - 7, "w"))
    apply(engine, 2, OrderPlace("ann", "x", "AU", terms.BUY, terms.LIMIT, 16_000 * LOT, 62_500))
    assert engine.state.accounts["ann"].cash.available() == given.amount
    apply(engine, 2, HoldingAdjust("ann", "CNY", -5, "v"))
    before = engine.digest()
    words = "ann lacks 5 of CNY and bob lacks 7 of AU in its smallest unit"
    found = ask(engine, given, "ben")
    assert refusal(found) == ("INSUFFICIENT_CASH", words)
    engine.state.sequence -= 1
    assert engine.digest() == before
    apply(engine, 2, HoldingAdjust("bob", "AU", 7, "b"))
    apply(engine, 2, HoldingAdjust("ann", "CNY", 5, "a"))
    assert isinstance(ask(engine, given, "ben")[0], TradeBusted), "the first person's request still stands"


def test_gold_under_the_resale_lock_goes_back_and_other_locked_gold_stays_locked() -> None:
    engine, given = sold(resale_lock_days=1)
    for account, side in (("ann", terms.SELL), ("bob", terms.BUY)):
        apply(engine, 2, OrderPlace(account, "p", "AU", side, terms.LIMIT, 3 * LOT, 60_000))
    gold = engine.state.accounts["bob"].balance("AU")
    assert gold.locked == 13 * LOT
    apply(engine, 2, HoldingAdjust("bob", "AU", -CASH, "w"))
    bust(engine, given)
    assert (gold.total, gold.locked, gold.locks) == (3 * LOT, 3 * LOT, {1: 3 * LOT})
    validate(engine)


def test_proceeds_that_go_back_are_no_longer_held_back() -> None:
    engine, given = sold(same_day_reuse_percent=40)
    cash = engine.state.accounts["ann"].cash
    assert cash.unwithdrawable == 360_000
    bust(engine, given)
    assert (cash.total, cash.unwithdrawable, cash.withdrawable()) == (CASH, 0, CASH)


@pytest.mark.parametrize(
    ("window", "last"), [({}, 1_800_000), ({"bust_window_ms": 300}, 300), ({"bust_window_ms": 86_400_000}, 86_400_000)]
)
def test_the_window_ends(window: dict[str, int], last: int) -> None:
    engine, given = sold(**window)
    assert isinstance(ask(engine, given, "ada", MADE_AT + last)[0], TradeBustProposed)
    assert refusal(ask(engine, given, "ben", MADE_AT + last + 1))[0] == "TOO_LATE"


def test_a_window_of_nothing_forbids_annulment() -> None:
    engine, given = sold(bust_window_ms=0)
    assert refusal(ask(engine, given, "ada"))[0] == "TOO_LATE"


def test_the_end_of_the_trading_day_ends_the_window_and_forgets_requests() -> None:
    engine, given = sold(bust_window_ms=86_400_000)
    ask(engine, given, "ada")
    apply(engine, MADE_AT, commands.MarketEndDay("2026-11-25"))
    assert engine.state.bust_proposals == {}
    assert refusal(ask(engine, given, "ben"))[0] == "TOO_LATE"
    for account, side in (("ann", terms.SELL), ("bob", terms.BUY)):
        apply(engine, MADE_AT, OrderPlace(account, "n", "AU", side, terms.LIMIT, LOT, 60_000))
    new = replace(given, trading_day="2026-11-25", quantity=LOT, amount=60_000, maker_order_id=3, taker_order_id=4)
    ask(engine, new, "ada", trade_id=2)
    assert isinstance(ask(engine, new, "ben", trade_id=2)[0], TradeBusted)
    assert list(engine.state.busted) == [2]
    apply(engine, MADE_AT, commands.MarketEndDay("2026-11-26"))
    assert not engine.state.busted, "what is kept does not grow from day to day"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": "AG"}, "UNKNOWN_SYMBOL"),
        ({"buy_account": "eve"}, "UNKNOWN_ACCOUNT"),
        ({"sell_account": "eve"}, "UNKNOWN_ACCOUNT"),
        ({"buy_account": "ann"}, "BAD_VALUE"),
        ({"at": MADE_AT + 1}, "BAD_VALUE"),
        ({"at": -1}, "BAD_VALUE"),
        ({"quantity": -LOT, "amount": -60_000}, "BAD_VALUE"),
        ({"quantity": 0, "amount": 0}, "BAD_VALUE"),
        ({"amount": 1}, "BAD_VALUE"),
        ({"buy_fee": -1}, "BAD_VALUE"),
        ({"buy_fee": 1}, "BAD_VALUE"),
        ({"sell_fee": 10**9}, "BAD_VALUE"),
        ({"maker_order_id": 3}, "BAD_VALUE"),
        ({"taker_order_id": 0}, "BAD_VALUE"),
        ({"trading_day": "2026-11-24"}, "TOO_LATE"),
    ],
)
def test_impossible_terms_are_refused(change: dict[str, Any], reason: str) -> None:
    engine, given = sold()
    assert refusal(ask(engine, replace(given, **change), "ada"))[0] == reason
    assert not engine.state.bust_proposals


def test_both_persons_have_to_mean_the_same_trade() -> None:
    engine, given = sold()
    ask(engine, given, "ada")
    assert refusal(ask(engine, replace(given, price=30_000, amount=300_000), "ben"))[0] == "BAD_VALUE"
    assert isinstance(ask(engine, given, "ben")[0], TradeBusted)


@pytest.mark.parametrize("trade_id", [0, -1, 2, 99])
def test_a_trade_that_was_not_made_is_unknown(trade_id: int) -> None:
    engine, given = sold()
    assert refusal(ask(engine, given, "ada", trade_id=trade_id))[0] == "UNKNOWN_TRADE"
    assert refusal(ask(engine, None, "ada"))[0] == "UNKNOWN_TRADE"


def test_a_snapshot_keeps_requests_and_annulments() -> None:
    engine, given = sold()
    plain = engine.snapshot()
    ask(engine, given, "ada")
    engine = Engine.restore(engine.snapshot())
    assert isinstance(ask(engine, given, "ben")[0], TradeBusted)
    engine = Engine.restore(engine.snapshot())
    assert refusal(ask(engine, given, "ada"))[0] == "BUSTED"
    apply(engine, MADE_AT, commands.MarketEndDay("2026-11-25"))
    assert len(engine.snapshot()) < len(plain) + 20, "after the day nothing of it is left in a snapshot"
