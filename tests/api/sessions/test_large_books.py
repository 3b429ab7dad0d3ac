"""Clients that subscribe to a large book while it changes; no subscription blocks the loop."""

import asyncio
import json
from collections.abc import Coroutine
from itertools import count
from typing import Any

import pytest
from websockets.sync.client import connect as open_socket

from api.sessions.turns import SLICE_SECONDS
from api.view.channels import PART_ROWS
from api.view.view import PART_EVENTS
from goldx.client.local_book import LocalBook
from goldx.protocol import terms
from goldx.protocol.commands import OrderPlace
from goldx.streams import redis_client
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, until
from tests.api.sessions.test_costs import call
from tests.api.test_trading_day import china_today, weekday_after
from tests.turns import longest_turn

ORDERS = 12 * PART_ROWS
CALLS_OF_A_ROW = 30
"""Writing a row takes fewer calls of functions than this."""


async def longest_step(desk: Desk, work: Coroutine[Any, Any, object]) -> int:
    """Return the most calls in one turn of the loop during ``work``, with one step of a session in each turn.

    By the clock, the number of steps in a turn depends on the speed of the machine.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.server.gateway.sessions._turns, "_clock", count(0, 0.6 * SLICE_SECONDS).__next__)
        return await longest_turn(work)


async def place_many(desk: Desk, count: int, prefix: str = "m") -> None:
    about = (desk.symbol, terms.SELL, terms.LIMIT, 1_000)
    asks = [OrderPlace(desk.b, f"{prefix}{n}", *about, 60_000 + n, terms.DAY) for n in range(count)]
    redis = redis_client.connect(desk.services.valkey_url)
    for number in range(0, count, 500):
        frame = CommandFrame(f"{prefix}-{desk.b}.{number}", 1, tuple(asks[number : number + 500]))
        await Journal(redis, Keys(desk.services.shard)).append(frame)
    await redis.aclose()
    await until(lambda: len(desk.server.gateway.view.accounts[desk.b].live) == count)


async def test_a_client_has_the_right_book_though_it_changes(desk: Desk) -> None:
    await place_many(desk, 3 * PART_ROWS)
    async with desk.services.member(desk.server) as trader, desk.services.member(desk.server) as reader:
        book = LocalBook({"symbol": desk.symbol, "name": "", "name_zh": "", "phase": "continuous"})
        reached = 0

        async def follow() -> None:
            nonlocal reached
            async for message in reader.subscribe(f"book.{desk.symbol}"):
                book.apply(message)  # raises WrongBook
                reached = message["sequence"]

        following = asyncio.create_task(follow())
        for number in range(60):
            await trader.place(desk.a, desk.symbol, "buy", "1", f"{500 + number}.00")
        channel = desk.server.gateway.view.channels[f"book.{desk.symbol}"]
        await until(lambda: following.done() or reached == channel.sequence)
        assert not following.done()
        following.cancel()
        assert len(book.asks(10_000)) == 3 * PART_ROWS


async def test_no_subscription_holds_the_loop(desk: Desk) -> None:
    await place_many(desk, ORDERS)
    address = f"{desk.server.url}/ws".replace("http", "ws")

    def subscribe() -> list[str]:
        kinds = []
        with open_socket(address, max_size=None, proxy=None) as connection:
            channels = [f"orders_book.{desk.symbol}", f"book.{desk.symbol}"]
            connection.send(json.dumps(call("channel.subscribe", {"channels": channels})))
            for _ in range(3):
                message = json.loads(connection.recv())
                kinds.append(message.get("params", {}).get("channel", "answer"))
        return kinds

    result: list[str] = []

    async def work() -> None:
        result.extend(await asyncio.to_thread(subscribe))

    longest = await longest_step(desk, work())
    assert result == ["answer", f"orders_book.{desk.symbol}", f"book.{desk.symbol}"]
    print(f"{longest} calls")
    assert longest < CALLS_OF_A_ROW * PART_ROWS


async def test_no_list_of_orders_holds_the_loop(desk: Desk) -> None:
    await place_many(desk, ORDERS)
    longest, result = await longest_turn_of(desk, "FIRM-B", "order.list", account=desk.b)
    found = [order["order_id"] for order in result["orders"]]
    assert found == list(desk.server.gateway.view.accounts[desk.b].live)
    assert len(found) == ORDERS
    print(f"{longest} calls")
    assert longest < CALLS_OF_A_ROW * PART_ROWS


async def longest_turn_of(desk: Desk, holder: str, method: str, **params: str) -> tuple[int, Any]:
    """Send one request with a key; return the most calls in one turn of the loop meanwhile, and the result."""
    address, key = f"{desk.server.url}/ws".replace("http", "ws"), desk.services.keys[holder]

    def ask() -> Any:
        with open_socket(address, max_size=None, proxy=None) as connection:

            def result(method: str, **params: str) -> Any:
                connection.send(json.dumps(call(method, params)))
                answer = json.loads(connection.recv())
                assert "result" in answer, answer
                return answer["result"]

            nonce = result("session.challenge", key_id=key.key_id)["nonce"]
            result("session.logon", key_id=key.key_id, signature=key.sign(nonce.encode()).hex())
            return result(method, **params)

    found: list[Any] = []

    async def work() -> None:
        found.append(await asyncio.to_thread(ask))

    return await longest_step(desk, work()), found[0]


async def test_no_cancel_of_all_orders_holds_the_loop(desk: Desk) -> None:
    """Neither its events, which come in one frame, nor its answer."""
    await place_many(desk, ORDERS)
    placed = list(desk.server.gateway.view.accounts[desk.b].live)
    longest, result = await longest_turn_of(desk, "FIRM-B", "order.cancel_all", account=desk.b)
    assert [order["order_id"] for order in result["orders"]] == placed
    assert {order["status"] for order in result["orders"]} == {"cancelled"}
    assert not desk.server.gateway.view.accounts[desk.b].live
    print(f"{longest} calls")
    assert longest < CALLS_OF_A_ROW * PART_ROWS


async def test_a_book_is_right_while_all_its_orders_are_cancelled(desk: Desk) -> None:
    """The change is published in parts, and whoever subscribes meanwhile begins with a whole book."""
    await place_many(desk, 4 * PART_EVENTS)
    async with desk.services.member(desk.server, "FIRM-B") as owner, desk.services.member(desk.server) as reader:
        book = LocalBook({"symbol": desk.symbol, "name": "", "name_zh": "", "phase": "continuous"})
        sizes = []

        async def follow() -> None:
            async for message in reader.subscribe(f"book.{desk.symbol}"):
                book.apply(message)  # raises WrongBook
                sizes.append(len(book.asks(5 * PART_EVENTS)))

        following = asyncio.create_task(follow())
        await until(lambda: sizes == [4 * PART_EVENTS])
        await owner.call("order.cancel_all", account=desk.b)
        await until(lambda: following.done() or sizes[-1] == 0)
        following.cancel()
        assert sizes == [number * PART_EVENTS for number in (4, 3, 2, 1, 0)]


async def test_neither_a_kill_nor_the_end_of_a_day_holds_the_loop(own_desk: Desk) -> None:
    """They cancel thousands of orders, and all events are in the answer. Nor does the first log-on at a gateway."""
    desk, reason = own_desk, "a test"
    await place_many(desk, ORDERS)
    longest, result = await longest_turn_of(desk, "op", "member.kill", member="FIRM-B", reason=reason)
    assert sum(event["event"] == "order.cancelled" for event in result["events"]) == ORDERS
    await desk.services.operate(desk.server, "member.restore", member="FIRM-B")
    await place_many(desk, ORDERS, "again")
    await desk.services.operate(desk.server, "market.set_phase", symbol=desk.symbol, phase="closed")
    day = weekday_after(china_today()).isoformat()
    at_end, result = await longest_turn_of(desk, "op", "market.end_day", next_trading_day=day, reason=reason)
    assert sum(event["event"] == "order.cancelled" for event in result["events"]) == ORDERS
    print(f"{longest} and {at_end} calls")
    assert max(longest, at_end) < CALLS_OF_A_ROW * PART_ROWS


async def test_no_command_of_an_operator_holds_the_loop(desk: Desk) -> None:
    """Over the WebSocket and over REST: the events of thousands of cancels are all in the answer."""
    await place_many(desk, ORDERS)
    params = {"symbol": desk.symbol, "reason": "a test"}
    longest, result = await longest_turn_of(desk, "op", "market.cancel_orders", **params)
    assert sum(event["event"] == "order.cancelled" for event in result["events"]) == ORDERS
    print(f"{longest} calls")
    assert longest < CALLS_OF_A_ROW * PART_ROWS
    await place_many(desk, PART_ROWS, "again")
    answer = await desk.services.ask_operator(desk.server, "market.cancel_orders", params)
    assert [event["event"] for event in answer.json()["events"]].count("order.cancelled") == PART_ROWS
