"""Clients that subscribe to a large book while it changes; no subscription blocks the loop."""

import asyncio
import json
from typing import Any

from websockets.sync.client import connect as open_socket

from api.view.channels import PART_ROWS
from goldx.client.local_book import LocalBook
from goldx.protocol import terms
from goldx.protocol.commands import OrderPlace
from goldx.streams import redis_client
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, until
from tests.api.sessions.test_costs import call
from tests.turns import longest_turn

ORDERS = 12 * PART_ROWS
CALLS_OF_A_ROW = 60
"""Writing a row takes fewer calls of functions than this."""


async def place_many(desk: Desk, count: int) -> None:
    asks = [OrderPlace(desk.b, f"m{n}", desk.symbol, terms.SELL, 0, 1_000, 60_000 + n) for n in range(count)]
    redis = redis_client.connect(desk.services.valkey_url)
    for number in range(0, count, 500):
        frame = CommandFrame(f"many-{desk.b}.{number}", 1, tuple(asks[number : number + 500]))
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

    longest = await longest_turn(work())
    assert result == ["answer", f"orders_book.{desk.symbol}", f"book.{desk.symbol}"]
    print(f"{longest} calls")
    assert longest < CALLS_OF_A_ROW * PART_ROWS


async def test_no_list_of_orders_holds_the_loop(desk: Desk) -> None:
    await place_many(desk, ORDERS)
    address, key = f"{desk.server.url}/ws".replace("http", "ws"), desk.services.keys["FIRM-B"]

    def ask() -> list[int]:
        with open_socket(address, max_size=None, proxy=None) as connection:

            def result(method: str, **params: str) -> Any:
                connection.send(json.dumps(call(method, params)))
                return json.loads(connection.recv())["result"]

            nonce = result("session.challenge", key_id=key.key_id)["nonce"]
            result("session.logon", key_id=key.key_id, signature=key.sign(nonce.encode()).hex())
            orders = result("order.list", account=desk.b)["orders"]
            return [order["order_id"] for order in orders]

    found: list[int] = []

    async def work() -> None:
        found.extend(await asyncio.to_thread(ask))

    longest = await longest_turn(work())
    assert found == list(desk.server.gateway.view.accounts[desk.b].live)
    assert len(found) == ORDERS
    print(f"{longest} calls")
    assert longest < CALLS_OF_A_ROW * PART_ROWS
