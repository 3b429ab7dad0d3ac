"""Every listing of the member protocol gives each of its rows once and in the same order, page by page."""

import json
import re
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import pytest

from api.edge.outcome import Refusal
from api.edge.params import MAX_ROWS
from api.edge.rpc import Request, encode
from api.sessions.pages import PAGE_PARAMS, answer_page
from api.sessions.queries import ROWS_OF_A_LONG_ENTRY, Queries
from api.sessions.session import ROWS_OF_A_UNIT
from api.view.channels import PART_ROWS
from api.view.records import Candle
from goldx.client import local_book
from goldx.client import session as client_session
from goldx.client.session import ExchangeClient
from goldx.protocol import terms
from goldx.protocol.commands import HoldingAdjust, InstrumentDefine, OrderPlace
from goldx.protocol.deal_commands import DealCancel, DealPropose
from goldx.protocol.notice_commands import NoticePublish
from goldx.protocol.quote_commands import QuoteSetProtection
from goldx.protocol.rfq_commands import RfqCancel, RfqCreate
from goldx.protocol.units import BadValue
from tests.api.conftest import Desk
from tests.api.sessions.in_process import (
    ACCOUNT,
    OTHER_ACCOUNT,
    SECOND_ACCOUNT,
    SYMBOL,
    InProcessGateway,
)
from tests.api.view.test_deals import later

ONE_ANSWER: Final = {
    "exchange.time": "the time, and the sequence of the newest event",
    "market.status": "the status of one instrument, with a sum for each kind of trade without orders",
    "market.book": "the parameter `depth` bounds its levels",
    "venue.regime": "the regime in force; it is changed a few times in a venue's life",
    "order.get": "one order, with its trades",
    "session.limits": "the limits of one member, with what all its accounts have used of them at one time",
}
"""Methods that read and have no pages, each with the reason."""
BACKWARD: Final = ("limit", "before")
"""The parameters of listings whose pages go back in time."""
ROWS: Final = 7
OPEN_MS: Final = 60_000
"""How long deals and requests stand: longer than the journal's time in a test."""
PARAMS: Final[dict[str, dict[str, str]]] = {
    "market.instruments": {},
    "market.trades": {"symbol": SYMBOL},
    "market.candles": {"symbol": SYMBOL, "interval": "1m"},
    "notice.list": {},
    "account.holdings": {"account": ACCOUNT},
    "quote.protections": {"account": ACCOUNT},
    "order.list": {"account": ACCOUNT},
    "deal.list": {"account": ACCOUNT},
    "rfq.list": {"account": ACCOUNT},
}
"""By method: the parameters with which each listing is asked for here."""


def order(client_order_id: str, side: int, price: int, account: str = ACCOUNT) -> OrderPlace:
    return OrderPlace(account, client_order_id, SYMBOL, side, terms.LIMIT, 1_000, price, terms.GTC)


def propose(gateway: InProcessGateway, number: int) -> None:
    """Propose a deal: one of an odd number by ACCOUNT, one of an even number to it."""
    parties = (ACCOUNT, f"d{number}", OTHER_ACCOUNT) if number % 2 else (OTHER_ACCOUNT, f"d{number}", ACCOUNT)
    gateway.apply(DealPropose(*parties, SYMBOL, terms.BUY, 1_000, 60_000, gateway.view.at + OPEN_MS))


def ask_for_quotes(gateway: InProcessGateway, number: int) -> None:
    """Make a request for quotes: ACCOUNT those of odd numbers."""
    account = ACCOUNT if number % 2 else OTHER_ACCOUNT
    gateway.apply(RfqCreate(account, f"r{number}", SYMBOL, terms.BUY, 1_000, gateway.view.at + OPEN_MS))


@cache
def filled() -> InProcessGateway:
    """Return a gateway whose listings have seven rows; instruments and groups are not made in the order of names."""
    gateway = InProcessGateway(fast=False)
    for number in range(1, ROWS):
        gateway.apply(InstrumentDefine(f"S{9 - number}"))
    for number in range(1, ROWS - 1):
        gateway.apply(HoldingAdjust(ACCOUNT, f"S{9 - number}", number * 1_000, f"gold-{number}"))
    for number in range(1, ROWS + 1):
        gateway.apply(order(f"o{number}", terms.BUY, 50_000))
        gateway.apply(order(f"t{number}", terms.SELL, 60_000, SECOND_ACCOUNT))
        gateway.apply(order(f"t{number}", terms.BUY, 60_000, OTHER_ACCOUNT))
        gateway.apply(NoticePublish("title", f"text {number}", by="op"))
        gateway.apply(QuoteSetProtection(ACCOUNT, f"g{9 - number}", 1_000, number * 1_000))
        propose(gateway, number)
        ask_for_quotes(gateway, number)
    minutes = range(60_000, ROWS * 60_000, 60_000)
    gateway.view.markets[SYMBOL].candles["1m"].kept.extend(Candle(start, 1, 1, 1, 1, 1_000, 1) for start in minutes)
    return gateway


