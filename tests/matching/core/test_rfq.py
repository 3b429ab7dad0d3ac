"""Requests for quotes: every quote is prepaid and firm, so that an acceptance settles or changes nothing."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldx.protocol import commands, terms
from goldx.protocol.commands import HoldingAdjust
from goldx.protocol.deal_events import TradePublished
from goldx.protocol.events import AnyEvent, CommandRejected, Trade
from goldx.protocol.rfq_commands import RfqAccept, RfqQuote, RfqWithdraw
from goldx.protocol.rfq_events import RfqAccepted, RfqGraceEnded, RfqQuoted, RfqQuoteDone
from goldx.protocol.trade_kinds import kind_of
from matching.core.engine import Engine
from tests.matching.core.dice import HypothesisDice
from tests.matching.core.driving import apply
from tests.matching.core.flows_of_orders import RfqFlow
from tests.matching.core.rfq_market import (
    BUY,
    CASH,
    FIRM,
    NOON,
    PRICE,
    SEEN,
    SELL,
    asked,
    bid,
    ended,
    fills,
    market,
    reason,
    reserved,
    take,
    totals,
)
from tests.matching.core.test_state import LOT
from tests.matching.core.validator import Conservation, validate

# What is reserved, and what an acceptance does


def test_a_request_reserves_nothing_and_a_quote_what_it_could_give() -> None:
    engine = asked(BUY, bid("bob", 600), engine=market(maker_fee_bp=100, taker_fee_bp=5))
    assert reserved(engine) == {("bob", "AU"): 10 * LOT}
    engine = asked(SELL, bid("bob", 600), engine=market(maker_fee_bp=100, taker_fee_bp=5))
    assert reserved(engine) == {("bob", "CNY"): 600_000 + 300}


def test_an_acceptance_settles_at_one_price_and_both_sides_pay_the_takers_fee() -> None:
    engine = asked(SELL, bid("bob", 601, 4), bid("cid", 600, 6), engine=market(maker_fee_bp=1, taker_fee_bp=5))
    before = totals(engine)
    found = apply(engine, SEEN, take(599))
    accepted = next(event for event in found if isinstance(event, RfqAccepted))
    assert (accepted.price, accepted.quantity, accepted.trade_ids) == (60_000, 10 * LOT, (1, 2))
    assert fills(found) == [("bob", 600, 4), ("cid", 600, 6)]
    trades = [event for event in found if isinstance(event, Trade)]
    assert {(t.buy_account, t.sell_account, t.buy_fee, t.sell_fee) for t in trades} == {
        ("bob", "ann", 120, 120),
        ("cid", "ann", 180, 180),
    }
    assert {(t.maker_order_id, t.taker_order_id, t.taker_side, kind_of(t)) for t in trades} == {
        (0, 0, None, terms.RFQ_TRADE)
    }
    assert [e.kind for e in found if isinstance(e, TradePublished)] == [terms.RFQ_TRADE] * 2
    after = totals(engine)
    assert {key: after[key] - before[key] for key in after if after[key] != before[key]} == {
        ("ann", "AU"): -10 * LOT,
        ("ann", "CNY"): 600_000 - 300,
        ("bob", "CNY"): -240_120,
        ("bob", "AU"): 4 * LOT,
        ("cid", "CNY"): -360_180,
        ("cid", "AU"): 6 * LOT,
    }
    assert engine.state.fees_collected == 600
    assert not reserved(engine)
    assert not engine.state.requests
    assert engine.state.instruments["AU"].last == 0, "a request is not the last price"
    validate(engine)


CROSSINGS: list[tuple[str, int, list[RfqQuote], RfqAccept, list[tuple[str, int, int]]]] = [
    ("the best price", BUY, [bid("bob", 601), bid("cid", 600)], take(), [("cid", 600, 10)]),
    ("the best price of buyers", SELL, [bid("bob", 601), bid("cid", 600)], take(1), [("bob", 601, 10)]),
    ("the better one first", BUY, [bid("bob", 601, 9), bid("cid", 600, 4)], take(), [("cid", 601, 4), ("bob", 601, 6)]),
    ("the larger one first", BUY, [bid("bob", 600, 5), bid("cid", 600, 8)], take(), [("cid", 600, 8), ("bob", 600, 2)]),
    (
        "the earlier one first",
        BUY,
        [bid("bob", 600, 8), bid("cid", 600, 8)],
        take(),
        [("bob", 600, 8), ("cid", 600, 2)],
    ),
    ("all or none first", BUY, [bid("bob", 600), bid("cid", 600, whole=True)], take(), [("cid", 600, 10)]),
    (
        "but not before a better price",
        BUY,
        [bid("bob", 599, 4), bid("cid", 600, whole=True), bid("dan", 600, 6)],
        take(),
        [("bob", 600, 4), ("dan", 600, 6)],
    ),
    (
        "unless that cannot be filled",
        BUY,
        [bid("bob", 599, 4), bid("cid", 600, whole=True), bid("dan", 601, 6)],
        take(),
        [("cid", 600, 10)],
    ),
    (
        "at the best price of all",
        BUY,
        [bid("bob", 598, 4), bid("dan", 599, 6), bid("cid", 600, whole=True)],
        take(),
        [("bob", 599, 4), ("dan", 599, 6)],
    ),
    ("a part", BUY, [bid("bob", 600, 5), bid("cid", 601)], take(700, 5), [("bob", 600, 5)]),
    ("no part of all or none", BUY, [bid("bob", 600, whole=True), bid("cid", 605)], take(700, 5), [("cid", 605, 5)]),
    ("within the limit", BUY, [bid("bob", 600, 4), bid("cid", 602)], take(602), [("bob", 602, 4), ("cid", 602, 6)]),
    ("not beyond it", BUY, [bid("bob", 600, 4), bid("cid", 602)], take(601), []),
    ("not beyond it for a seller", SELL, [bid("bob", 600, 4), bid("cid", 598)], take(599), []),
    ("not less than asked", BUY, [bid("bob", 600, 4), bid("cid", 600, 5)], take(), []),
]


@pytest.mark.parametrize(
    ("side", "quotes", "accepts", "expected"), [c[1:] for c in CROSSINGS], ids=[c[0] for c in CROSSINGS]
)
def test_the_best_quotes_trade_at_one_crossing_price(
    side: int, quotes: list[RfqQuote], accepts: RfqAccept, expected: list[tuple[str, int, int]]
) -> None:
    engine = asked(side, *quotes)
    held = reserved(engine)
    found = apply(engine, SEEN, accepts)
    assert fills(found) == expected
    validate(engine)
    if expected:
        assert not reserved(engine)
    else:
        assert reason(found) == "CANNOT_FILL"
        assert (reserved(engine), list(engine.state.requests)) == (held, [1])


def test_who_is_done_learns_the_covering_price_and_others_that_it_traded_away() -> None:
    engine = asked(BUY, bid("bob", 600, 6), bid("cid", 601, 6), bid("dan", 603), bid("eve", 602, whole=True))
    found = apply(engine, SEEN, take())
    done = [event for event in found if isinstance(event, RfqQuoteDone)]
    assert [(event.account, event.covering_price) for event in done] == [("bob", 60_200), ("cid", 60_200)]
    assert ended(found) == {"dan": "TRADED_AWAY", "eve": "TRADED_AWAY"}
    (alone,) = (e for e in apply(asked(BUY, bid("bob", 600)), SEEN, take()) if isinstance(e, RfqQuoteDone))
    assert alone.covering_price is None


# The grace, and how long a quote is firm


def test_the_requester_sees_and_accepts_nothing_before_the_grace_has_ended() -> None:
    engine = asked(BUY, bid("bob", 600, 4, session="k/s"), grace_ms=2_000)
    quoted = apply(engine, NOON + 1_999, bid("cid", 601))[0]
    assert isinstance(quoted, RfqQuoted)
    assert quoted.hidden
    assert reason(apply(engine, NOON + 1_999, take())) == "TOO_EARLY"
    opened, refused = apply(Engine.restore(engine.snapshot()), NOON + 2_000, take(599))
    assert isinstance(opened, RfqGraceEnded)
    assert [(q.account, q.price, q.quantity) for q in opened.quotes] == [
        ("bob", PRICE, 4 * LOT),
        ("cid", 60_100, 10 * LOT),
    ]
    assert opened.at == NOON + 2_000
    assert reason([refused]) == "CANNOT_FILL"
    later = apply(engine, NOON + 2_001, bid("dan", 602))[1]
    assert isinstance(later, RfqQuoted)
    assert later.hidden is None


def test_a_quote_is_firm_from_when_it_is_seen_and_no_one_can_take_it_back_before() -> None:
    """A quote of the grace and a later one: each is firm for the same time after the requester could see it."""
    for at, until in ((NOON, FIRM), (SEEN + 500, SEEN + 500 + terms.RFQ_FIRM_MS)):
        engine = asked()
        quoted = apply(engine, at, bid("bob", 600))[-2]
        assert isinstance(quoted, RfqQuoted)
        assert quoted.firm_until == until
        for early in (at, SEEN + 500, until - 1):
            assert reason(apply(engine, early, RfqWithdraw("bob", 1))) == "FIRM"
        assert ended(apply(engine, until, RfqWithdraw("bob", 1))) == {"bob": "USER"}
        assert not reserved(engine)


def test_a_firm_quote_is_only_improved_and_afterwards_changed_at_will() -> None:
    for side, better, worse in ((BUY, 599, 601), (SELL, 601, 599)):
        engine = asked(side, bid("bob", 600, 5))
        for quote in (bid("bob", worse, 5), bid("bob", 600, 4), bid("bob", better, 10, whole=True)):
            assert reason(apply(engine, SEEN + 1, quote)) == "FIRM"
        quoted = [e for e in apply(engine, SEEN + 1, bid("bob", better, 6)) if isinstance(e, RfqQuoted)]
        assert [(quote.replaces, quote.rfq_quote_id) for quote in quoted] == [(1, 2)]
        assert not reason(apply(engine, SEEN + 1 + terms.RFQ_FIRM_MS, bid("bob", worse, 1)))
        assert len(engine.state.requests[1].quotes) == 1
        validate(engine)


def test_an_all_or_none_quote_may_become_a_partial_one_while_it_is_firm() -> None:
    engine = asked(BUY, bid("bob", 600, whole=True))
    assert not reason(apply(engine, NOON, bid("bob", 600)))


def test_a_quote_that_replaces_another_uses_what_that_one_had_reserved() -> None:
    engine = asked(SELL, bid("bob", 600))
    apply(engine, NOON, HoldingAdjust("bob", "CNY", 610_000 - CASH, "out"))
    assert reason(apply(engine, NOON, bid("bob", 611))) == "INSUFFICIENT_CASH"
    assert reserved(engine) == {("bob", "CNY"): 600_000}
    assert not reason(apply(engine, NOON, bid("bob", 610)))
    assert reserved(engine) == {("bob", "CNY"): 610_000}


def test_the_end_of_a_session_leaves_a_firm_quote_until_it_is_no_longer_firm() -> None:
    engine = asked(BUY, bid("bob", 600, session="k/s"), bid("cid", 601, session="k/s"))
    assert apply(engine, SEEN - 1, commands.SessionClose("M-bob", "k/s")) == []
    assert apply(engine, SEEN - 1, commands.SessionClose("M-bob", "k/s")) == []
    restored = Engine.restore(engine.snapshot())
    assert fills(apply(restored, FIRM - 1, take())) == [("bob", 600, 10)], "it is accepted all the same"
    found = apply(Engine.restore(engine.snapshot()), FIRM, commands.ClockTick())
    assert ended(found) == {"bob": "DISCONNECT"}
    assert ended(apply(engine, FIRM, commands.SessionClose("M-cid", "k/s"))) == {
        "bob": "DISCONNECT",
        "cid": "DISCONNECT",
    }
    validate(engine)


def test_a_new_session_takes_a_quote_over_by_improving_it() -> None:
    engine = asked(BUY, bid("bob", 600, session="k/s"))
    apply(engine, NOON, commands.SessionClose("M-bob", "k/s"))
    apply(engine, NOON, bid("bob", 600, session="k/t"))
    assert ended(apply(engine, FIRM, commands.ClockTick())) == {}
    assert list(engine.state.requests[1].quotes) == ["bob"]
    validate(engine)


def test_a_suspended_key_and_the_venue_end_firm_quotes_at_once() -> None:
    for act in (
        commands.SessionClose("M-bob", "k/*"),
        commands.MemberKill("M-bob"),
        commands.MemberHalt("M-bob"),
        commands.MarketCancelOrders("AU", "suspended", "bob"),
    ):
        engine = asked(BUY, bid("bob", 600, session="k/s"), bid("cid", 601, session="k/s"))
        assert list(ended(apply(engine, NOON, act))) == ["bob"]
        assert reserved(engine) == {("cid", "AU"): 10 * LOT}
        assert list(engine.state.requests) == [1]
        validate(engine)


@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_an_accepted_request_has_settled_and_a_refused_acceptance_has_changed_nothing(data: st.DataObject) -> None:
    """No last look, among any other commands: what is published as done is settled in the same command."""
    flow = RfqFlow(HypothesisDice(data))
    engine, conservation = Engine(), Conservation()
    for at, command in flow.steps(data.draw(st.integers(20, 60))):
        before = (reserved(engine), totals(engine), list(engine.state.requests))
        found = apply(engine, at, command)
        conservation.read(found)
        conservation.check(engine)
        if not isinstance(command, RfqAccept) or len(found) == 0:
            continue
        if isinstance(found[0], CommandRejected):
            assert (reserved(engine), totals(engine), list(engine.state.requests)) == before
        elif isinstance(found[0], RfqAccepted):
            check_settled(engine, found, before[1])
            validate(engine)


def check_settled(engine: Engine, found: list[AnyEvent], before: dict[tuple[str, str], int]) -> None:
    accepted = found[0]
    assert isinstance(accepted, RfqAccepted)
    trades = [event for event in found if isinstance(event, Trade)]
    assert tuple(trade.trade_id for trade in trades) == accepted.trade_ids
    assert sum(trade.quantity for trade in trades) == accepted.quantity
    assert {trade.price for trade in trades} == {accepted.price}
    moved: dict[tuple[str, str], int] = {}
    for trade in trades:
        for name, asset, amount in (
            (trade.buy_account, "CNY", -trade.amount - trade.buy_fee),
            (trade.buy_account, trade.symbol, trade.quantity),
            (trade.sell_account, trade.symbol, -trade.quantity),
            (trade.sell_account, "CNY", trade.amount - trade.sell_fee),
        ):
            moved[name, asset] = moved.get((name, asset), 0) + amount
    after = totals(engine)
    for key, amount in moved.items():
        assert after[key] - before.get(key, 0) == amount
    assert accepted.rfq_id not in engine.state.requests
