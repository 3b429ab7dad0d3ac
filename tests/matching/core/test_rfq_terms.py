"""Requests for quotes: how they end, what is refused, and that their trades are trades like others."""

from typing import Any

import msgspec
import pytest

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import AnyCommand, HoldingAdjust, OrderPlace, TradeBust
from goldx.protocol.deal_events import TradePublished
from goldx.protocol.events import Trade
from goldx.protocol.rfq_commands import RfqAccept, RfqCancel, RfqQuote, RfqWithdraw
from goldx.protocol.rfq_events import RfqGraceEnded, RfqQuoted, RfqQuoteDone
from goldx.protocol.tags import tag_of
from matching.core.engine import Engine
from tests.matching.core.driving import apply, command_tuple
from tests.matching.core.rfq_market import (
    BUY,
    CASH,
    END,
    GRACE,
    NOON,
    PRICE,
    SEEN,
    SELL,
    ask,
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
from tests.matching.core.trade_terms import terms_of
from tests.matching.core.validator import validate

# Ends of requests

ENDS: list[tuple[list[AnyCommand], str, str]] = [
    ([RfqCancel("ann", 1)], "USER", "DECLINED"),
    ([commands.MemberKill("M-ann")], "KILL", "KILL"),
    ([commands.MemberHalt("M-ann")], "HALT", "HALT"),
    ([commands.SessionClose("M-ann", "k/s")], "DISCONNECT", "DISCONNECT"),
    ([commands.SessionClose("M-ann", "k/*")], "DISCONNECT", "DISCONNECT"),
    ([commands.MarketEndDay("2026-01-02")], "EXPIRED", "EXPIRED"),
    ([commands.MarketCancelOrders("AU", "a new tick")], "VENUE", "VENUE"),
    ([commands.MarketCancelOrders("AU", "suspended", "ann")], "VENUE", "VENUE"),
]


@pytest.mark.parametrize(
    ("acts", "of_request", "of_quotes"), ENDS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_end_of_a_request_ends_its_quotes(acts: list[AnyCommand], of_request: str, of_quotes: str) -> None:
    for side in (BUY, SELL):
        engine = asked(side, bid("bob", 600), bid("cid", 600, 5), session="k/s")
        found = [event for act in acts for event in apply(engine, NOON, act)]
        assert ended(found) == {"ann": of_request, "bob": of_quotes, "cid": of_quotes}
        assert not reserved(engine)
        assert not engine.state.requests
        assert apply(engine, END, commands.ClockTick()) == []
        validate(engine)


def test_a_request_expires_by_the_time_of_the_journal_before_the_command() -> None:
    engine = Engine.restore(asked(BUY, bid("bob", 600)).snapshot())
    opened, *expired, refused = apply(engine, END, take())[:-1]
    assert isinstance(opened, RfqGraceEnded)
    assert ended(expired) == {"ann": "EXPIRED", "bob": "EXPIRED"}
    assert reason([refused]) == "UNKNOWN_RFQ"
    assert fills(apply(asked(BUY, bid("bob", 600)), END - 1, take()))


def test_a_request_that_persists_outlives_its_session_and_not_its_key() -> None:
    engine = asked(BUY, persist=True, session="+k/s")
    assert not ended(apply(engine, NOON, commands.SessionClose("M-ann", "k/s")))
    assert not ended(apply(engine, NOON, commands.SessionClose("M-bob", "k/*")))
    assert ended(apply(engine, NOON, commands.SessionClose("M-ann", "k/*"))) == {"ann": "DISCONNECT"}


def test_retirement_of_the_account_or_the_instrument_ends_requests() -> None:
    engine = market()
    apply(engine, 1, commands.AccountOpen("new", "M-new"))
    asked(BUY, engine=engine, account="new")
    assert ended(apply(engine, NOON, commands.AccountRetire("new"))) == {"new": "VENUE"}
    apply(engine, NOON, commands.InstrumentDefine("AG"))
    apply(engine, NOON, ask(SELL, symbol="AG"))
    apply(engine, NOON, RfqQuote("bob", 2, PRICE, LOT))
    assert ended(apply(engine, NOON, commands.InstrumentRetire("AG"))) == {"ann": "VENUE", "bob": "VENUE"}
    assert not reserved(engine)
    assert reason(apply(engine, NOON, ask(symbol="AG", client_rfq_id="r2"))) == "RETIRED"


def test_an_instrument_with_open_requests_keeps_its_terms() -> None:
    engine = market()
    apply(engine, 1, commands.MarketSetPhase("AU", terms.CLOSED))
    asked(engine=engine)
    (refused,) = apply(engine, NOON, commands.InstrumentDefine("AU", taker_fee_bp=9))
    assert reason([refused]) == "PHASE"
    apply(engine, NOON, RfqCancel("ann", 1))
    assert not reason(apply(engine, NOON, commands.InstrumentDefine("AU")))


# What is refused


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"symbol": "ZZ"}, "UNKNOWN_SYMBOL"),
        ({"account": "nobody"}, "UNKNOWN_ACCOUNT"),
        ({"members": ("M-bob", "M-none")}, "UNKNOWN_MEMBER"),
        ({"members": ("M-bob", "M-cid")}, ""),
        ({"side": 2}, "BAD_VALUE"),
        ({"grace_ms": 999}, "BAD_VALUE"),
        ({"grace_ms": 60_001, "expire_at": NOON + 70_000}, "BAD_VALUE"),
        ({"grace_ms": 60_000, "expire_at": NOON + 60_001}, ""),
        ({"expire_at": SEEN}, "TOO_LATE"),
        ({"expire_at": SEEN + 1}, ""),
        ({"grams": 51}, "BAD_QUANTITY"),
        ({"quantity": 1}, "BAD_QUANTITY"),
    ],
)
def test_a_request_is_refused_for_its_terms(changed: dict[str, Any], expected: str) -> None:
    engine = market(max_quantity=50 * LOT)
    found = apply(engine, NOON, ask(**changed))
    assert reason(found) == expected
    assert len(engine.state.requests) == (not expected)
    validate(engine)


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        (RfqQuote("nobody", 1, PRICE, LOT), "UNKNOWN_ACCOUNT"),
        (RfqQuote("bob", 2, PRICE, LOT), "UNKNOWN_RFQ"),
        (bid("dan", 600), "UNKNOWN_RFQ"),
        (bid("ann", 600), "SELF_TRADE"),
        (bid("anns", 600), "SELF_TRADE"),
        (bid("other", 600), "INSUFFICIENT_GOLD"),
        (bid("bob", 540), ""),
        (bid("bob", 539), "PRICE_LIMIT"),
        (bid("bob", 660), ""),
        (bid("bob", 661), "PRICE_LIMIT"),
        (RfqQuote("bob", 1, PRICE, 1), "BAD_QUANTITY"),
        (bid("bob", 600, 11), "BAD_QUANTITY"),
        (bid("bob", 600, 9, whole=True), "BAD_QUANTITY"),
        (bid("bob", 600, 1), ""),
    ],
)
def test_a_quote_is_refused_for_its_terms(quote: RfqQuote, expected: str) -> None:
    engine = market(reference_price=PRICE, price_limit_percent=10)
    apply(engine, 1, commands.AccountOpen("anns", "M-bob", owner="ann"))
    apply(engine, 1, commands.AccountOpen("other", "M-ann"))
    asked(BUY, engine=engine, members=("M-ann", "M-bob", "M-cid"))
    assert reason(apply(engine, NOON, quote)) == expected
    assert bool(reserved(engine)) == (not expected)
    validate(engine)


