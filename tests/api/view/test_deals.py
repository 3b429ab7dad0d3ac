"""Negotiated deals through the WebSocket and in the view: seen by the two parties at once, by the public when due."""

import time
from typing import Any

import msgspec
import pytest

from goldx.client.errors import ExchangeError
from goldx.client.local_book import LocalBook
from goldx.protocol import terms
from goldx.protocol.deal_events import DealAccepted, DealProposed, TradePublished
from goldx.protocol.events import DayEnded, Trade, TradeBusted
from tests.api.conftest import Desk
from tests.api.view.forms import newest_trades
from tests.api.view.test_market_data import Market, rest_and_trade, subscribed
from tests.api.view.test_snapshot import copy_of

HOUR_MS = 3_600_000


def later() -> int:
    return int(time.time() * 1_000) + HOUR_MS


async def first_of(messages: Any, *wanted: str) -> list[dict[str, Any]]:
    """Return the first messages with these events, in this order."""
    found: list[dict[str, Any]] = []
    async for message in messages:
        if message["data"].get("event", "trade") == wanted[len(found)]:
            found.append(message["data"])
            if len(found) == len(wanted):
                break
    await messages.aclose()
    return found


async def test_a_deal_is_proposed_accepted_and_seen_by_its_parties(desk: Desk) -> None:
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        expire_at = later()
        made = await seller.propose_deal(desk.a, desk.b, desk.symbol, "sell", "30", "600.00", expire_at, "deal-1")
        number = made["deal"]["deal_id"]
        assert made["deal"]["status"] == "open"
        assert made["deal"]["client_deal_id"] == "deal-1"
        assert (made["deal"]["amount"], made["deal"]["expire_at"]) == ("18000.00", expire_at)
        assert (await seller.holdings(desk.a))[desk.symbol]["reserved"] == "30"
        (seen,) = await buyer.deals(desk.b)
        assert seen["deal_id"] == number
        assert "client_deal_id" not in seen, "a client id is its owner's own"

        accepted = await buyer.accept_deal(desk.b, number)
        trade = accepted["trade"]
        assert accepted["deal"]["status"] == "accepted"
        assert (trade["kind"], trade["liquidity"], trade["order_id"], trade["side"]) == ("deal", "deal", 0, "buy")
        assert (trade["price"], trade["quantity"], trade["amount"]) == ("600.00", "30", "18000.00")
        assert await buyer.deals(desk.b) == await seller.deals(desk.a) == []
        messages = seller.subscribe(f"account.{desk.a}", from_sequence=0)
        proposed, done, own = await first_of(messages, "deal.proposed", "deal.accepted", "trade")
        assert (proposed["deal_id"], proposed["client_deal_id"]) == (number, "deal-1")
        assert (done["trade_id"], own["trade_id"]) == (trade["trade_id"], trade["trade_id"])
        assert (own["side"], own["kind"]) == ("sell", "deal")
        theirs = await first_of(buyer.subscribe(f"account.{desk.b}", from_sequence=0), "deal.proposed", "deal.accepted")
        assert all("client_deal_id" not in one for one in theirs)

        (public,) = (await buyer.call("market.trades", symbol=desk.symbol))["trades"]
        assert (public["trade_id"], public["kind"], public["taker_side"]) == (trade["trade_id"], "deal", None)
        assert "account" not in str(public)
        status = await buyer.call("market.status", symbol=desk.symbol)
        assert status["last_price"] is None, "a deal is not the last price"
        assert status["direct_volumes"] == {"deal": {"trades": 1, "quantity": "30"}}
        assert (await buyer.call("market.candles", symbol=desk.symbol, interval="1d"))["candles"] == []


async def test_deals_are_declined_taken_back_and_refused(desk: Desk) -> None:
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        deal = (desk.a, desk.b, desk.symbol, "sell", "30", "600.00", later())
        first = await seller.propose_deal(*deal, "d1")
        declined = await buyer.decline_deal(desk.b, first["deal"]["deal_id"])
        assert (declined["deal"]["status"], declined["deal"]["reason"]) == ("ended", "DECLINED")
        second = await seller.propose_deal(*deal, "d2")
        cancelled = await seller.cancel_deal(desk.a, second["deal"]["deal_id"])
        assert cancelled["deal"]["reason"] == "USER"
        assert (await seller.holdings(desk.a))[desk.symbol]["reserved"] == "0"
        with pytest.raises(ExchangeError) as refused:
            await seller.propose_deal(*deal, "d2")
        assert refused.value.reason == "DUPLICATE_ID"
        assert refused.value.data["deal"] == cancelled["deal"]
        with pytest.raises(ExchangeError) as refused:
            await buyer.accept_deal(desk.b, second["deal"]["deal_id"])
        assert (refused.value.reason, refused.value.data["field"]) == ("UNKNOWN_DEAL", "deal_id")
        with pytest.raises(ExchangeError) as refused:
            await seller.propose_deal(desk.a, "NOBODY", *deal[2:])
        assert (refused.value.reason, refused.value.data["field"]) == ("UNKNOWN_ACCOUNT", "counter_account")
        with pytest.raises(ExchangeError) as refused:
            await seller.propose_deal(*deal, agreed_at=deal[-1] - 2 * HOUR_MS)
        assert (refused.value.reason, refused.value.data["field"]) == ("TOO_LATE", "agreed_at")
        with pytest.raises(ExchangeError) as refused:
            await seller.propose_deal(*deal, agreed_at=deal[-1] + 2 * HOUR_MS)
        assert (refused.value.reason, refused.value.data["field"]) == ("BAD_VALUE", "agreed_at")
        assert refused.value.data["allowed"] == "a time that has passed"
        with pytest.raises(ExchangeError, match="UNKNOWN_ACCOUNT"):
            await buyer.accept_deal(desk.a, 1)
        await seller.propose_deal(*deal, "ends")
        kept = await seller.propose_deal(*deal, "stays", persist=True)
    async with desk.services.member(desk.server, "FIRM-B") as buyer:
        messages = buyer.subscribe(f"account.{desk.b}", from_sequence=0)
        ends = await first_of(messages, *["deal.ended"] * 3)
        assert ends[-1]["reason"] == "DISCONNECT", "the end of its session ends a proposal"
        (left,) = await buyer.deals(desk.b)
        assert left["deal_id"] == kept["deal"]["deal_id"]