def ask(gateway: InProcessGateway, method: str, **params: Any) -> Any:
    """Return the result of a method, read from its JSON. Raises BadValue and Refusal."""
    answers: list[dict[str, Any]] = []
    Queries(gateway.view).methods[method](gateway.session, Request(method, params, answers.append))
    gateway.run_turns()
    (answer,) = answers
    return json.loads(encode(answer))["result"]


def rows_of(result: dict[str, Any]) -> list[Any]:
    """Return the rows of an answer; those of ``rfq.list`` in the order of their numbers, whichever list they are in."""
    if "requests" in result:
        return sorted(result["requests"] + result["to_quote"], key=lambda one: one["rfq_id"])
    (found,) = [value for value in result.values() if isinstance(value, list | dict)]
    return list(found.items()) if isinstance(found, dict) else found


def params_of(gateway: InProcessGateway, method: str) -> list[str]:
    """Return the parameters that a method knows, as its refusal of another one names them."""
    with pytest.raises(BadValue) as refused:
        ask(gateway, method, no_parameter=1)
    return re.findall("[a-z_]+", refused.value.allowed.removeprefix("one of the parameters"))


def test_each_method_that_reads_is_one_answer_or_has_pages() -> None:
    methods = Queries(filled().view).methods
    paged = set()
    for method in methods:
        known = set(params_of(filled(), method))
        if set(PAGE_PARAMS) <= known or set(BACKWARD) <= known:
            paged.add(method)
    assert paged == set(PARAMS)
    assert set(methods) == paged | set(ONE_ANSWER)
    assert {method for method in paged if "before" in params_of(filled(), method)} == client_session.NEWEST_FIRST


class InProcessClient(ExchangeClient):
    """The client without a connection: its calls are answered by the gateway's own methods in this process."""

    def __init__(self, gateway: InProcessGateway) -> None:
        self._gateway = gateway

    async def call(self, method: str, **params: Any) -> Any:
        return ask(self._gateway, method, **params)


@pytest.mark.parametrize("method", PARAMS)
async def test_the_client_reads_each_listing_in_pages(method: str) -> None:
    client = InProcessClient(filled())
    pages = [page async for page in client.pages(method, **PARAMS[method], limit=3)]
    assert [len(rows_of(page)) for page in pages] == [3, 3, 1]
    whole = [page async for page in client.pages(method, **PARAMS[method], limit=None)]
    assert [len(rows_of(page)) for page in whole] == [ROWS]


@pytest.mark.parametrize("method", PARAMS)
def test_a_listing_gives_each_row_once_page_by_page(method: str) -> None:
    params = PARAMS[method]
    whole = rows_of(ask(filled(), method, **params))
    assert len(whole) == ROWS
    name = "after" if "after" in params_of(filled(), method) else "before"
    for limit in (1, 3, ROWS - 1, ROWS, MAX_ROWS):
        pages: list[list[Any]] = []
        following: dict[str, Any] = {}
        while not pages or following[name] is not None:
            result = ask(filled(), method, **params, limit=limit, **following)
            pages.append(rows_of(result))
            following = {name: result["next"]}
            assert len(pages) <= ROWS
        assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert 0 < len(pages[-1]) <= limit
        if method == "market.candles":
            pages.reverse()
        assert [row for page in pages for row in page] == whole


@pytest.mark.parametrize("method", PARAMS)
def test_a_page_that_cannot_be_is_refused(method: str) -> None:
    name = "after" if "after" in params_of(filled(), method) else "before"
    wrong: dict[str, tuple[Any, ...]] = {"limit": (0, MAX_ROWS + 1, "1", True), name: (-1, True, 1.5, "", "a b", [])}
    for field, values in wrong.items():
        for value in values:
            with pytest.raises(BadValue) as refused:
                ask(filled(), method, **PARAMS[method], **{field: value})
            assert refused.value.field == field


def test_null_asks_for_the_first_page() -> None:
    for method, params in PARAMS.items():
        name = "before" if method in client_session.NEWEST_FIRST else "after"
        assert ask(filled(), method, **params, **{name: None}) == ask(filled(), method, **params)


def test_an_answer_to_a_request_without_a_limit_is_whole_and_names_no_next_page() -> None:
    for method, params in PARAMS.items():
        assert ("next" in ask(filled(), method, **params)) == (method in ("notice.list", "market.candles"))