def test_nothing_is_asked_quoted_or_accepted_while_trading_is_halted() -> None:
    engine = asked(BUY, bid("bob", 600))
    apply(engine, SEEN, commands.MarketSetPhase("AU", terms.HALTED))
    for command in (ask(client_rfq_id="r2"), bid("cid", 600), take()):
        assert reason(apply(engine, SEEN, command)) == "HALTED"
    apply(engine, SEEN, commands.MarketSetPhase("AU", terms.CLOSED))
    assert fills(apply(engine, SEEN, take()))


def test_an_acceptance_is_refused_for_its_terms_and_for_who_sends_it() -> None:
    engine = asked(BUY, bid("bob", 600), engine=market(reference_price=PRICE, price_limit_percent=20))
    for command, expected in (
        (RfqAccept("bob", 1, PRICE), "UNKNOWN_RFQ"),
        (RfqAccept("nobody", 1, PRICE), "UNKNOWN_ACCOUNT"),
        (RfqAccept("ann", 2, PRICE), "UNKNOWN_RFQ"),
        (RfqCancel("bob", 1), "UNKNOWN_RFQ"),
        (RfqWithdraw("ann", 1), "UNKNOWN_RFQ"),
        (RfqWithdraw("cid", 1), "UNKNOWN_RFQ"),
        (RfqWithdraw("nobody", 1), "UNKNOWN_ACCOUNT"),
        (take(721), "PRICE_LIMIT"),
        (take(700, 11), "BAD_QUANTITY"),
        (RfqAccept("ann", 1, PRICE, LOT + 1), "BAD_QUANTITY"),
    ):
        assert reason(apply(engine, SEEN, command)) == expected, command
    assert fills(apply(engine, SEEN, take(720)))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_requester_without_means_is_refused_and_everything_stands(side: int) -> None:
    quotes = [bid("bob", 600, 3), bid("cid", 600, 7)]
    engine = asked(side, *quotes, engine=market(taker_fee_bp=5))
    needed = 600_000 + 90 + 210 if side == BUY else 10 * LOT
    asset, expected = ("CNY", "INSUFFICIENT_CASH") if side == BUY else ("AU", "INSUFFICIENT_GOLD")
    apply(engine, SEEN, HoldingAdjust("ann", asset, needed - 1 - CASH, "out"))
    held = (reserved(engine), totals(engine))
    assert reason(apply(engine, SEEN, take(600))) == expected
    assert (reserved(engine), totals(engine)) == held
    apply(engine, SEEN, HoldingAdjust("ann", asset, 1, "in"))
    assert fills(apply(engine, SEEN, take(600)))
    validate(engine)


