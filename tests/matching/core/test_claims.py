"""Claims on accounts: who owes the venue money sells and cancels, and buys nothing, whatever the way of trading is."""

from typing import Any

import pytest

from goldx.protocol import commands
from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.claim_events import AccountClaimChanged
from goldx.protocol.commands import AnyCommand, HoldingAdjust, QuoteSet
from goldx.protocol.deal_commands import DealAccept, DealPropose
from goldx.protocol.deal_events import DealEnded
from goldx.protocol.events import AnyEvent, CommandRejected, HoldingAdjusted, OrderCancelled, OrderRejected, Trade
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.protocol.quote_commands import MassEntry, QuoteMass
from goldx.protocol.rfq_commands import RfqCreate, RfqQuote
from goldx.protocol.rfq_events import RfqEnded, RfqQuoteEnded
from matching.core.engine import Engine
from tests.matching.core.limited_market import BUY, GRAM, NOON, SELL, YUAN, limit, market, order, send

OWES = "account a owes 70.00 CNY; until that is paid it may sell and cancel"


def claim(amount: int = 70 * YUAN, reference: str = "payment_claim:1", account: str = "a") -> AccountClaim:
    return AccountClaim(account, amount, reference, "settlement")


def collection(amount: int, reference: str, claim: str = "payment_claim:1") -> HoldingAdjust:
    return HoldingAdjust("a", "CNY", amount, reference, "settlement", claim=claim)


def owing(*before: AnyCommand) -> Engine:
    """Return a market in which account a owes 70 CNY after these commands."""
    engine = market()
    send(engine, *before, claim())
    return engine


def quote(name: str) -> QuoteSet:
    return QuoteSet("a", name, "AU", 500 * YUAN, GRAM, 700 * YUAN, GRAM)


def deal(side: int, account: str = "a", counter: str = "b", name: str = "d") -> DealPropose:
    return DealPropose(account, name, counter, "AU", side, GRAM, 600 * YUAN, 2 * NOON)


def request(side: int, account: str = "a", name: str = "r") -> RfqCreate:
    return RfqCreate(account, name, "AU", side, GRAM, NOON + 60_000)


def refusals(found: list[AnyEvent]) -> list[tuple[str, str | None]]:
    return [(event.reason, event.detail) for event in found if isinstance(event, OrderRejected | CommandRejected)]


def changes(found: list[AnyEvent]) -> list[tuple[Any, ...]]:
    changed = [event for event in found if isinstance(event, AccountClaimChanged)]
    return [(one.account, one.reference, one.before, one.amount, one.owed, one.collected) for one in changed]


@pytest.mark.parametrize(
    "command",
    [
        order("o", BUY, 1, 600),
        order("o", BUY, 1, None),
        order("o", BUY, 1, 600, stop_price=650 * YUAN),
        quote("q"),
        QuoteMass("a", (MassEntry("AU", 1, 500 * YUAN, GRAM),)),
        deal(BUY),
        DealAccept("a", 1),
        request(BUY),
        RfqQuote("a", 1, 600 * YUAN, GRAM),
    ],
    ids=["order", "market order", "stop", "quote", "mass quote", "deal", "acceptance", "request", "quote in a request"],
)
def test_nothing_is_bought_by_who_owes_something(command: AnyCommand) -> None:
    engine = owing(deal(SELL, "b", "a"), request(SELL, "b"))
    assert refusals(send(engine, command)) == [("CLAIM", OWES)]
    assert not engine.state.orders
    send(engine, claim(0))
    assert refusals(send(engine, command)) == [], "it has paid"


def test_sales_and_cancels_go_on() -> None:
    engine = owing(order("s1", SELL, 1, 700), order("b", BUY, 1, 600, "b"))
    (traded,) = [event for event in send(engine, order("s2", SELL, 1, 600)) if isinstance(event, Trade)]
    assert (traded.sell_account, traded.quantity) == ("a", GRAM)
    (taken,) = [event for event in send(engine, order("b2", BUY, 1, 700, "b")) if isinstance(event, Trade)]
    assert taken.sell_account == "a", "what it had open before is sold"
    send(engine, request(BUY, "b"))
    for command in (order("s3", SELL, 1, 800), deal(SELL), request(SELL), RfqQuote("a", 1, 600 * YUAN, GRAM)):
        assert refusals(send(engine, command)) == [], command
    ask = QuoteMass("a", (MassEntry("AU", 1, None, None, 900 * YUAN, 2 * GRAM),))
    assert refusals(send(engine, ask)) == []
    assert refusals(send(engine, commands.OrderReplace("a", None, "s3", None, 801 * YUAN))) == []
    (cancelled,) = [e for e in send(engine, commands.OrderCancel("a", None, "s3")) if isinstance(e, OrderCancelled)]
    assert cancelled.reason == "USER"
    assert refusals(send(engine, order("o", BUY, 1, 600, "a2"))) == [], "another account of the member owes nothing"