def test_a_page_follows_a_deal_or_request_that_is_over() -> None:
    """They end while somebody reads: the rest is neither read twice nor left out."""
    gateway = InProcessGateway(fast=False)
    for number in range(1, 6):
        propose(gateway, number)
        ask_for_quotes(gateway, number)
    about = {"account": ACCOUNT, "limit": 3}
    deals, requests = ask(gateway, "deal.list", **about), ask(gateway, "rfq.list", **about)
    assert (deals["next"], requests["next"]) == (3, 3)
    gateway.apply(DealCancel(ACCOUNT, 3))
    gateway.apply(RfqCancel(ACCOUNT, 3))
    assert [deal["deal_id"] for deal in ask(gateway, "deal.list", **about, after=3)["deals"]] == [4, 5]
    rest = ask(gateway, "rfq.list", **about, after=3)
    assert [[one["rfq_id"] for one in rest[name]] for name in ("requests", "to_quote")] == [[5], [4]]
    assert ask(gateway, "rfq.list", account=SECOND_ACCOUNT)["requests"] == []


def test_an_instrument_or_trade_that_is_not_there_has_no_page_after_it() -> None:
    for method, after in (("market.instruments", "S9"), ("market.trades", 1_000)):
        with pytest.raises(BadValue, match="what an answer of this listing gave"):
            ask(filled(), method, **PARAMS[method], after=after)


def test_nothing_comes_after_a_trade_that_is_no_longer_kept() -> None:
    gateway = InProcessGateway(fast=False)
    gateway.view.markets[SYMBOL].trades = deque(maxlen=3)
    pages = []
    for after in (None, 2):
        for _ in range(3):
            gateway.apply(order(f"s{gateway.view.at}", terms.SELL, 60_000, SECOND_ACCOUNT))
            gateway.apply(order(f"b{gateway.view.at}", terms.BUY, 60_000, OTHER_ACCOUNT))
        pages.append(ask(gateway, "market.trades", symbol=SYMBOL, limit=2, after=after))
    assert [([trade["trade_id"] for trade in page["trades"]], page["next"]) for page in pages] == [
        ([3, 2], 2),
        ([], None),
    ]


def test_who_may_answer_no_request_sees_none() -> None:
    gateway = InProcessGateway(fast=False)
    named = ("FIRM-B",)
    gateway.apply(RfqCreate(OTHER_ACCOUNT, "r1", SYMBOL, terms.BUY, 1_000, gateway.view.at + OPEN_MS, members=named))
    assert ask(gateway, "rfq.list", account=ACCOUNT, limit=5) == {"requests": [], "to_quote": [], "next": None}


def many_deals(number: int) -> InProcessGateway:
    gateway = InProcessGateway(fast=False)
    for each in range(1, number + 1):
        propose(gateway, 2 * each)
    return gateway


def test_a_long_listing_is_written_in_parts_and_leaves_out_what_has_ended_meanwhile() -> None:
    gateway = many_deals(PART_ROWS + 2)
    answers: list[dict[str, Any]] = []
    request = Request("deal.list", {"account": ACCOUNT}, answers.append)
    Queries(gateway.view).methods["deal.list"](gateway.session, request)
    assert answers == [], "it is written in later turns"
    gateway.apply(DealCancel(OTHER_ACCOUNT, PART_ROWS + 1))
    gateway.run_turns()
    numbers = [deal["deal_id"] for deal in json.loads(encode(answers[0]))["result"]["deals"]]
    assert numbers == [*range(1, PART_ROWS + 1), PART_ROWS + 2]
    for deal_id in numbers:
        gateway.apply(DealCancel(OTHER_ACCOUNT, deal_id))
    assert ask(gateway, "deal.list", account=ACCOUNT) == {"deals": []}