def test_quotes_beyond_the_limits_of_now_take_no_part() -> None:
    engine = asked(BUY, bid("bob", 560), bid("cid", 600), engine=market(reference_price=PRICE, price_limit_percent=10))
    apply(engine, SEEN, commands.MarketSetReference("AU", 65_000))
    found = apply(engine, SEEN, take())
    assert fills(found) == [("cid", 600, 10)]
    assert [event.covering_price for event in found if isinstance(event, RfqQuoteDone)] == [None]
    assert ended(found) == {"bob": "TRADED_AWAY"}


def test_a_member_has_so_many_open_requests_and_quotes_at_most() -> None:
    engine = market()
    for number in range(terms.MAX_OPEN_REQUESTS):
        assert not reason(apply(engine, NOON, ask(client_rfq_id=f"r{number}")))
    apply(engine, 1, commands.AccountOpen("anns", "M-ann"))
    assert reason(apply(engine, NOON, ask(account="anns", client_rfq_id="s"))) == "TOO_MANY_OPEN"
    assert not reason(apply(engine, NOON, ask(account="bob", client_rfq_id="s")))
    apply(engine, NOON, RfqCancel("ann", 1))
    assert not reason(apply(engine, NOON, ask(account="anns", client_rfq_id="s")))
    validate(engine)