def test_what_could_still_buy_ends_with_the_first_claim() -> None:
    engine = market()
    send(engine, order("b1", BUY, 1, 500), order("s1", SELL, 1, 800), order("b2", BUY, 1, None, stop_price=650 * YUAN))
    send(engine, quote("q"), order("other", BUY, 1, 400, "b"))
    send(engine, deal(BUY), deal(SELL, name="d2"), deal(BUY, "b", "a"))
    send(engine, request(BUY), request(SELL, name="r2"), request(SELL, "b"), request(BUY, "b", "rb"))
    send(engine, RfqQuote("a", 3, 600 * YUAN, GRAM), RfqQuote("a", 4, 600 * YUAN, GRAM))
    found = send(engine, claim())
    assert changes(found[:1]) == [("a", "payment_claim:1", 0, 70 * YUAN, 70 * YUAN, None)]
    cancelled = [event for event in found if isinstance(event, OrderCancelled)]
    assert [(one.client_order_id, one.reason, one.detail) for one in cancelled] == [
        ("b1", "CLAIM", None),
        ("b2", "CLAIM", None),
        ("q/bid", "CLAIM", None),
    ]
    why = "the account may not buy now"
    assert [(e.deal_id, e.reason, e.detail) for e in found if isinstance(e, DealEnded)] == [(1, "VENUE", why)]
    assert [(e.rfq_id, e.reason, e.detail) for e in found if isinstance(e, RfqEnded)] == [(1, "VENUE", why)]
    ended = [event for event in found if isinstance(event, RfqQuoteEnded)]
    assert [(one.rfq_id, one.account, one.reason, one.detail) for one in ended] == [(3, "a", "VENUE", why)]
    assert engine.state.accounts["a"].cash.reserved == 0
    assert [one.client_order_id for one in engine.state.orders.values()] == ["s1", "q/ask", "other"]
    assert send(engine, claim(60 * YUAN)) == [
        AccountClaimChanged(engine.sequence, NOON, "a", "payment_claim:1", 70 * YUAN, 60 * YUAN, 60 * YUAN)
    ]


def test_an_account_may_have_several_claims_and_each_command_is_answered() -> None:
    engine = owing()
    assert changes(send(engine, claim(5, "c2"))) == [("a", "c2", 0, 5, 7_005, None)]
    assert changes(send(engine, claim(5, "c2"))) == [("a", "c2", 5, 5, 7_005, None)], "it was so already"
    assert changes(send(engine, claim(0))) == [("a", "payment_claim:1", 7_000, 0, 5, None)]
    assert refusals(send(engine, order("o", BUY, 1, 600)))[0][0] == "CLAIM"
    assert changes(send(engine, claim(0, "c2"))) == [("a", "c2", 5, 0, 0, None)]
    assert changes(send(engine, claim(0, "c2"))) == [("a", "c2", 0, 0, 0, None)], "it was ended already"
    general = engine.state.general_commands
    assert refusals(send(engine, order("o", BUY, 1, 600))) == []
    assert engine.state.general_commands == general, "orders take the fast path again"


def test_money_that_is_taken_out_collects_a_claim_in_the_same_command() -> None:
    engine = owing()
    first, second, *_ = send(engine, collection(-3_000, "cash:1"))
    assert first == HoldingAdjusted(first.sequence, NOON, "a", "CNY", -3_000, "cash:1", 3_000)
    assert changes([second]) == [("a", "payment_claim:1", 7_000, 4_000, 4_000, 3_000)]
    found = send(engine, collection(-5_000, "cash:2"))
    assert isinstance(found[0], HoldingAdjusted)
    assert (found[0].amount, found[0].collected) == (-5_000, 4_000), "never more than is owed"
    assert changes(found) == [("a", "payment_claim:1", 4_000, 0, 0, 4_000)]
    assert refusals(send(engine, order("o", BUY, 1, 600))) == []


