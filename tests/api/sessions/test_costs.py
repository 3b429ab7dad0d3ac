"""Requests are charged by their answers, refused ones too, and no session's requests delay those of others."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect as open_socket

from api.app import GatewayServer
from api.edge.allowance import MOST_NAMES, Allowances, TokenBucket
from api.edge.rpc import MAX_BATCH, Request
from api.sessions.queries import Queries
from api.sessions.session import ROWS_OF_A_UNIT, Session
from api.sessions.turns import SLICE_SECONDS, Turns
from goldx.protocol.commands import OrderPlace
from goldx.protocol.notice_events import NoticePublished
from goldx.streams import redis_client
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, until
from tests.api.sessions.in_process import ACCOUNT, InProcessGateway
from tests.api.sessions.test_quick_rules import cancelling, placing

LEVELS = 600
"""Levels, each with one order, on a side of the book in the tests of cost."""


def call(method: str, params: Any = None, request_id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


class TestBuckets:
    def test_a_request_may_cost_several_units(self) -> None:
        bucket = TokenBucket(10, 100, 0.0)
        assert bucket.take(0.0, 60) == 0
        assert bucket.take(0.0, 60) == 2_100, "40 are left, and the refusal costs one"
        assert bucket.take(2.1, 60) == 0

    def test_a_full_bucket_pays_once_for_what_costs_more(self) -> None:
        bucket = TokenBucket(10, 100, 0.0)
        assert bucket.take(0.0, 1_000) == 0
        assert bucket.take(0.0) > 0

    def test_debt_has_an_end(self) -> None:
        bucket = TokenBucket(10, 100, 0.0)
        bucket.spend(0.0, 1_000)
        assert bucket.is_exhausted(0.0)
        assert bucket.take(1.1) == 0

    def test_of_many_names_the_least_used_are_forgotten(self) -> None:
        allowances = Allowances(1, 1, lambda: 0.0)
        first = allowances.of("0")
        for number in range(1, MOST_NAMES):
            allowances.of(str(number))
        assert allowances.of("0") is first
        allowances.of("one more")
        assert allowances.of("0") is first
        assert len(allowances._buckets) == MOST_NAMES


class TestTurns:
    def make(self, seconds_of_a_step: float) -> tuple[Turns, list[Callable[[], None]]]:
        now, soon = 0.0, list[Callable[[], None]]()

        def clock() -> float:
            nonlocal now
            now += seconds_of_a_step
            return now

        return Turns(clock, soon.append, lambda _, function: soon.append(function)), soon

    def test_a_turn_ends_with_its_slice_and_the_rest_comes_in_turn(self) -> None:
        turns, soon = self.make(SLICE_SECONDS / 3)
        done: list[str] = []

        def worker(name: str, pieces: int) -> Callable[[], bool]:
            def step() -> bool:
                nonlocal pieces
                pieces -= 1
                done.append(name)
                return pieces > 0

            return step

        turns.start(worker("a", 6))
        turns.start(worker("b", 6))
        assert "b" not in done, "the slice is used up"
        assert len(done) < 6
        while soon:
            soon.pop(0)()
        assert (done.count("a"), done.count("b")) == (6, 6)
        tail = done[done.index("b") :]
        assert tail[:4] in (["b", "a", "b", "a"], ["b", "a", "b", "b"]), "one piece of each"
        turns.start(worker("c", 1))
        assert done[-1] == "c", "in a new turn at once"


def test_a_read_in_a_batch_sees_what_the_commands_before_it_did() -> None:
    gateway = InProcessGateway(fast=False)

    def look(_: Session, request: Any) -> None:
        order = gateway.view.accounts[ACCOUNT].orders.get(request.params["id"])
        request.succeed({"status": None if order is None else order.status})

    gateway.session._methods = {**gateway.session._methods, "look": look}
    batch = [json.loads(placing(client_order_id="x")), call("look", {"id": "x"}, 8)]
    batch += [json.loads(placing(client_order_id="y")), json.loads(cancelling(client_order_id="y"))]
    batch += [call("look", {"id": "y"}, 9), {"jsonrpc": "2.0", "method": "look", "params": {"id": "x"}}]
    gateway.send(json.dumps(batch).encode())
    (answers,) = map(json.loads, gateway.answers)
    assert [answer["id"] for answer in answers] == [7, 8, 7, 7, 9]
    assert [answers[index]["result"]["status"] for index in (1, 4)] == ["open", "cancelled"]


def test_a_batch_has_a_largest_size() -> None:
    gateway = InProcessGateway(fast=False)
    gateway.send(json.dumps([call("x")] * MAX_BATCH).encode(), json.dumps([call("x")] * (MAX_BATCH + 1)).encode())
    fits, refused = map(json.loads, gateway.answers)
    assert [answer["error"]["code"] for answer in fits] == [-32601] * MAX_BATCH
    assert refused["error"]["code"] == -32600
    assert str(MAX_BATCH) in refused["error"]["message"]


def test_a_batch_ends_with_its_connection() -> None:
    gateway = InProcessGateway(fast=False)
    seen: list[int] = []

    def count(session: Session, request: Any) -> None:
        seen.append(request.params["number"])
        if len(seen) == 3:
            session.end()
        request.succeed({})

    gateway.session._methods = {"count": count}
    gateway.send(json.dumps([call("count", {"number": number}) for number in range(50)]).encode())
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    "message",
    [
        b"not json",
        b"5",
        b"[]",
        json.dumps(call("no.method")).encode(),
        json.dumps(call("order.cancel", [1])).encode(),
        json.dumps([{}]).encode(),
        placing(price="x"),
        placing(symbol="NOTHING"),
    ],
)
def test_what_is_malformed_or_refused_costs_a_unit(message: bytes) -> None:
    gateway = InProcessGateway(fast=False, burst=2)
    gateway.send(message, message, placing())
    assert b"RATE_LIMITED" in gateway.answers[-1]
    assert b"RATE_LIMITED" not in b"".join(gateway.answers[:-1])


def test_notices_are_paid_by_their_length() -> None:
    """A page of three long ones costs as much as what is sent; short ones cost next to nothing."""
    gateway = InProcessGateway(fast=False, burst=100)
    methods = Queries(gateway.view).methods
    answers: list[dict[str, Any]] = []
    for number, text in enumerate(("short", "short", "short", "x" * 4_000, "x" * 4_000, "金" * 4_000), 1):
        gateway.view.notices.publish(NoticePublished(number, 1, number, "Vault", text, None, None, "op"))

    def units(**params: int) -> float:
        gateway.session.bucket = TokenBucket(1, 100, 0.0)
        methods["notice.list"](gateway.session, Request("notice.list", params, answers.append))
        return 100 - gateway.session.bucket._tokens

    assert units(limit=3, before=4) == 0, "15 rows of less than a unit"
    assert units(limit=3) == (3 * 5 + 20 + 20 + 60) // ROWS_OF_A_UNIT


def test_cancels_are_paid_from_a_bucket_of_their_own() -> None:
    gateway = InProcessGateway(fast=False, burst=2)
    gateway.send(placing(client_order_id="a"), placing(client_order_id="b"), placing(client_order_id="c"))
    assert b"RATE_LIMITED" in gateway.answers[-1]
    gateway.send(cancelling(client_order_id="a"))
    assert json.loads(gateway.answers[-1])["result"]["order"]["reason"] == "USER"
    gateway.session.reserve = TokenBucket(1, 1, 0.0)
    gateway.send(cancelling(client_order_id="b"), cancelling(client_order_id="b"))
    assert b"RATE_LIMITED" in gateway.answers[-1]


async def deepen(desk: Desk) -> None:
    """Put LEVELS orders on each side of a desk's book, each at a price of its own."""
    orders = [
        OrderPlace(account, f"d{side}{number}", desk.symbol, side, 0, 1_000, 60_000 + sign * (100 + number))
        for account, side, sign in ((desk.a, 0, -1), (desk.b, 1, 1))
        for number in range(LEVELS)
    ]
    redis = redis_client.connect(desk.services.valkey_url)
    await Journal(redis, Keys(desk.services.shard)).append(CommandFrame(f"deep-{desk.a}.1", 1, tuple(orders)))
    await redis.aclose()
    account = desk.server.gateway.view.accounts[desk.b]
    await until(lambda: len(account.live) == LEVELS)