def test_a_member_has_so_many_open_quotes_at_most() -> None:
    engine = market()
    each = terms.MAX_OPEN_REQUESTS
    askers = [f"a{number}" for number in range(terms.MAX_OPEN_RFQ_QUOTES // each + 1)]
    for asker in askers:
        apply(engine, NOON, commands.AccountOpen(asker, f"M-{asker}"))
        for number in range(each):
            apply(engine, NOON, ask(account=asker, client_rfq_id=f"r{number}"))
    for number in range(terms.MAX_OPEN_RFQ_QUOTES):
        assert not reason(apply(engine, NOON, RfqQuote("bob", number + 1, PRICE, LOT)))
    beyond = RfqQuote("bob", terms.MAX_OPEN_RFQ_QUOTES + 1, PRICE, LOT)
    assert reason(apply(engine, NOON, beyond)) == "TOO_MANY_OPEN"
    assert not reason(apply(engine, NOON, RfqQuote("bob", 1, PRICE, LOT))), "it replaces one"
    engine = Engine.restore(engine.snapshot())
    assert reason(apply(engine, NOON, beyond)) == "TOO_MANY_OPEN"
    apply(engine, NOON, RfqCancel(askers[0], 1))
    assert not reason(apply(engine, NOON, beyond))
    validate(engine)


def test_a_client_id_is_used_once_until_the_day_after_has_ended() -> None:
    engine = asked()
    apply(engine, NOON, RfqCancel("ann", 1))
    for day, expected in ((None, "DUPLICATE_ID"), ("2026-01-02", "DUPLICATE_ID"), ("2026-01-03", "")):
        if day is not None:
            apply(engine, NOON, commands.MarketEndDay(day))
            engine = Engine.restore(engine.snapshot())
        assert reason(apply(engine, NOON, ask())) == expected


# What a trade of a request is


def test_gold_is_locked_proceeds_are_held_back_and_publication_waits_as_after_a_deal() -> None:
    engine = asked(
        SELL, bid("bob", 600), engine=market(resale_lock_days=1, same_day_reuse_percent=90, deal_delay_ms=300)
    )
    found = apply(engine, SEEN, take(600))
    assert not [event for event in found if isinstance(event, TradePublished)]
    assert engine.state.accounts["bob"].balances["AU"].locked == 10 * LOT
    assert engine.state.accounts["ann"].cash.unwithdrawable == 60_000
    (published,) = apply(Engine.restore(engine.snapshot()), SEEN + 300, commands.ClockTick())
    assert isinstance(published, TradePublished)
    assert (published.kind, published.traded_at) == (terms.RFQ_TRADE, SEEN)
    apply(engine, SEEN, HoldingAdjust("bob", "AU", -CASH, "out"))
    apply(engine, SEEN, ask(BUY, client_rfq_id="r2", expire_at=END + GRACE))
    assert reason(apply(engine, SEEN, RfqQuote("bob", 2, PRICE, LOT))) == "RESALE_LOCKED"


def test_a_trade_of_a_request_is_annulled_as_one_of_the_book_is() -> None:
    engine = asked(BUY, bid("bob", 600), engine=market(taker_fee_bp=5))
    before = totals(engine)
    trade = next(event for event in apply(engine, SEEN, take()) if isinstance(event, Trade))
    for by in ("ada", "ben"):
        busted, *_ = apply(engine, SEEN, TradeBust(1, "a wrong price", by, terms_of(trade, "")))
    assert isinstance(busted, events.TradeBusted)
    assert (totals(engine), engine.state.fees_collected) == (before, 0)


def test_a_request_leaves_the_book_and_its_stops_alone() -> None:
    engine = asked(BUY, bid("bob", 600))
    stop = OrderPlace("bob", "s", "AU", SELL, terms.LIMIT, LOT, 1, stop_price=PRICE)
    apply(engine, NOON, stop)
    found = apply(engine, SEEN, take())
    assert not [event for event in found if isinstance(event, events.OrderTriggered)]
    assert len(engine.state.orders) == 1


def test_a_journal_without_requests_has_the_snapshot_that_it_always_had() -> None:
    engine = market()
    assert len(msgspec.msgpack.decode(engine.snapshot())) == 13
    asked(engine=engine)
    assert len(msgspec.msgpack.decode(engine.snapshot())) > 13


def test_fields_with_a_default_may_be_missing_in_the_journal() -> None:
    engine = asked()
    found = engine.apply(NOON, command_tuple(bid("bob", 600))[:5])
    assert found[0][0] == tag_of(RfqQuoted)
    validate(engine)