@pytest.mark.parametrize(
    "adjustment",
    [
        collection(3_000, "in"),
        collection(-3_000, "other", "payment_claim:2"),
        HoldingAdjust("a", "AU", -3_000, "gold", claim="payment_claim:1"),
        HoldingAdjust("b", "CNY", -3_000, "another", claim="payment_claim:1"),
        HoldingAdjust("a", "CNY", -3_000, "none"),
    ],
    ids=["money in", "of another claim", "gold", "of another account", "of none"],
)
def test_other_adjustments_collect_nothing(adjustment: HoldingAdjust) -> None:
    engine = owing()
    found = send(engine, adjustment)
    assert isinstance(found[0], HoldingAdjusted)
    assert found[0].collected is None
    assert changes(found) == []
    assert engine.state.accounts["a"].owed == 7_000


def test_what_cannot_be_taken_out_collects_nothing() -> None:
    engine = owing()
    (event,) = send(engine, collection(-(10**10), "cash:1"))
    assert refusals([event])[0][0] == "INSUFFICIENT_CASH"
    assert engine.state.accounts["a"].owed == 7_000


def test_a_side_that_is_made_smaller_is_not_stopped_by_a_claim_on_the_other() -> None:
    engine = market()
    send(engine, QuoteMass("a", (MassEntry("AU", 1, 500 * YUAN, GRAM, 900 * YUAN, 3 * GRAM),)), claim())
    found = send(engine, QuoteMass("a", (MassEntry("AU", 1, 500 * YUAN, GRAM, 900 * YUAN, GRAM),)))
    assert refusals(found) == [("CLAIM", OWES)]
    (ask,) = engine.state.orders.values()
    assert (ask.side, ask.remaining) == (SELL, GRAM)


def test_claims_outlast_the_day_and_a_snapshot() -> None:
    engine = owing(claim(5, "c2"), order("s", SELL, 1, 700))
    send(engine, commands.MarketEndDay("2026-12-01"))
    again = Engine.restore(engine.snapshot())
    assert again.snapshot() == engine.snapshot()
    for one in (engine, again):
        found = send(one, order("o", BUY, 1, 600))
        assert refusals(found) == [("CLAIM", OWES.replace("70.00", "70.05"))]
        assert changes(send(one, claim(0))) == [("a", "payment_claim:1", 7_000, 0, 5, None)]
    assert again.digest() == engine.digest()


@pytest.mark.parametrize(
    "others", [(), (MarketPermitOpening("", by="x"),)], ids=["alone", "in a day that is permitted"]
)
def test_a_claim_that_is_over_leaves_no_trace(others: tuple[AnyCommand, ...]) -> None:
    engine, without = market(), market()
    send(engine, *others, claim(), claim(0))
    send(without, *others, commands.ClockTick())
    without.state.sequence = engine.sequence
    assert engine.snapshot() == without.snapshot()


def test_limits_go_on_beside_a_claim() -> None:
    engine = owing()
    limit(engine, max_order_quantity=GRAM)
    assert refusals(send(engine, order("o1", BUY, 2, 600)))[0][0] == "CLAIM", "a claim comes first"
    assert refusals(send(engine, order("o2", SELL, 2, 600)))[0][0] == "MEMBER_LIMIT"


def test_what_owes_is_not_retired() -> None:
    engine = Engine()
    send(engine, commands.AccountOpen("a", "MA"), claim())
    assert refusals(send(engine, commands.AccountRetire("a"))) == [
        ("BAD_VALUE", "it owes 70.00 CNY; it must owe nothing")
    ]
    send(engine, claim(0))
    assert refusals(send(engine, commands.AccountRetire("a"))) == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (claim(account="nobody"), ("UNKNOWN_ACCOUNT", None)),
        (claim(-1), ("BAD_VALUE", "amount: from 0 to 1000000000000000.00 CNY")),
        (claim(10**17 + 1), ("BAD_VALUE", "amount: from 0 to 1000000000000000.00 CNY")),
        (claim(reference=""), ("BAD_VALUE", "reference: given")),
    ],
    ids=["account", "below zero", "too much", "reference"],
)
def test_what_is_wrong_changes_nothing(command: AccountClaim, expected: tuple[str, str | None]) -> None:
    engine = market()
    assert refusals(send(engine, command)) == [expected]
    assert engine.state.accounts["a"].claims == {}
