"""A client that does not read is cut off with code 4001; a client that gets much to read at once is not."""

import asyncio
import json
import socket as sockets
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.app import GatewayServer
from goldx.client.errors import ExchangeError
from tests.api.conftest import Desk, ShardServices, until
from tests.api.sessions.raw import ask, logged_on, request

ORDERS = 400
"""The list of so many orders, and the messages of their end, each exceed the least ``session_queue_kb``, 64."""


SMALL_BUFFER = 4_096


def socket(server: GatewayServer) -> connect:
    """Connect with small buffers in the system, so that a client that does not read fills them at once."""
    listening = server.servers[0].sockets[0]
    listening.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SMALL_BUFFER)  # accepted sockets inherit it
    own = sockets.socket()
    own.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, SMALL_BUFFER)
    own.connect(listening.getsockname())
    url = server.url.replace("http", "ws") + "/ws"
    return connect(url, proxy=None, compression=None, max_size=None, sock=own)


async def close_code(connection: ClientConnection) -> int:
    """Read to the end, and return the gateway's close code."""

    async def read_on() -> None:
        while True:
            await connection.recv()

    with pytest.raises(ConnectionClosed) as closed:
        await read_on()
    assert closed.value.rcvd is not None, "no close has arrived"
    return closed.value.rcvd.code


async def test_what_a_client_asks_for_at_once_does_not_cut_it_off(services: ShardServices, desk: Desk) -> None:
    server = await services.start_gateway("small", session_queue_kb=64)
    account, channel = desk.a, f"account.{desk.a}"
    async with logged_on(services, server) as connection, services.member(server) as member:
        await asyncio.gather(
            *(member.place(account, desk.symbol, "buy", "1", "590.00", f"o{number}") for number in range(ORDERS))
        )
        numbers = [order["order_id"] for order in await member.orders(account)]
        assert (len(numbers), numbers) == (ORDERS, sorted(numbers))
        for _ in range(2):
            assert len((await ask(connection, "order.list", account=account))["orders"]) == ORDERS
        # Several answers in one turn, then the past of the account, and a message for each order that ends.
        for _ in range(3):
            await connection.send(request("order.list", account=account))
        for _ in range(3):
            answer = await connection.recv()
            assert len(answer) > server.gateway.settings.session_queue_kb * 1_024
        assert await ask(connection, "channel.subscribe", channels=[channel], from_sequence=0)
        await connection.send(request("order.cancel_all", account=account))
        found, cancelled = 0, 0
        while not cancelled:
            message = json.loads(await connection.recv())
            found += "params" in message
            cancelled = len(message.get("result", {}).get("orders", ()))
        assert cancelled == ORDERS
        assert (await ask_between(connection, "session.heartbeat")) == {}
    await services.stop_gateway(server)


async def ask_between(connection: ClientConnection, method: str) -> object:
    """Return the result of a method, ignoring messages of channels before it."""
    await connection.send(request(method))
    while "result" not in (message := json.loads(await connection.recv())):
        pass
    return message["result"]


async def test_the_past_of_an_account_does_not_cut_off_who_reads_it(services: ShardServices, desk: Desk) -> None:
    server = await services.start_gateway("patient", session_queue_kb=64)
    channel = server.gateway.view.accounts[desk.a].channel
    async with services.member(server) as member:
        while channel.oldest == 1:
            await asyncio.gather(*(member.place(desk.a, desk.symbol, "buy", "1", "590.00") for _ in range(300)))
            await member.cancel_all(desk.a)
    newest = channel.sequence
    async with logged_on(services, server) as connection:
        await connection.send(request("channel.subscribe", channels=[channel.name], from_sequence=0))
        found: list[int] = []
        while not found or found[-1] != newest:
            message = json.loads(await connection.recv())
            if "params" in message:
                found.append(message["params"]["sequence"])
            if len(found) % 100 == 0:
                await asyncio.sleep(0.01)
        assert found == list(range(1, newest + 1))
        assert await ask_between(connection, "session.heartbeat") == {}
    await services.stop_gateway(server)


async def test_orders_are_listed_in_pages(desk: Desk) -> None:
    second = Desk(desk.services, desk.server, 30_000)
    await second.open()
    async with desk.services.member(desk.server) as member:
        for number in range(11):
            symbol = second.symbol if number % 3 == 0 else desk.symbol
            if number % 3 == 0:
                await desk.services.fund(desk.server, **{desk.a: {second.symbol: 1_000_000}})
            await member.place(desk.a, symbol, "sell", "1", "610.00")
        everything = (await member.call("order.list", account=desk.a))["orders"]
        for only in (None, desk.symbol):
            wanted = [order for order in everything if only in (None, order["symbol"])]
            for limit in (1, 2, len(wanted) - 1, len(wanted), 1_000):
                found: list[Any] = []
                after: int | None = 0
                while after is not None:
                    page = await member.call("order.list", account=desk.a, symbol=only, limit=limit, after=after)
                    assert 0 < len(page["orders"]) <= limit
                    found += page["orders"]
                    after = page["next"]
                assert found == wanted
        for name, value in (("limit", 0), ("limit", 1_001), ("after", -1), ("after", "1")):
            with pytest.raises(ExchangeError) as refused:
                await member.call("order.list", account=desk.a, **{name: value})
            assert refused.value.data["field"] == name


async def test_a_client_that_does_not_read_is_cut_off_and_no_other_is(services: ShardServices, desk: Desk) -> None:
    server = await services.start_gateway(
        "bounded", session_queue_kb=64, anonymous_rate=1_000_000, anonymous_burst=1_000_000
    )
    async with socket(server) as slow, services.member(server) as other:
        slow.transport.pause_reading()
        while len(server.gateway.sessions) == 2:
            await slow.send(request("market.instruments"))
        assert (await other.call("market.status", symbol=desk.symbol))["phase"] == "continuous"
        slow.transport.resume_reading()
        assert await close_code(slow) == 4001
        assert (await other.call("market.status", symbol=desk.symbol))["phase"] == "continuous"
    await services.stop_gateway(server)


async def test_a_client_that_stops_reading_is_a_slow_consumer(services: ShardServices, desk: Desk) -> None:
    """Its orders end with its session, even before it reads the close."""
    server = await services.start_gateway("pinging")
    server.config.ws_ping_interval = server.config.ws_ping_timeout = 0.3
    async with logged_on(services, server) as stopped:
        order = {"account": desk.a, "symbol": desk.symbol, "side": "buy", "type": "limit", "price": "500.00"}
        await ask(stopped, "order.place", **order, quantity="1", client_order_id="rests")
        await asyncio.sleep(1)
        assert await ask(stopped, "session.heartbeat") == {}, "a client that answers pings stays connected"
        stopped.transport.pause_reading()
        await until(lambda: not server.gateway.view.accounts[desk.a].live)
        stopped.transport.resume_reading()
        assert await close_code(stopped) == 4001
    await services.stop_gateway(server)


async def test_a_client_that_never_reads_the_close_is_cut_off(services: ShardServices) -> None:
    server = await services.start_gateway("finite", session_queue_kb=64, anonymous_rate=10**6, anonymous_burst=10**6)
    async with socket(server) as slow:
        slow.transport.pause_reading()
        (link,) = server.gateway.sessions._links.values()
        link.close_timeout = 0.5
        while len(server.gateway.sessions) == 1:
            await slow.send(request("market.instruments"))
        await until(lambda: link.disconnected)
        slow.transport.abort()  # a close would wait for an answer that this client does not read
    await services.stop_gateway(server)
