"""Requests for quotes through the WebSocket and in the view: who sees what of them, and when."""

from typing import Any

import msgspec
import pytest

from api.sessions.rfq import rfq_result
from api.view.request_forms import write_own_request
from api.view.requests import Requests
from goldx.client.errors import ExchangeError
from goldx.protocol import terms
from goldx.protocol.events import AccountOpened, DayEnded, Trade
from goldx.protocol.rfq_commands import RfqAccept
from goldx.protocol.rfq_events import (
    RfqAccepted,
    RfqCreated,
    RfqEnded,
    RfqGraceEnded,
    RfqQuoted,
    RfqQuoteDone,
    RfqQuoteEnded,
    ShownQuote,
)
from tests.api.conftest import Desk
from tests.api.view.test_deals import HOUR_MS, first_of, later
from tests.api.view.test_market_data import Market, subscribed
from tests.api.view.test_snapshot import copy_of

GRACE_MS = terms.SHORTEST_RFQ_GRACE_MS


async def second_account(desk: Desk) -> str:
    """Return another account of FIRM-B, of another owner, with money."""
    name = f"{desk.b}.2"
    await desk.services.operate(desk.server, "account.open", account=name, member="FIRM-B")
    await desk.services.fund(desk.server, **{name: {"CNY": 10_000_000}})
    return name


def test_a_member_that_is_named_twice_gets_each_message_once() -> None:
    requests = Requests(lambda: 1)
    requests.add_member("m2", lambda _: None)
    handlers = requests.handlers()
    created = RfqCreated(1, 1, 1, "A", "ask-1", "AU", terms.BUY, 1_000, 2, 3, ("m2", "m2"))
    handlers[RfqCreated](created)
    handlers[RfqEnded](RfqEnded(2, 1, 1, "A", "ask-1", "AU", "USER"))
    assert requests.channels["m2"].sequence == 2


async def test_a_request_is_quoted_and_accepted_and_each_side_sees_its_own(desk: Desk) -> None:
    other = await second_account(desk)
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        expire_at = later()
        asked = (desk.a, desk.symbol, "sell", "30", expire_at, "ask-1")
        made = (await seller.create_rfq(*asked, members=["FIRM-B"], grace_ms=GRACE_MS))["request"]
        number = made["rfq_id"]
        assert (made["status"], made["client_rfq_id"], made["members"]) == ("open", "ask-1", ["FIRM-B"])
        assert (made["quotes"], made["expire_at"], made["grace_until"]) == ([], expire_at, made["at"] + GRACE_MS)
        assert (await seller.holdings(desk.a))[desk.symbol]["reserved"] == "0", "a request reserves nothing"
        (seen,) = (await buyer.rfqs(desk.b))["to_quote"]
        assert (seen["rfq_id"], seen["account"], seen["side"], seen["quantity"]) == (number, desk.a, "sell", "30")
        assert not {"client_rfq_id", "members", "quotes"} & set(seen)

        quote = await buyer.quote_rfq(desk.b, number, "600.00", "20")
        assert (quote["status"], quote["side"], quote["amount"]) == ("open", "buy", "12000.00")
        assert quote["firm_until"] == made["grace_until"] + terms.RFQ_FIRM_MS
        assert (await buyer.holdings(desk.b))["CNY"]["reserved"] == "12000.00"
        await buyer.quote_rfq(other, number, "599.00", "20")
        (mine,) = (await buyer.rfqs(desk.b))["to_quote"]
        assert mine["quote"] == quote

        (opened,) = await first_of(seller.subscribe(f"account.{desk.a}", from_sequence=0), "rfq.grace_ended")
        assert [(one["account"], one["price"], one["quantity"]) for one in opened["quotes"]] == [
            (desk.b, "600.00", "20"),
            (other, "599.00", "20"),
        ]
        (own,) = (await seller.rfqs(desk.a))["requests"]
        assert [(one["account"], one["price"]) for one in own["quotes"]] == [(desk.b, "600.00"), (other, "599.00")]
        with pytest.raises(ExchangeError, match="CANNOT_FILL"):
            await seller.accept_rfq(desk.a, number, "599.50")
        accepted = await seller.accept_rfq(desk.a, number, "590.00", "25")
        done = accepted["request"]
        assert (done["status"], done["price"], done["accepted_quantity"]) == ("accepted", "599.00", "25")
        assert [(t["kind"], t["liquidity"], t["quantity"], t["side"]) for t in accepted["trades"]] == [
            ("rfq", "rfq", "20", "sell"),
            ("rfq", "rfq", "5", "sell"),
        ]
        assert done["trade_ids"] == [trade["trade_id"] for trade in accepted["trades"]]
        assert (await seller.rfqs(desk.a))["requests"] == []

        messages = buyer.subscribe(f"account.{desk.b}", from_sequence=0)
        quoted, won, trade = await first_of(messages, "rfq.quoted", "rfq.quote_done", "trade")
        assert (quoted["rfq_quote_id"], won["rfq_quote_id"]) == (quote["rfq_quote_id"],) * 2
        assert (won["price"], won["quantity"], won["trade_id"]) == ("599.00", "20", trade["trade_id"])
        assert "hidden" not in quoted
        public = (await buyer.call("market.trades", symbol=desk.symbol))["trades"]
        assert [(one["kind"], one["quantity"]) for one in public] == [("rfq", "5"), ("rfq", "20")]
        status = await buyer.call("market.status", symbol=desk.symbol)
        assert status["direct_volumes"] == {"rfq": {"trades": 2, "quantity": "25"}}


