"""Negotiated deals: prepaid from the proposal on, so that an acceptance settles or changes nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import AnyCommand, HoldingAdjust, OrderPlace, TradeBust
from goldx.protocol.deal_commands import DealAccept, DealCancel, DealDecline, DealPropose
from goldx.protocol.deal_events import DealAccepted, DealEnded, DealProposed, TradePublished
from goldx.protocol.events import AnyEvent, CommandRejected, HoldingChanged, Trade
from goldx.protocol.trade_kinds import kind_of
from matching.core.engine import Engine
from tests.matching.core.dice import HypothesisDice
from tests.matching.core.driving import apply, command_tuple
from tests.matching.core.flows import Flow
from tests.matching.core.flows_of_deals import proposal
from tests.matching.core.test_state import LOT, market
from tests.matching.core.trade_terms import terms_of
from tests.matching.core.validator import Conservation, validate

CASH = 10**9
"""The fen that ``market`` gives to ann and to bob, and the same number of mg of AU."""
PRICE, NOON, LATER = 60_000, 1_000_000, 2_000_000


def offer(side: int = terms.BUY, **changed: Any) -> DealPropose:
    what: dict[str, Any] = {"quantity": 10 * LOT, "price": PRICE, "expire_at": LATER, "client_deal_id": "d1"}
    parties = {"account": "ann", "counter_account": "bob", "symbol": "AU", "side": side}
    return DealPropose(**(what | parties | changed))


def reason(found: list[AnyEvent]) -> str:
    (event,) = found
    assert isinstance(event, CommandRejected), event
    return event.reason


def ended(found: list[AnyEvent]) -> list[str]:
    return [event.reason for event in found if isinstance(event, DealEnded)]


def proposed(side: int = terms.BUY, engine: Engine | None = None, **changed: Any) -> Engine:
    """Return a market in which ann has proposed a deal to bob at noon."""
    engine = engine or market()
    first, *_ = apply(engine, NOON, offer(side, **changed))
    assert isinstance(first, DealProposed), first
    return engine


def reserved(engine: Engine) -> dict[str, int]:
    return {asset: balance.reserved for asset, balance in engine.state.accounts["ann"].balances.items()}


def test_a_proposal_reserves_price_quantity_and_the_takers_fee() -> None:
    engine = proposed(engine=market(maker_fee_bp=100, taker_fee_bp=5))
    assert reserved(engine) == {"CNY": 600_000 + 300, "AU": 0}
    engine = proposed(terms.SELL, engine=market(maker_fee_bp=100, taker_fee_bp=5))
    assert reserved(engine) == {"CNY": 0, "AU": 10 * LOT}


@pytest.mark.parametrize("side", [terms.BUY, terms.SELL])
def test_an_acceptance_settles_in_its_command_and_both_pay_the_takers_fee(side: int) -> None:
    engine = proposed(side, engine=market(maker_fee_bp=1, taker_fee_bp=5))
    accepted, trade, published, *holdings = apply(engine, NOON + 1, DealAccept("bob", 1))
    assert isinstance(accepted, DealAccepted)
    assert isinstance(trade, Trade)
    assert isinstance(published, TradePublished)
    assert accepted.trade_id == trade.trade_id == published.trade_id == 1
    parties = ("ann", "bob") if side == terms.BUY else ("bob", "ann")
    assert (trade.buy_account, trade.sell_account) == parties
    assert (trade.buy_fee, trade.sell_fee) == (300, 300)
    assert (trade.maker_order_id, trade.taker_order_id, trade.taker_side) == (0, 0, None)
    assert kind_of(trade) == published.kind == terms.DEAL_TRADE
    moved = {(h.account, h.asset): h.total - CASH for h in holdings if isinstance(h, HoldingChanged)}
    buyer, seller = parties
    assert moved == {
        (buyer, "CNY"): -600_300,
        (buyer, "AU"): 10 * LOT,
        (seller, "AU"): -10 * LOT,
        (seller, "CNY"): 599_700,
    }
    assert engine.state.fees_collected == 600
    assert engine.state.instruments["AU"].last == 0, "a deal is not the last price"
    validate(engine)


def test_a_deal_triggers_no_stop_and_leaves_the_book_alone() -> None:
    engine = proposed()
    stop = OrderPlace("bob", "s", "AU", terms.SELL, terms.LIMIT, LOT, 1, stop_price=PRICE)
    resting = OrderPlace("ann", "r", "AU", terms.BUY, terms.LIMIT, LOT, PRICE - 1)
    apply(engine, NOON, stop)
    apply(engine, NOON, resting)
    found = apply(engine, NOON, DealAccept("bob", 1))
    assert not [event for event in found if isinstance(event, events.OrderTriggered)]
    assert len(engine.state.orders) == 2


@pytest.mark.parametrize("phase", [terms.CLOSED, terms.PRE_OPEN, terms.AUCTION])
def test_deals_are_made_while_the_book_is_not_open(phase: int) -> None:
    engine = market()
    apply(engine, 1, commands.MarketSetPhase("AU", phase))
    proposed(engine=engine)
    assert isinstance(apply(engine, NOON, DealAccept("bob", 1))[0], DealAccepted)


def test_no_deal_is_proposed_or_accepted_while_trading_is_halted() -> None:
    engine = proposed()
    apply(engine, NOON, commands.MarketSetPhase("AU", terms.HALTED))
    assert reason(apply(engine, NOON, DealAccept("bob", 1))) == "HALTED"
    assert reason(apply(engine, NOON, offer(client_deal_id="d2"))) == "HALTED"
    apply(engine, NOON, commands.MarketSetPhase("AU", terms.CLOSED))
    assert isinstance(apply(engine, NOON, DealAccept("bob", 1))[0], DealAccepted)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"symbol": "ZZ"}, "UNKNOWN_SYMBOL"),
        ({"counter_account": "nobody"}, "UNKNOWN_ACCOUNT"),
        ({"counter_account": "ann"}, "SELF_TRADE"),
        ({"counter_account": "anns"}, "SELF_TRADE"),
        ({"side": 2}, "BAD_VALUE"),
        ({"expire_at": NOON}, "TOO_LATE"),
        ({"expire_at": NOON + 1}, ""),
        ({"agreed_at": NOON + 1}, "BAD_VALUE"),
        ({"agreed_at": NOON}, ""),
        ({"agreed_at": NOON - 900_000}, ""),
        ({"agreed_at": NOON - 900_001}, "TOO_LATE"),
        ({"agreed_at": 0}, "TOO_LATE"),
        ({"price": 54_000}, ""),
        ({"price": 53_999}, "PRICE_LIMIT"),
        ({"price": 66_000}, ""),
        ({"price": 66_001}, "PRICE_LIMIT"),
        ({"quantity": 1}, "BAD_QUANTITY"),
        ({"quantity": 51 * LOT}, "BAD_QUANTITY"),
        ({"price": 60_000, "quantity": 50 * LOT}, ""),
        ({"account": "poor"}, "INSUFFICIENT_CASH"),
        ({"account": "poor", "side": terms.SELL}, "INSUFFICIENT_GOLD"),
    ],
)
def test_a_proposal_is_refused_for_its_terms(changed: dict[str, Any], expected: str) -> None:
    limits: dict[str, Any] = {"reference_price": PRICE, "price_limit_percent": 10, "max_quantity": 50 * LOT}
    engine = market(**limits)
    apply(engine, 1, commands.AccountOpen("anns", "M-other", owner="ann"))
    apply(engine, 1, commands.AccountOpen("poor", "M-poor"))
    command = offer(**changed)
    before = engine.state.accounts["ann"].cash.reserved
    found = apply(engine, NOON, command)
    if expected:
        assert reason(found) == expected
        assert engine.state.accounts["ann"].cash.reserved == before
    else:
        assert isinstance(found[0], DealProposed)
    validate(engine)


def test_a_client_id_is_used_once_until_the_day_after_has_ended() -> None:
    engine = proposed()
    apply(engine, NOON, DealCancel("ann", 1))
    assert reason(apply(engine, NOON, offer())) == "DUPLICATE_ID"
    apply(engine, NOON, commands.MarketEndDay("2026-01-02"))
    assert reason(apply(engine, NOON, offer())) == "DUPLICATE_ID"
    apply(engine, NOON, commands.MarketEndDay("2026-01-03"))
    assert isinstance(apply(engine, NOON, offer())[0], DealProposed)


def test_only_the_named_parties_can_answer() -> None:
    engine = proposed()
    apply(engine, 1, commands.AccountOpen("eve", "M-eve"))
    for command in (DealAccept, DealDecline):
        assert reason(apply(engine, NOON, command("ann", 1))) == "UNKNOWN_DEAL"
        assert reason(apply(engine, NOON, command("eve", 1))) == "UNKNOWN_DEAL"
        assert reason(apply(engine, NOON, command("nobody", 1))) == "UNKNOWN_ACCOUNT"
    assert reason(apply(engine, NOON, DealCancel("bob", 1))) == "UNKNOWN_DEAL"
    assert ended(apply(engine, NOON, DealDecline("bob", 1))) == ["DECLINED"]
    assert reason(apply(engine, NOON, DealAccept("bob", 1))) == "UNKNOWN_DEAL"


ENDS: list[tuple[list[AnyCommand], str]] = [
    ([DealDecline("bob", 1)], "DECLINED"),
    ([DealCancel("ann", 1)], "USER"),
    ([commands.MemberKill("M-ann")], "KILL"),
    ([commands.MemberKill("M-bob")], "KILL"),
    ([commands.MemberHalt("M-ann")], "HALT"),
    ([commands.MemberHalt("M-bob")], "HALT"),
    ([commands.SessionClose("M-ann", "k/s")], "DISCONNECT"),
    ([commands.SessionClose("M-ann", "k/*")], "DISCONNECT"),
    ([commands.MarketEndDay("2026-01-02")], "EXPIRED"),
    ([commands.MarketCancelOrders("AU", "a new tick")], "VENUE"),
    ([commands.MarketCancelOrders("AU", "suspended", "ann")], "VENUE"),
    ([commands.MarketCancelOrders("AU", "suspended", "bob")], "VENUE"),
]


@pytest.mark.parametrize(("acts", "expected"), ENDS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_end_frees_what_was_reserved(acts: list[AnyCommand], expected: str) -> None:
    for side in (terms.BUY, terms.SELL):
        engine = proposed(side, session="k/s")
        found = [event for act in acts for event in apply(engine, NOON, act)]
        assert ended(found) == [expected]
        assert reserved(engine) == {"CNY": 0, "AU": 0}
        assert not engine.state.deals
        validate(engine)


def test_the_session_of_another_member_with_the_same_name_ends_nothing() -> None:
    engine = proposed(session="k/s")
    assert ended(apply(engine, NOON, commands.SessionClose("M-bob", "k/s"))) == []
    assert ended(apply(engine, NOON, commands.SessionClose("M-ann", "k/other"))) == []


def test_a_restored_core_knows_the_client_ids_and_expiries_of_deals() -> None:
    engine = Engine.restore(proposed().snapshot())
    assert reason(apply(engine, NOON, offer())) == "DUPLICATE_ID"
    assert ended(apply(engine, LATER, commands.ClockTick())) == ["EXPIRED"]


def test_a_proposal_that_persists_outlives_its_session_and_not_its_key() -> None:
    engine = proposed(persist=True, session="+k/s")
    assert ended(apply(engine, NOON, commands.SessionClose("M-ann", "k/s"))) == []
    assert ended(apply(engine, NOON, commands.SessionClose("M-bob", "k/*"))) == []
    assert ended(apply(engine, NOON, commands.SessionClose("M-ann", "k/*"))) == ["DISCONNECT"]


def test_a_proposal_expires_by_the_time_of_the_journal_before_the_command() -> None:
    engine = proposed()
    expired, *rest = apply(engine, LATER, DealAccept("bob", 1))
    assert isinstance(expired, DealEnded)
    assert expired.reason == "EXPIRED"
    (refused,) = (event for event in rest if isinstance(event, CommandRejected))
    assert refused.reason == "UNKNOWN_DEAL"
    assert isinstance(apply(proposed(), LATER - 1, DealAccept("bob", 1))[0], DealAccepted)


def test_retirement_of_the_other_account_or_of_the_instrument_ends_proposals() -> None:
    engine = market()
    apply(engine, 1, commands.AccountOpen("new", "M-new"))
    proposed(engine=engine, counter_account="new")
    assert ended(apply(engine, NOON, commands.AccountRetire("new"))) == ["VENUE"]
    apply(engine, NOON, commands.InstrumentDefine("AG"))
    apply(engine, NOON, offer(symbol="AG", client_deal_id="d2"))
    found = apply(engine, NOON, commands.InstrumentRetire("AG"))
    assert ended(found) == ["VENUE"]
    assert reserved(engine)["CNY"] == 0
    assert reason(apply(engine, NOON, offer(symbol="AG", client_deal_id="d3"))) == "RETIRED"


def test_an_instrument_with_open_deals_keeps_its_terms() -> None:
    engine = market()
    apply(engine, 1, commands.MarketSetPhase("AU", terms.CLOSED))
    proposed(engine=engine)
    assert reason(apply(engine, NOON, commands.InstrumentDefine("AU", taker_fee_bp=9))) == "PHASE"
    apply(engine, NOON, DealCancel("ann", 1))
    assert isinstance(apply(engine, NOON, commands.InstrumentDefine("AU"))[0], events.InstrumentDefined)


def test_an_acceptor_without_means_is_refused_and_the_proposal_stands() -> None:
    engine = proposed(terms.SELL)
    apply(engine, NOON, HoldingAdjust("bob", "CNY", 599_999 - CASH, "out"))
    before = engine.state.accounts["ann"].balances["AU"].reserved
    assert reason(apply(engine, NOON, DealAccept("bob", 1))) == "INSUFFICIENT_CASH"
    assert engine.state.accounts["ann"].balances["AU"].reserved == before == 10 * LOT
    apply(engine, NOON, HoldingAdjust("bob", "CNY", 1, "in"))
    assert isinstance(apply(engine, NOON, DealAccept("bob", 1))[0], DealAccepted)


def test_bought_gold_is_locked_and_proceeds_are_held_back_as_after_a_trade_of_the_book() -> None:
    engine = proposed(engine=market(resale_lock_days=1, same_day_reuse_percent=90))
    apply(engine, NOON, DealAccept("bob", 1))
    assert engine.state.accounts["ann"].balances["AU"].locked == 10 * LOT
    assert engine.state.accounts["bob"].cash.unwithdrawable == 60_000
    apply(engine, NOON, HoldingAdjust("ann", "AU", -CASH, "out"))
    assert reason(apply(engine, NOON, offer(terms.SELL, client_deal_id="d2"))) == "RESALE_LOCKED"


def test_limits_and_the_report_count_at_the_acceptance_too() -> None:
    engine = market(reference_price=PRICE, price_limit_percent=10)
    proposed(engine=engine, price=66_000)
    apply(engine, NOON, commands.MarketSetReference("AU", 50_000))
    assert reason(apply(engine, NOON, DealAccept("bob", 1))) == "PRICE_LIMIT"
    engine = proposed(engine=market(deal_report_ms=100), agreed_at=NOON)
    assert reason(apply(engine, NOON + 101, DealAccept("bob", 1))) == "TOO_LATE"
    assert isinstance(apply(engine, NOON + 100, DealAccept("bob", 1))[0], CommandRejected), "time never runs backward"
    engine = proposed(engine=market(deal_report_ms=100), agreed_at=NOON)
    assert isinstance(apply(engine, NOON + 100, DealAccept("bob", 1))[0], DealAccepted)


def test_publication_waits_for_the_delay_and_is_left_out_for_an_annulled_trade() -> None:
    engine = proposed(engine=market(deal_delay_ms=300))
    found = apply(engine, NOON, DealAccept("bob", 1))
    assert not [event for event in found if isinstance(event, TradePublished)]
    assert apply(engine, NOON + 299, commands.ClockTick()) == []
    (published,) = apply(Engine.restore(engine.snapshot()), NOON + 300, commands.ClockTick())
    assert isinstance(published, TradePublished)
    assert (published.trade_id, published.at, published.traded_at) == (1, NOON + 300, NOON)
    trade = next(event for event in found if isinstance(event, Trade))
    for by in ("ada", "ben"):
        busted, *_ = apply(engine, NOON + 299, TradeBust(1, "a wrong price", by, terms_of(trade, "")))
    assert isinstance(busted, events.TradeBusted)
    assert apply(engine, NOON + 300, commands.ClockTick()) == []
    validate(engine)


def test_a_deal_is_annulled_as_a_trade_of_the_book_is() -> None:
    engine = proposed(engine=market(taker_fee_bp=5))
    trade = next(event for event in apply(engine, NOON, DealAccept("bob", 1)) if isinstance(event, Trade))
    for by in ("ada", "ben"):
        apply(engine, NOON, TradeBust(1, "a wrong price", by, terms_of(trade, "")))
    assert engine.state.fees_collected == 0
    assert {a.name: (a.cash.total, a.balances["AU"].total) for a in engine.state.accounts.values()} == {
        "ann": (CASH, CASH),
        "bob": (CASH, CASH),
    }
    given = terms_of(trade, "")
    odd = (TradeBust(1, "x", "ada", msgspec.structs.replace(given, maker_order_id=1)),)
    engine = proposed(engine=market(taker_fee_bp=5))
    apply(engine, NOON, DealAccept("bob", 1))
    for command in odd:
        assert reason(apply(engine, NOON, command)) == "BAD_VALUE"


def test_a_journal_without_deals_has_the_snapshot_that_it_always_had() -> None:
    """The parts that older versions do not know are left out, and a trade of orders has no kind."""
    engine = market()
    for account, side in (("ann", terms.SELL), ("bob", terms.BUY)):
        plain = engine.apply(NOON, command_tuple(OrderPlace(account, "o", "AU", side, terms.LIMIT, LOT, PRICE)))
    (trade,) = (event for event in plain if len(event) > 15)
    assert len(trade) == 17
    parts = msgspec.msgpack.decode(engine.snapshot())
    assert len(parts) == 13
    proposed(engine=engine)
    assert len(msgspec.msgpack.decode(engine.snapshot())) > 13


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_an_accepted_proposal_has_settled_and_a_refused_one_has_changed_nothing(data: st.DataObject) -> None:
    """Among any other commands. ``validate`` finds that exactly what orders and proposals could use is reserved."""
    flow = Flow(HypothesisDice(data))
    engine, conservation = Engine(), Conservation()

    def step(command: AnyCommand) -> list[AnyEvent]:
        flow.follow(command)
        found = apply(engine, flow.at, command)
        conservation.read(found)
        return found

    for _, command in flow.steps(0):
        conservation.read(apply(engine, flow.at, command))
    for _ in range(data.draw(st.integers(1, 8))):
        for _ in range(data.draw(st.integers(0, 3))):
            step(flow.step())
        made = proposal(flow)
        step(made)
        for _ in range(data.draw(st.integers(0, 2))):
            step(flow.step())
        number = engine.state.last_deal_id
        deal = engine.state.deals.get(number)
        before = (list(engine.state.deals), reserved_of_all(engine), totals(engine))
        found = step(DealAccept(made.counter_account, number))
        if isinstance(found[0], CommandRejected):
            assert (list(engine.state.deals), reserved_of_all(engine), totals(engine)) == before
        else:
            assert deal is not None
            check_settled(engine, found, before[2], deal.deal_id)
        validate(engine)
        conservation.check(engine)


def reserved_of_all(engine: Engine) -> dict[tuple[str, str], int]:
    accounts = engine.state.accounts.values()
    return {(a.name, asset): b.reserved for a in accounts for asset, b in a.balances.items() if b.reserved}


def totals(engine: Engine) -> dict[tuple[str, str], int]:
    return {(a.name, asset): b.total for a in engine.state.accounts.values() for asset, b in a.balances.items()}


def check_settled(engine: Engine, found: list[AnyEvent], before: dict[tuple[str, str], int], number: int) -> None:
    accepted, trade = found[:2]
    assert isinstance(accepted, DealAccepted)
    assert isinstance(trade, Trade)
    assert number not in engine.state.deals
    after = totals(engine)
    for name, asset, amount in (
        (trade.buy_account, "CNY", -trade.amount - trade.buy_fee),
        (trade.buy_account, trade.symbol, trade.quantity),
        (trade.sell_account, trade.symbol, -trade.quantity),
        (trade.sell_account, "CNY", trade.amount - trade.sell_fee),
    ):
        assert after[name, asset] - before.get((name, asset), 0) == amount