def test_a_part_of_a_listing_is_as_long_as_its_rows_are_costly(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instrument takes as long to write as five orders, so a part has a fifth as many of them."""
    gateway = InProcessGateway(fast=False)
    for number in range(PART_ROWS // ROWS_OF_A_LONG_ENTRY):
        gateway.apply(InstrumentDefine(f"S{number}"))
    answers: list[dict[str, Any]] = []
    request = Request("market.instruments", {}, answers.append)
    steps: list[Callable[[], bool]] = []
    monkeypatch.setattr(gateway.session, "work", steps.append)
    Queries(gateway.view).methods["market.instruments"](gateway.session, request)
    (step,) = steps
    assert step(), "there is one more, the instrument that every gateway here has"
    assert answers == []
    assert not step()
    assert len(json.loads(encode(answers[0]))["result"]["instruments"]) == PART_ROWS // ROWS_OF_A_LONG_ENTRY + 1


def test_a_session_that_has_ended_gets_no_rest_of_a_long_listing() -> None:
    gateway = many_deals(PART_ROWS + 1)
    answers: list[dict[str, Any]] = []
    request = Request("deal.list", {"account": ACCOUNT}, answers.append)
    Queries(gateway.view).methods["deal.list"](gateway.session, request)
    gateway.session.end()
    gateway.run_turns()
    assert answers == []


def test_a_page_costs_what_it_has() -> None:
    """An instrument counts as five rows, so seven of them are a unit and four are one too; three are none."""
    for limit, units in ((ROWS, 1), (4, 1), (3, 0)):
        before = filled().session.bucket._tokens
        ask(filled(), "market.instruments", limit=limit)
        assert before - filled().session.bucket._tokens == units == limit * 5 // ROWS_OF_A_UNIT


def test_a_page_that_is_looked_for_among_many_rows_costs_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here each row that is passed over costs as much as one that is written, and a unit has twenty."""
    monkeypatch.setattr("api.sessions.pages.PASSED_OF_A_ROW", 1)
    gateway = many_deals(40)
    gateway.apply(InstrumentDefine("EMPTY"))
    for number in range(40):
        gateway.apply(order(f"o{number}", terms.BUY, 50_000))
    for number in range(20):
        ask_for_quotes(gateway, number)

    def cost_of(method: str, **params: Any) -> int:
        before = gateway.session.bucket._tokens
        ask(gateway, method, account=ACCOUNT, **params)
        return round(before - gateway.session.bucket._tokens)

    for method in ("deal.list", "order.list"):
        assert [cost_of(method, limit=1), cost_of(method, limit=40), cost_of(method)] == [0, 2, 2]
        assert [cost_of(method, limit=1, after=30), cost_of(method, limit=MAX_ROWS, after=30)] == [2, 2]
    assert [cost_of("order.list", limit=limit, symbol="EMPTY") for limit in (1, MAX_ROWS)] == [2, 2]
    assert [cost_of("order.list", limit=limit, symbol=SYMBOL) for limit in (1, MAX_ROWS)] == [2, 4]
    assert cost_of("rfq.list", limit=1) == 1


def test_rows_are_not_gone_through_for_a_session_that_cannot_pay_for_it() -> None:
    gateway = InProcessGateway(fast=False, burst=50)
    rows = iter(range(1_000))
    gateway.session.bucket.spend(0.0, 10)
    request = Request("order.list", {"limit": 1}, lambda _: None)
    with pytest.raises(Refusal) as refused:
        answer_page(gateway.session, request, rows, int, {}, among=50_000, searched=True)
    assert refused.value.reason == "RATE_LIMITED"
    assert next(rows) == 0


async def test_the_client_reads_all_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_session, "PAGE", 2)
    monkeypatch.setattr(local_book, "INSTRUMENTS_PAGE", 1)
    services, server = desk.services, desk.server
    other = Desk(services, server, 31_000)
    await other.open()
    await services.fund(server, **{desk.a: {other.symbol: 1_000_000}})
    async with services.member(server) as seller, services.member(server, "FIRM-B") as buyer:
        for number in range(3):
            at = later()
            await seller.propose_deal(desk.a, desk.b, desk.symbol, "sell", "1", "600.00", at, f"d{number}")
            await seller.create_rfq(desk.a, desk.symbol, "sell", "1", at, f"r{number}")
            await buyer.create_rfq(desk.b, desk.symbol, "buy", "1", at, f"r{number}", members=["FIRM-A"])
        deals = (await seller.call("deal.list", account=desk.a))["deals"]
        assert await seller.deals(desk.a) == deals
        assert [deal["client_deal_id"] for deal in deals] == ["d0", "d1", "d2"]
        found = await seller.rfqs(desk.a)
        assert found == await seller.call("rfq.list", account=desk.a)
        assert [one["client_rfq_id"] for one in found["requests"]] == ["r0", "r1", "r2"]
        assert [one["account"] for one in found["to_quote"]].count(desk.b) == 3
        holdings = await seller.holdings(desk.a)
        assert holdings == (await seller.call("account.holdings", account=desk.a))["holdings"]
        assert list(holdings) == sorted(["CNY", desk.symbol, other.symbol])
        instruments = (await seller.call("market.instruments"))["instruments"]
        assert await local_book._instruments(seller) == instruments
        assert len(instruments) > 1
        for deal in deals:
            await seller.cancel_deal(desk.a, deal["deal_id"])
        for request in found["requests"]:
            await seller.cancel_rfq(desk.a, request["rfq_id"])
        for request in (await buyer.rfqs(desk.b))["requests"]:
            await buyer.cancel_rfq(desk.b, request["rfq_id"])