def socket(server: GatewayServer) -> open_socket:
    return open_socket(f"{server.url}/ws".replace("http", "ws"), proxy=None, max_size=None)


async def test_anonymous_requests_are_billed_by_their_rows_for_the_whole_address(desk: Desk) -> None:
    await deepen(desk)
    services = desk.services
    each = 1 + 2 * LEVELS // ROWS_OF_A_UNIT
    server = await services.start_gateway("metered", anonymous_rate=1, anonymous_burst=3 * each)
    try:
        books = [call("market.book", {"symbol": desk.symbol, "depth": 1_000}, number) for number in range(3)]
        async with socket(server) as one, socket(server) as two:
            await one.send(json.dumps(books))
            assert all("result" in answer for answer in json.loads(await one.recv()))
            await two.send(json.dumps(books))
            refused = json.loads(await two.recv())
            assert {answer["error"]["data"]["reason"] for answer in refused} == {"RATE_LIMITED"}
            subscribe = call("channel.subscribe", {"channels": [f"orders_book.{desk.symbol}"]})
            await two.send(json.dumps(subscribe))
            assert json.loads(await two.recv())["error"]["data"]["reason"] == "RATE_LIMITED"
            async with services.member(server) as member:
                assert (await member.call("market.book", symbol=desk.symbol, depth=1_000))["bids"]
    finally:
        await services.stop_gateway(server)


async def test_expensive_batches_do_not_hold_up_a_member(desk: Desk) -> None:
    """Twenty connections keep asking for books; a member's requests are answered between theirs."""
    await deepen(desk)
    services = desk.services
    server = await services.start_gateway("open", anonymous_rate=1_000_000, anonymous_burst=1_000_000)
    books = json.dumps([call("market.book", {"symbol": desk.symbol, "depth": 1_000}, n) for n in range(MAX_BATCH)])

    try:
        async with services.member(server) as member:
            sockets = [await socket(server).__aenter__() for _ in range(5)]
            for each in sockets:
                for _ in range(4):
                    await each.send(books)
            for _ in range(20):
                assert (await member.call("market.status", symbol=desk.symbol))["phase"] == "continuous"
            assert server.gateway.sessions._turns._waiting, "the books are not all written yet"
            for each in sockets:
                each.transport.abort()
            await until(lambda: len(server.gateway.sessions) == 1)
            await until(lambda: not server.gateway.sessions._turns._waiting)
    finally:
        await services.stop_gateway(server)
