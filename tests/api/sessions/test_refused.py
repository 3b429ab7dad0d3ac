"""A refusal names the field and the allowed values; the refusal of a repeated id names the differences."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.edge.outcome import Refusal
from api.sessions.queries import Queries
from goldx.protocol.commands import InstrumentDefine
from goldx.protocol.events import InstrumentDefined
from goldx.protocol.limits import price_limits
from matching.core.instrument import Definition, Instrument
from tests.api.sessions.in_process import ACCOUNT, OTHER_ACCOUNT, TRADER, InProcessGateway
from tests.api.sessions.test_quick_rules import cancelling, message, placing
from tests.api.sessions.test_targets import quoting, replacing

TERMS = {"tick": 5, "lot": 2_000, "max_quantity": 10_000, "price_limit_percent": 10}


def market(*, fast: bool = False) -> InProcessGateway:
    """A market with a tick of 0.05, lots of 2 g up to 10 g, and limits of 10% around 600.00."""
    return InProcessGateway(fast=fast, terms=TERMS)


def error_of(gateway: InProcessGateway, request: bytes) -> dict[str, Any]:
    gateway.send(request)
    found: dict[str, Any] = json.loads(gateway.answers[-1])["error"]
    return found


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("request_bytes", "reason", "data"),
    [
        (placing(price="600.01"), "BAD_PRICE", {"field": "price", "value": "600.01", "tick": "0.05"}),
        (placing(price=None), "BAD_PRICE", {"field": "price", "value": None, "allowed": "given for a limit order"}),
        (placing(type="market"), "BAD_PRICE", {"field": "price", "allowed": "left out for a market order"}),
        (placing(stop_price="600.02"), "BAD_PRICE", {"field": "stop_price", "tick": "0.05"}),
        (placing(price="700.00"), "PRICE_LIMIT", {"field": "price", "low": "540.00", "high": "660.00"}),
        (placing(quantity="3"), "BAD_QUANTITY", {"field": "quantity", "value": "3", "lot": "2", "max_quantity": "10"}),
        (placing(quantity="12"), "BAD_QUANTITY", {"field": "quantity", "max_quantity": "10"}),
        (placing(display_quantity="1"), "BAD_QUANTITY", {"field": "display_quantity", "lot": "2"}),
        (placing(display_quantity="2", time_in_force="IOC"), "BAD_QUANTITY", {"field": "display_quantity"}),
        (placing(time_in_force="GTD"), "BAD_VALUE", {"field": "expire_at", "allowed": "given with time_in_force GTD"}),
        (placing(expire_at=10**13), "BAD_VALUE", {"field": "expire_at"}),
        (placing(post_only=True, time_in_force="IOC"), "BAD_VALUE", {"field": "post_only", "value": True}),
        (quoting(bid_quantity="2", ask_quantity="2", ask_price="600.02"), "BAD_PRICE", {"field": "ask_price"}),
        (
            quoting(bid_quantity="2", ask_quantity="2", bid_price="601.00", ask_price="600.00"),
            "BAD_PRICE",
            {"field": "bid_price", "value": "601.00", "allowed": "below ask_price, 600.00"},
        ),
        (quoting(bid_quantity="2", ask_quantity="2", bid_price="1.00"), "PRICE_LIMIT", {"field": "bid_price"}),
        (quoting(bid_quantity="2", ask_quantity="1"), "BAD_QUANTITY", {"field": "ask_quantity", "value": "1"}),
        (replacing(client_order_id="open", price="600.02"), "BAD_PRICE", {"field": "price", "tick": "0.05"}),
        (replacing(client_order_id="open", price="700.00"), "PRICE_LIMIT", {"field": "price", "high": "660.00"}),
        (replacing(order_id=1, price="590.00", quantity="3"), "BAD_QUANTITY", {"field": "quantity"}),
        (placing(symbol="AU-NONE"), "UNKNOWN_SYMBOL", {"field": "symbol", "value": "AU-NONE"}),
        (quoting(symbol="AU-NONE"), "UNKNOWN_SYMBOL", {"field": "symbol", "value": "AU-NONE"}),
        (placing(account="nobody"), "UNKNOWN_ACCOUNT", {"field": "account", "value": "nobody"}),
        (placing(time_in_force="GTD", expire_at=1), "TOO_LATE", {"field": "expire_at", "value": 1}),
        (cancelling(order_id=99), "UNKNOWN_ORDER", {"field": "order_id", "value": 99}),
        (cancelling(client_order_id="gone"), "UNKNOWN_ORDER", {"field": "client_order_id", "value": "gone"}),
        (replacing(client_order_id="gone", price="590.00"), "UNKNOWN_ORDER", {"field": "client_order_id"}),
        (
            message("quote.cancel", {"account": ACCOUNT, "symbol": "AU"}),
            "UNKNOWN_ORDER",
            {"field": "symbol", "allowed": "an instrument in which the account has a quote"},
        ),
        (
            message("order.cancel_all", {"account": ACCOUNT, "symbol": "AU-NONE"}),
            "UNKNOWN_SYMBOL",
            {"field": "symbol", "value": "AU-NONE"},
        ),
    ],
)
def test_a_refusal_names_the_field_and_what_is_allowed(
    request_bytes: bytes, reason: str, data: dict[str, Any], fast: bool
) -> None:
    gateway = market(fast=fast)
    gateway.send(placing(client_order_id="open"))
    error = error_of(gateway, request_bytes)
    assert error["data"]["reason"] == reason
    assert {name: error["data"].get(name) for name in data} == data
    value = json.dumps(error["data"]["value"])
    assert error["message"].startswith(
        f"{data['field']}: {value} is not allowed; it must be {error['data']['allowed']}"
    )


@given(
    tick=st.integers(1, 50),
    reference=st.none() | st.integers(1, 10**6),
    percent=st.none() | st.integers(1, 99),
    lower=st.none() | st.integers(1, 10**6),
    upper=st.none() | st.integers(1, 10**6),
)
def test_the_limits_are_those_of_the_core(
    tick: int, reference: int | None, percent: int | None, lower: int | None, upper: int | None
) -> None:
    names = InstrumentDefined.__struct_fields__[3:]
    terms = {name: getattr(InstrumentDefine("AU"), name, None) for name in names}
    terms |= {"tick": tick, "reference_price": reference, "price_limit_percent": percent}
    terms |= {"lower_price_limit": lower, "upper_price_limit": upper}
    instrument = Instrument("AU")
    instrument.define(Definition(terms[name] for name in names))
    assert price_limits(tick, reference, percent, lower, upper) == (instrument.low, instrument.high)


@pytest.mark.parametrize("fast", [True, False])
def test_a_repeated_id_says_whether_the_content_differs(fast: bool) -> None:
    gateway = InProcessGateway(fast=fast)
    gateway.send(placing())
    same = error_of(gateway, placing())["data"]
    assert same["reason"] == "DUPLICATE_ID"
    assert same["order"]["order_id"] == 1
    assert "differs" not in same
    other = error_of(gateway, placing(price="590.00", quantity="3", side="sell"))
    assert other["data"]["differs"] == ["side", "quantity", "price"]
    assert other["data"]["order"] == same["order"]
    assert other["message"] == "the id was used before, with another side, quantity, price"


def test_a_repeated_quote_gives_both_sides() -> None:
    gateway = InProcessGateway(fast=False)
    gateway.send(quoting())
    placed = json.loads(gateway.answers[-1])["result"]
    again = error_of(gateway, quoting())["data"]
    assert again["reason"] == "DUPLICATE_ID"
    assert {name: again[name] for name in ("bid", "ask", "trades")} == placed
    assert "differs" not in again
    assert error_of(gateway, quoting(ask_price="602.00"))["data"]["differs"] == ["ask_price"]


def test_a_taken_new_id_of_a_replace_says_whose_it_is() -> None:
    gateway = InProcessGateway(fast=False)
    gateway.send(placing(client_order_id="a"), placing(client_order_id="b"))
    error = error_of(gateway, replacing(client_order_id="a", new_client_order_id="b"))
    assert (error["data"]["reason"], error["data"]["order"]["order_id"]) == ("DUPLICATE_ID", 2)


def test_another_members_account_is_as_unknown_as_one_that_is_not_there() -> None:
    gateway = InProcessGateway(fast=False)
    other = error_of(gateway, placing(account=OTHER_ACCOUNT))
    nobody = error_of(gateway, placing(account="NOBODY"))
    assert json.dumps(other).replace(OTHER_ACCOUNT, "NOBODY") == json.dumps(nobody)
    assert other["data"].keys() == {"reason", "field", "value", "allowed"}
    gateway.session.principal = None
    for account in (ACCOUNT, "NOBODY"):
        assert error_of(gateway, placing(account=account))["data"]["reason"] == "NOT_PERMITTED"
    gateway.session.principal = TRADER


def test_a_query_names_what_it_does_not_find() -> None:
    gateway = InProcessGateway(fast=False)
    queries = Queries(gateway.view)
    for find, field in ((queries.market, "symbol"), (partial(queries.account, gateway.session), "account")):
        with pytest.raises(Refusal, match=f'{field}: "NOTHING" is not allowed') as refused:
            find("NOTHING")
        assert refused.value.data.keys() == {"field", "value", "allowed"}


def test_errors_print_the_words_of_json() -> None:
    gateway = InProcessGateway(fast=False)
    assert "side: null is not" in error_of(gateway, placing().replace(b'"buy"', b"null"))["message"]
    assert "side: true is not" in error_of(gateway, placing().replace(b'"buy"', b"true"))["message"]
    assert 'side: "BUY" is not' in error_of(gateway, placing(side="BUY"))["message"]
    assert 'method: "x" is not known' in error_of(gateway, message("x", {}))["message"]


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64, -(2**64), 10**99])
def test_the_id_of_a_request_may_be_any_whole_number(number: int) -> None:
    gateway = InProcessGateway(fast=True)
    gateway.send(placing().replace(b'"id": 7', b'"id": %d' % number))
    answer = gateway.answers[-1]
    assert b'"id":%d,' % number in answer
    assert json.loads(answer)["result"]["order"]["status"] == "open"
    gateway.send(json.dumps([{"jsonrpc": "2.0", "id": number, "method": "x"}]).encode())
    assert b'"id":%d,' % number in gateway.answers[-1]


@pytest.mark.parametrize("number", [str(2**64), "1" + "0" * 30, "1" + "0" * 400, "1" + "0" * 5_000])
def test_a_number_that_is_too_large_is_refused_as_a_value(number: str) -> None:
    gateway = InProcessGateway(fast=True)
    error = error_of(gateway, cancelling(order_id=7_777).replace(b"7777", number.encode()))
    assert error["code"] in (-32602, -32700)
    if number == str(2**64):
        assert error["data"]["field"] == "order_id"
