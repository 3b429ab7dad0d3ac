"""A trace of a request comes back in its answer, and stands in the log where the request is refused."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.sessions.traced import LINES_AT_ONCE
from goldx.client.errors import ExchangeError
from tests.api.conftest import Desk
from tests.api.sessions.in_process import ACCOUNT, SYMBOL, InProcessGateway

LINE = "a traced request was refused"
ORDER = {"account": ACCOUNT, "client_order_id": "o", "symbol": SYMBOL, "side": "buy", "type": "limit", "quantity": "1"}


def message(method: str = "order.cancel_all", trace: Any = "t-1", **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 3, "method": method, "params": params, "trace": trace}).encode()


def answers(gateway: InProcessGateway, *messages: bytes) -> list[Any]:
    before = len(gateway.answers)
    gateway.send(*messages)
    return [json.loads(answer) for answer in gateway.answers[before:]]


def lines(logged: Any) -> list[Any]:
    return [line for line in logged if line["event"] == LINE]


def test_answers_and_errors_have_the_trace_beside_the_id() -> None:
    gateway = InProcessGateway(fast=True)
    place = message("order.place", price="600.00", **ORDER)
    cancel = message("order.cancel", account=ACCOUNT, client_order_id="o")
    found = answers(gateway, message(account=ACCOUNT), place, cancel, message("order.steal"), message(account="X"))
    assert [(answer["id"], answer["trace"]) for answer in found] == [(3, "t-1")] * 5
    assert ["result" in answer for answer in found] == [True, True, True, False, False]
    assert gateway.taken == [False] * 5, "what has a trace is left to the general path"
    without = json.dumps(
        {"jsonrpc": "2.0", "id": 3, "method": "order.cancel_all", "params": {"account": ACCOUNT}}
    ).encode()
    for untraced in (without, message(account=ACCOUNT, trace=None)):
        (answer,) = answers(gateway, untraced)
        assert set(answer) == {"jsonrpc", "id", "result"}
    (batch,) = answers(gateway, b"[" + message(account=ACCOUNT) + b"," + message("nothing", "t-2") + b"]")
    assert [answer["trace"] for answer in batch] == ["t-1", "t-2"]
    (malformed,) = answers(gateway, b'{"id":3,"method":"order.cancel_all","trace":"t-3"}')
    assert (malformed["error"]["code"], malformed["trace"]) == (-32600, "t-3")


def test_a_trace_that_is_none_is_refused_and_nothing_is_done() -> None:
    gateway = InProcessGateway(fast=True)
    wrong: Any
    for wrong in ("", "x" * 33, "a b", "ä", 7, True, {}, ["t"]):
        (answer,) = answers(gateway, message("order.place", wrong, price="600.00", **ORDER))
        assert (answer["error"]["code"], answer["error"]["data"]["field"]) == (-32602, "trace"), wrong
        assert "trace" not in answer
    assert gateway.commands == []


def test_the_log_has_what_was_refused_of_a_traced_request_alone() -> None:
    gateway = InProcessGateway(fast=True)
    with capture_logs() as logged:
        answers(gateway, message(account=ACCOUNT), message(account="X"), message("order.steal", "t-2"))
        answers(gateway, message(account="X", trace=None), message("order.cancel", "t-3", account=ACCOUNT, order_id=9))
    found = [(line["trace"], line["method"], line["code"], line["reason"]) for line in lines(logged)]
    assert found == [
        ("t-1", "order.cancel_all", -32000, "UNKNOWN_ACCOUNT"),
        ("t-2", "order.steal", -32601, None),
        ("t-3", "order.cancel", -32000, "UNKNOWN_ORDER"),
    ]
    assert {line["session"] for line in lines(logged)} == {"test.1.1"}
    with capture_logs() as logged:
        answers(InProcessGateway(fast=True, principal=None), message(account="X"))
    assert lines(logged) == [], "who has not logged on writes nothing into the log"


def test_a_flood_of_traced_requests_does_not_fill_the_log() -> None:
    gateway = InProcessGateway(fast=True)
    with capture_logs() as logged:
        answers(gateway, *[message(account="X", trace=f"t-{number}") for number in range(LINES_AT_ONCE + 50)])
    assert len(lines(logged)) == LINES_AT_ONCE
    gateway.session._clock = lambda: 1.0
    assert gateway.session._traced is not None
    gateway.session._traced._clock = gateway.session._clock
    with capture_logs() as logged:
        answers(gateway, message(account="X"))
    assert [line["unlogged_before"] for line in lines(logged)] == [50]


async def test_the_client_traces_what_it_sends_within_with(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        with capture_logs() as logged:
            with member.traced("hedge-81"):
                placed = await member.place(desk.a, desk.symbol, "buy", "1", "590.00")
                with pytest.raises(ExchangeError) as refused, member.traced("inner"):
                    await member.cancel(desk.a, 10**9)
            with pytest.raises(ExchangeError) as untraced:
                await member.cancel(desk.a, 10**9)
        assert placed["order"]["status"] == "open"
        assert (refused.value.reason, refused.value.trace) == ("UNKNOWN_ORDER", "inner")
        assert untraced.value.trace is None
        assert [line["trace"] for line in lines(logged)] == ["inner"]


def test_the_log_has_the_trace_of_a_request_at_which_the_gateway_fails() -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    gateway = InProcessGateway(fast=True)
    gateway.session._methods = {"fail": fail}
    with capture_logs() as logged:
        (answer,) = answers(gateway, message("fail"))
    assert (answer["error"]["code"], answer["trace"]) == (-32603, "t-1")
    assert [(line["event"], line["trace"]) for line in logged] == [("a request failed", "t-1"), (LINE, "t-1")]