async def test_a_member_hears_of_requests_to_it_on_its_channel_and_of_no_other_member_s(desk: Desk) -> None:
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        messages = buyer.subscribe("rfq.FIRM-B")
        first = await anext(messages)
        assert first["type"] == "snapshot"
        made = await seller.create_rfq(desk.a, desk.symbol, "sell", "30", later())
        number = made["request"]["rfq_id"]

        async def about(event: str) -> dict[str, Any]:
            async for message in messages:
                data: dict[str, Any] = message["data"]
                if (data["event"], data["rfq_id"]) == (event, number):
                    return data
            raise AssertionError("the messages end")

        created = await about("rfq.created")
        assert (created["account"], created["symbol"], created["quantity"]) == (desk.a, desk.symbol, "30")
        assert "client_rfq_id" not in created
        ended = await seller.cancel_rfq(desk.a, number)
        assert (ended["request"]["status"], ended["request"]["reason"]) == ("ended", "USER")
        assert await about("rfq.closed") == {"event": "rfq.closed", "rfq_id": number, "symbol": desk.symbol}
        await messages.aclose()
        with pytest.raises(ExchangeError) as refused:
            await buyer.call("channel.subscribe", channels=["rfq.FIRM-A"])
        assert refused.value.data["allowed"] == "the channel of the key's own member"


async def test_requests_and_quotes_are_refused_with_the_field_that_is_wrong(desk: Desk) -> None:
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        asked = (desk.a, desk.symbol, "sell", "30")
        made = (await seller.create_rfq(*asked, later(), "r1"))["request"]
        number = made["rfq_id"]
        for call, reason, field in (
            (seller.create_rfq(*asked, later() - 2 * HOUR_MS), "TOO_LATE", "expire_at"),
            (seller.create_rfq(*asked, later(), members=["NO-FIRM"]), "UNKNOWN_MEMBER", "members"),
            (seller.create_rfq(*asked[:3], "0.5", later()), "BAD_QUANTITY", "quantity"),
            (seller.accept_rfq(desk.a, number + 1_000, "600.00"), "UNKNOWN_RFQ", "rfq_id"),
            (buyer.cancel_rfq(desk.b, number), "UNKNOWN_RFQ", "rfq_id"),
            (seller.quote_rfq(desk.a, number, "600.00", "30"), "SELF_TRADE", "rfq_id"),
            (buyer.quote_rfq(desk.b, number, "600.00", "31"), "BAD_QUANTITY", "quantity"),
            (buyer.quote_rfq(desk.b, number, "600.00", "29", all_or_none=True), "BAD_QUANTITY", "quantity"),
        ):
            with pytest.raises(ExchangeError) as refused:
                await call
            assert (refused.value.reason, refused.value.data["field"]) == (reason, field)
            assert refused.value.data["allowed"]
        with pytest.raises(ExchangeError, match=r"members: .* each member once") as refused:
            await seller.create_rfq(*asked, later(), members=["FIRM-B", "FIRM-B"])
        assert refused.value.data["field"] == "members"
        with pytest.raises(ExchangeError, match="grace_ms"):
            await seller.create_rfq(*asked, later(), grace_ms=GRACE_MS - 1)
        with pytest.raises(ExchangeError) as refused:
            await seller.create_rfq(*asked, later(), "r1")
        assert refused.value.reason == "DUPLICATE_ID"
        assert refused.value.data["request"]["rfq_id"] == number
        slow = (await seller.create_rfq(*asked, later(), grace_ms=60_000))["request"]["rfq_id"]
        await buyer.quote_rfq(desk.b, slow, "600.00", "30", all_or_none=True)
        with pytest.raises(ExchangeError, match="TOO_EARLY"):
            await seller.accept_rfq(desk.a, slow, "1.00")
        with pytest.raises(ExchangeError, match="the quote is firm until"):
            await buyer.withdraw_rfq(desk.b, slow)
        kept = (await seller.create_rfq(*asked, later(), "stays", persist=True))["request"]["rfq_id"]
    async with desk.services.member(desk.server) as seller:
        messages = seller.subscribe(f"account.{desk.a}", from_sequence=0)
        ends = await first_of(messages, "rfq.ended", "rfq.ended")
        assert [end["reason"] for end in ends] == ["DISCONNECT"] * 2, "the end of its session ends a request"
        assert [one["rfq_id"] for one in (await seller.rfqs(desk.a))["requests"]] == [kept]
        await seller.cancel_rfq(desk.a, kept)  # or the end of its grace would be an event of a later test's command


