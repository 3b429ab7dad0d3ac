"""Each rule that stands both in the fast path of plain orders and in the general path is the same rule.

The same generated messages go to two gateways, one with the fast path and one without it. The commands that they place
and the bytes that they answer have to be equal.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldx.protocol import terms
from tests.api.sessions.in_process import (
    ACCOUNT,
    GENERAL_ONLY,
    OPERATOR,
    OTHER_ACCOUNT,
    READER,
    SECOND_ACCOUNT,
    SET_BY_GATEWAY,
    SYMBOL,
    TRADER,
    UNLIMITED,
    InProcessGateway,
)


def message(method: str, params: Any, members: dict[str, Any] = {}) -> bytes:  # noqa: B006
    """A request; ``members`` replace or extend those of the whole message."""
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params} | members).encode()


def placing(**params: Any) -> bytes:
    """A plain order, but for what is given; None leaves a parameter out."""
    whole = {"account": ACCOUNT, "client_order_id": "new", "symbol": SYMBOL, "side": "buy", "type": "limit"}
    whole |= {"quantity": "2", "price": "600.00"} | params
    return message("order.place", {name: value for name, value in whole.items() if value is not None})


def cancelling(**params: Any) -> bytes:
    return message("order.cancel", {"account": ACCOUNT} | params)


def values(*common: Any) -> st.SearchStrategy[Any]:
    """Values of interest, and any other JSON value now and then."""
    other = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=40))
    return st.one_of(st.sampled_from(common), st.sampled_from(common), other, st.lists(st.integers(), max_size=2))


def varied(name: str, *common: Any, **fixed: Any) -> st.SearchStrategy[list[bytes]]:
    """Orders that differ from a plain one in one parameter."""
    return values(*common).map(lambda value: [placing(**fixed, **{name: value})])


RESTING = [placing(client_order_id="bid"), placing(client_order_id="ask", side="sell", price="601.00")]
"""Two orders that rest, the first and second of the market."""


def target(name: str, *common: Any) -> st.SearchStrategy[list[bytes]]:
    return values(*common).map(lambda value: [*RESTING, cancelling(**{name: value})])


def envelope(name: str, *common: Any) -> st.SearchStrategy[list[bytes]]:
    """A plain order and a plain cancel that differ in one member of the whole message."""
    order, cancel = json.loads(placing())["params"], {"account": ACCOUNT, "client_order_id": "bid"}
    methods = {"order.place": order, "order.cancel": cancel}
    return st.tuples(st.sampled_from(sorted(methods)), values(*common)).map(
        lambda drawn: [*RESTING, message(drawn[0], methods[drawn[0]], {name: drawn[1]})]
    )


def mangled() -> st.SearchStrategy[list[bytes]]:
    """A plain message with some bytes replaced, or cut off, or followed by others."""

    def change(drawn: tuple[bytes, int, bytes, int]) -> list[bytes]:
        data, at, replacement, removed = drawn
        at %= len(data) + 1
        return [data[:at] + replacement + data[at + removed :]]

    texts = [b"", b" ", b'"', b"}", b",", b"\xff", b"\\u0041", b'"price":"1",', b'"id":8,', b"null", b"-", b"0"]
    plain_messages = st.sampled_from([placing(), cancelling(order_id=1)])
    return st.tuples(plain_messages, st.integers(0, 400), st.sampled_from(texts), st.integers(0, 2)).map(change)


ACCOUNTS = (ACCOUNT, OTHER_ACCOUNT, "NOBODY", "", "a b", "x" * 33)
IDENTIFIERS = ("new", "bid", "", "ä", "a" * 32, "a" * 33, "A-Z_.9", " ", 7)
NUMBERS = (1, 2, 0, -1, 2**62, 2**62 + 1, 2**63, 1.0, True, "1")
PRICES = ("600.00", "600", "599.99", "600.1", "600.001", "0", "0.00", "-1", "1e3", "06", "", ".5", "9" * 12, 600, 600.0)
QUANTITIES = ("1", "2", "0.5", "0.001", "0.0001", "0", "01", "-1", "", "1000000000", "9" * 20, 5)
ORDERS = st.builds(
    placing,
    account=st.sampled_from((ACCOUNT, SECOND_ACCOUNT)),
    client_order_id=st.sampled_from([f"o{number}" for number in range(12)]),
    side=st.sampled_from(terms.SIDES),
    type=st.sampled_from(("limit", "limit", "limit", "market")),
    price=st.sampled_from(("599.99", "600.00", "600.01", "600.00", "900.00", None)),
    quantity=st.sampled_from(("1", "2", "3", "200000")),
    time_in_force=st.sampled_from((None, None, "GTC", "DAY", "IOC", "FOK")),
    post_only=st.sampled_from((None, None, False, True)),
    stp=st.sampled_from((None, None, None, "cancel_maker", "decrement")),
    expire_at=st.sampled_from((None, None, None, None, 5, 15, 20, 25, 30)),
)
CANCELS = st.one_of(
    st.integers(1, 12).map(lambda number: cancelling(order_id=number)),
    st.integers(0, 12).map(lambda number: cancelling(client_order_id=f"o{number}")),
)

RULES: dict[str, st.SearchStrategy[list[bytes]]] = {
    "the version of JSON-RPC": envelope("jsonrpc", "2.0", "1.0", 2.0),
    "the id of the request": envelope("id", 0, -1, -0.0, 2**53, 1e3, "7", {}, *NUMBERS),
    "the method": envelope("method", "order.place", "order.cancel", "order.replace", "session.heartbeat"),
    "the form of the parameters": envelope(
        "params", {}, [], {"account": ACCOUNT}, {"account": ACCOUNT, "client_order_id": "ask"}
    ),
    "other members beside the parameters": envelope("extra", 1, float("inf")),
    "the bytes of the message": mangled(),
    "the account of an order": varied("account", *ACCOUNTS),
    "the client id of an order": varied("client_order_id", *IDENTIFIERS),
    "the symbol": varied("symbol", SYMBOL, "NOTHING", "", "a b"),
    "the side": varied("side", "buy", "sell", "BUY", 0),
    "the type": varied("type", "limit", "market", "stop", 0),
    "the quantity": varied("quantity", *QUANTITIES),
    "the price of a limit order": varied("price", *PRICES),
    "the price of a market order": varied("price", *PRICES, type="market"),
    "the time in force": varied("time_in_force", *terms.TIMES_IN_FORCE, "gtc", 1),
    "post only": varied("post_only", True, False, 1, "true"),
    "parameters that the fast path leaves": st.tuples(
        st.sampled_from(sorted(GENERAL_ONLY | SET_BY_GATEWAY | {"by", "x"})),
        values(5, "600.00", "1", "decrement", True, None),
    ).map(lambda drawn: [placing(client_order_id="1"), placing(**{drawn[0]: drawn[1]})]),
    "the account of a cancel": values(*ACCOUNTS).map(lambda value: [*RESTING, cancelling(account=value, order_id=1)]),
    "the order id of a cancel": target("order_id", *NUMBERS),
    "the client id of a cancel": target("client_order_id", *IDENTIFIERS),
    "both ids of a cancel": st.one_of(
        st.sampled_from([(1, "bid"), (1, "ask"), (1, None), (None, "bid")]),
        st.tuples(values(*NUMBERS), values(*IDENTIFIERS)),
    ).map(lambda ids: [*RESTING, cancelling(order_id=ids[0], client_order_id=ids[1])]),
    "the answers of a market": st.lists(st.one_of(ORDERS, ORDERS, CANCELS), min_size=1, max_size=30),
}


FEW = 40


def compare(messages: list[bytes], **how: Any) -> InProcessGateway:
    """Send the messages to both gateways, and return the one with the fast path."""
    fast, general = InProcessGateway(fast=True, **how), InProcessGateway(fast=False, **how)
    for each in messages:
        fast.send(each)
        general.send(each)
        assert fast.commands == general.commands, each
        assert fast.answers == general.answers, each
    return fast


@pytest.mark.parametrize("examples", [FEW, pytest.param(200, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("rule", RULES)
def test_both_paths_apply_the_rule_alike(rule: str, examples: int) -> None:
    taken: set[bool] = set()

    # Few examples are the same ones each time, as chance might leave out a path.
    @settings(max_examples=examples, deadline=None, derandomize=examples == FEW)
    @given(RULES[rule])
    def check(messages: list[bytes]) -> None:
        taken.add(compare(messages).taken[-1])

    check()
    assert taken == {True, False}, "the rule is met in both paths"


@pytest.mark.parametrize("principal", [None, READER, OPERATOR, TRADER])
def test_both_paths_ask_for_the_permission_to_trade(principal: Any) -> None:
    fast = compare([placing(), cancelling(order_id=1)], principal=principal)
    assert fast.taken == [principal is TRADER] * 2


@pytest.mark.parametrize("burst", [0, 1, 2, UNLIMITED])
def test_both_paths_count_for_the_rate_limit(burst: int) -> None:
    orders = [placing(client_order_id=f"o{number}") for number in range(3)]
    fast = compare([*orders, cancelling(client_order_id="o0"), placing(price="x"), *orders], burst=burst)
    refused = [answer for answer in fast.answers if b"RATE_LIMITED" in answer]
    assert len(refused) == max(0, 7 - burst)
    assert fast.taken == [True, True, True, burst > 0, False, True, True, True], (
        "no order was placed, none is cancelled"
    )


def test_both_paths_refuse_when_the_journal_takes_nothing() -> None:
    for hindrance in ("available", "disk_full", "stalled"):
        fast, general = InProcessGateway(fast=True), InProcessGateway(fast=False)
        for gateway in (fast, general):
            gateway.send(placing())
            if hindrance == "available":
                gateway.sequencer.available = False
            else:
                setattr(gateway.sequencer._pressure, hindrance, "the reason")
            gateway.send(placing(client_order_id="2"), cancelling(order_id=1))
        assert fast.answers == general.answers
        assert fast.taken == [True] * 3
        refused = [b"UNAVAILABLE" in answer for answer in fast.answers]
        assert refused == [False, True, hindrance != "disk_full"]


def test_both_paths_answer_with_the_order_that_was_cancelled_and_not_with_one_that_expired_then() -> None:
    opened = InProcessGateway(fast=True).view.position.ms
    expiring = placing(client_order_id="gtd", time_in_force="GTD", expire_at=opened + 3)
    fast = compare([expiring, placing(client_order_id="user"), cancelling(client_order_id="user")])
    assert fast.taken == [False, True, True]
    assert [order.reason for order in fast.view.orders.values()] == ["EXPIRED", "USER"]
    assert json.loads(fast.answers[-1])["result"]["order"]["client_order_id"] == "user"