def trade(market: Market, trade_id: int = 1) -> Trade:
    """Return the trade of a deal of 3 g at 600.00 in which A.H buys from B.H."""
    numbers = (trade_id, "AU", 60_000, 3_000, 180_000, 0, 0, "A.H", "B.H", None, 0, 0, 30, 20, terms.DEAL_TRADE)
    return Trade(market.next(), market.at, *numbers)


def publication(market: Market, trade_id: int = 1) -> TradePublished:
    numbers = (trade_id, "AU", 60_000, 3_000, 180_000, 1_000, terms.DEAL_TRADE)
    return TradePublished(market.next(), market.at, *numbers)


def annulment(market: Market, trade_id: int) -> TradeBusted:
    numbers = (trade_id, "AU", 60_000, 3_000, 180_000, 0, 0, "A.H", "B.H", None, 30, 20, 1_000)
    return TradeBusted(market.next(), market.at, *numbers, "ada", "ben", "a wrong price")


def test_the_public_sees_a_deal_when_it_is_published_and_the_parties_at_once() -> None:
    market = Market()
    data = market.view.markets["AU"]
    public, own = subscribed(market, "trades.AU"), subscribed(market, "account.B.H")
    market.apply(trade(market))
    assert (public, newest_trades(data), data.direct.write_volumes()) == ([], [], {})
    (seen,) = [message["data"] for message in own]
    assert (seen["side"], seen["fee"], seen["kind"], seen["order_id"]) == ("sell", "0.20", "deal", 0)
    market.view = copy_of(market.view)
    data = market.view.markets["AU"]
    public = subscribed(market, "trades.AU")
    market.at = 5_000
    market.apply(publication(market))
    (message,) = public
    assert message["at"] == 5_000
    assert message["data"] == {
        "trade_id": 1,
        "at": 1_000,
        "price": "600.00",
        "quantity": "3",
        "amount": "1800.00",
        "taker_side": None,
        "kind": "deal",
    }
    assert newest_trades(data) == [message["data"]]
    assert (data.last, [len(candles.kept) for candles in data.candles.values()]) == (None, [0] * 5)
    assert data.direct.write_volumes() == {"deal": {"trades": 1, "quantity": "3"}}


def test_the_parties_see_the_lots_of_a_deal_and_nothing_of_how_settlement_keeps_them() -> None:
    market = Market()
    both = subscribed(market, "account.A.H"), subscribed(market, "account.B.H")
    terms_of_deal = (1, "A.H", "d1", "B.H", "AU", terms.SELL, 3_000, 60_000, 5_000)
    proposed = DealProposed(market.next(), market.at, *terms_of_deal, lots=(17, 4), lot_reservation=9)
    market.apply(proposed)
    market.apply(DealAccepted(market.next(), market.at, 1, "A.H", "d1", "B.H", "AU", 1, lot_reservation=10))
    for own in both:
        events = [message["data"] for message in own]
        assert [event["event"] for event in events] == ["deal.proposed", "deal.accepted"]
        assert events[0]["lots"] == [17, 4]
        assert not any("lot_reservation" in event for event in events)
    assert [own[0]["data"].get("client_deal_id") for own in both] == ["d1", None]


def test_an_annulled_deal_is_marked_if_it_was_public_and_else_never_seen() -> None:
    market = Market()
    data = market.view.markets["AU"]
    rest_and_trade(market)
    public = subscribed(market, "trades.AU")
    market.apply(trade(market, 2), publication(market, 2))
    market.apply(trade(market, 3))
    market.apply(annulment(market, 3))
    market.apply(annulment(market, 2))
    assert [(message["data"]["trade_id"], message["data"].get("busted")) for message in public] == [
        (2, None),
        (2, True),
    ]
    assert data.direct.write_volumes() == {"deal": {"trades": 0, "quantity": "0"}}
    assert [candle.trades for candle in data.candles["1d"].kept] == [1], "the trade of the book stands"
    assert data.last == 60_000
    assert [row.get("busted") for row in newest_trades(data)] == [True, None]


def test_a_local_book_shows_a_deal_and_keeps_the_last_price_of_the_book() -> None:
    market = Market()
    book = LocalBook(market.view.markets["AU"].instrument())
    public = subscribed(market, "trades.AU")
    market.apply(trade(market, 1))
    market.apply(market.place(1, "B.H", terms.SELL, 60_000, 30_000))
    taken = market.place(2, "A.H", terms.BUY, 60_000, 10_000)
    market.apply(taken, market.trade(1, 2, 10_000, 20_000, 0, 2))
    late = msgspec.structs.replace(publication(market, 1), price=61_000)
    market.apply(late)
    for message in public * 2:
        book.apply(message)
    assert [(one.trade_id, one.kind, one.price) for one in book.tape] == [(1, "deal", 61_000), (2, "book", 60_000)]
    assert book.last == 60_000


def test_the_terms_of_a_deal_are_known_for_two_days() -> None:
    market = Market()
    market.apply(trade(market), publication(market))
    for day, known in (("2026-11-25", True), ("2026-11-26", False)):
        market.apply(DayEnded(market.next(), market.at, day))
        assert (market.view.fills.get(1) is not None) is known