def names(number: int = 1, quoter: str = "B.H") -> tuple[int, int, str, str, str]:
    """Return the first fields of an event about a quote of A.H's request 1."""
    return 1, number, quoter, "A.H", "AU"


def created(market: Market, *, members: tuple[str, ...] = (), anonymous: bool = False) -> RfqCreated:
    what = (1, "A.H", "r1", "AU", terms.BUY, 9_000, 6_000, 60_000, members, anonymous or None)
    return RfqCreated(market.next(), market.at, *what)


def quoted(market: Market, number: int = 1, quoter: str = "B.H", **more: Any) -> RfqQuoted:
    what = (terms.SELL, 60_000, 9_000, 16_000)
    return RfqQuoted(market.next(), market.at, *names(number, quoter), *what, **more)


def with_third() -> Market:
    market = Market()
    market.apply(AccountOpened(market.next(), market.at, "C.H", "C", 0, "C.H"))
    return market


def data(reader: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message["data"] for message in reader]


def test_a_quoter_sees_its_own_quote_alone_and_the_requester_none_before_the_grace_has_ended() -> None:
    market = with_third()
    a, b, c = (subscribed(market, f"account.{name}.H") for name in "ABC")
    market.apply(created(market))
    market.apply(quoted(market, hidden=True))
    market.apply(quoted(market, 2, "C.H", hidden=True))
    market.apply(RfqQuoteEnded(market.next(), market.at, *names(2, "C.H"), "KILL", hidden=True))
    assert [one["event"] for one in data(a)] == ["rfq.created"]
    assert [one["account"] for one in data(b)] == ["B.H"]
    assert [(one["event"], one["account"]) for one in data(c)] == [("rfq.quoted", "C.H"), ("rfq.quote_ended", "C.H")]
    request = market.view.requests.by_id[1]
    assert write_own_request(request).quotes == []
    shown = (ShownQuote(1, "B.H", 60_000, 9_000, 16_000),)
    market.apply(RfqGraceEnded(market.next(), market.at, 1, "A.H", "r1", "AU", shown))
    assert [quote.account for quote in write_own_request(request).quotes or ()] == ["B.H"]
    market.apply(quoted(market, 3, "C.H"))
    market.apply(RfqQuoteEnded(market.next(), market.at, *names(3, "C.H"), "USER"))
    assert [one["event"] for one in data(a)][1:] == ["rfq.grace_ended", "rfq.quoted", "rfq.quote_ended"]
    assert data(a)[1]["quotes"] == [
        {"rfq_quote_id": 1, "account": "B.H", "price": "600.00", "quantity": "9", "firm_until": 16_000}
    ]
    assert len(b) == 1
    assert not [one for one in (*data(a), *data(b), *data(c)) if "hidden" in one]


def test_the_covering_price_is_for_who_was_done_alone() -> None:
    market = with_third()
    a, b, c = (subscribed(market, f"account.{name}.H") for name in "ABC")
    market.apply(created(market))
    market.apply(quoted(market))
    market.apply(quoted(market, 2, "C.H"))
    done = (*names(), 60_000, 9_000, 1)
    market.apply(
        RfqAccepted(market.next(), market.at, 1, "A.H", "r1", "AU", 60_000, 9_000, (1,)),
        RfqQuoteDone(market.next(), market.at, *done, covering_price=60_100),
        RfqQuoteEnded(market.next(), market.at, *names(2, "C.H"), "TRADED_AWAY"),
    )
    assert data(b)[-1]["covering_price"] == "601.00"
    assert [one.get("covering_price") for one in data(a)] == [None] * 6
    assert data(c)[-1] == {
        "sequence": market.sequence,
        "at": 1_000,
        "event": "rfq.quote_ended",
        "rfq_id": 1,
        "rfq_quote_id": 2,
        "account": "C.H",
        "counter_account": "A.H",
        "symbol": "AU",
        "reason": "TRADED_AWAY",
    }


def test_the_requester_is_answered_with_its_own_trades_alone() -> None:
    """The events of a command begin with what was due by its time, such as the trades of an interruption's end."""
    market = with_third()
    market.apply(created(market))
    market.apply(quoted(market))
    market.apply(market.place(1, "B.H", terms.SELL, 60_000, 5_000))
    market.apply(market.place(2, "C.H", terms.BUY, 60_000, 5_000))
    of_others = msgspec.structs.replace(market.trade(1, 2, 5_000, 0, 0), buy_account="C.H")
    accepted = RfqAccepted(market.next(), market.at, 1, "A.H", "r1", "AU", 60_000, 9_000, (2,))
    done = RfqQuoteDone(market.next(), market.at, *names(), 60_000, 9_000, 2)
    numbers = (2, "AU", 60_000, 9_000, 540_000, 0, 0, "A.H", "B.H", None, 0, 0, 0, 0, terms.RFQ_TRADE)
    own = Trade(market.next(), market.at, *numbers)
    outcome = (of_others, accepted, done, own)
    market.apply(*outcome)
    result = rfq_result(RfqAccept("A.H", 1, 60_000), outcome, market.view)
    assert [(trade.trade_id, trade.side) for trade in result["trades"]] == [(2, "buy")]


def test_an_open_quote_is_found_by_its_account_until_it_ends() -> None:
    """So the quotes of a suspended member are ended (``api.sessions.stopped_orders``)."""
    market = with_third()
    market.apply(created(market))
    market.apply(quoted(market))
    requests = market.view.requests
    assert [request.created.rfq_id for request in requests.quoted_by("B.H")] == [1]
    assert [request.created.rfq_id for request in requests.own("A.H")] == [1]
    assert requests.quoted_by("C.H") == requests.own("B.H") == []
    market.apply(RfqQuoteEnded(market.next(), market.at, *names(), "USER"))
    assert requests.quoted_by("B.H") == []


def test_an_anonymous_request_shows_neither_side_the_other_one() -> None:
    market = with_third()
    a, b, channel = (subscribed(market, name) for name in ("account.A.H", "account.B.H", "rfq.B"))
    market.apply(created(market, anonymous=True))
    market.apply(quoted(market, hidden=True, anonymous=True))
    shown = (ShownQuote(1, "B.H", 60_000, 9_000, 16_000),)
    market.apply(RfqGraceEnded(market.next(), market.at, 1, "A.H", "r1", "AU", shown, anonymous=True))
    market.apply(quoted(market, 2, replaces=1, anonymous=True))
    done = (*names(2), 60_000, 9_000, 1)
    market.apply(
        RfqAccepted(market.next(), market.at, 1, "A.H", "r1", "AU", 60_000, 9_000, (1,)),
        RfqQuoteDone(market.next(), market.at, *done, anonymous=True),
        RfqQuoteEnded(market.next(), market.at, *names(2), "TRADED_AWAY", anonymous=True),
    )
    assert "B.H" not in str(data(a))
    assert "A.H" not in str(data(b) + data(channel))
    assert len(a) > 4
    request = market.view.requests.by_id[1]
    assert list(request.quotes) == [2], "a replaced quote is not kept"


def test_only_members_that_are_asked_hear_of_a_request_and_none_how_it_ended() -> None:
    market = with_third()
    market.apply(created(market, members=("B",)))
    market.view = copy_of(market.view)
    b, c = (subscribed(market, f"rfq.{name}") for name in "BC")
    assert market.view.channels["rfq.B"].sequence == 1
    assert [[one["rfq_id"] for one in message["data"]["requests"]] for message in (*b, *c)] == [[1], []]
    market.apply(RfqEnded(market.next(), market.at, 1, "A.H", "r1", "AU", "USER"))
    assert data(b)[-1] == {"event": "rfq.closed", "rfq_id": 1, "symbol": "AU"}
    assert len(c) == 1
    assert market.view.requests.count_open("AU") == 0
    market.apply(DayEnded(market.next(), market.at, "2026-11-25"))
    assert market.view.requests.by_id == {}
