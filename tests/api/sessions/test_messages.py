"""Malformed messages get the standard error that names what is wrong, and the connection survives."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.app import GatewayServer
from goldx.client.errors import ExchangeError
from tests.api.conftest import Desk, ShardServices, until


def socket(server: GatewayServer) -> connect:
    return connect(server.url.replace("http", "ws") + "/ws", proxy=None, compression=None, max_size=None)


async def ask(connection: ClientConnection, message: Any) -> Any:
    await connection.send(message if isinstance(message, str | bytes) else json.dumps(message))
    return json.loads(await connection.recv())


def call(method: Any, params: Any = None, number: Any = 1) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": number, "method": method}
    return message if params is None else message | {"params": params}


def nested(depth: int) -> dict[str, Any]:
    """Return a call with a parameter of ``depth`` levels."""
    value: Any = "x"
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return call("market.book", {"symbol": value})


MALFORMED = [
    ("", -32700),
    ("{", -32700),
    ("[" * 5_000, -32700),
    ('{"jsonrpc":"2.0","method":"\\ud800"}', -32700),
    *(("[" * depth + "]" * depth, -32600) for depth in (17, 300, 700)),
    *((nested(depth), -32600) for depth in (16, 300, 700)),
    (nested(14), -32602),
    ([nested(500)], -32600),
    (b"\xff\xfe", -32700),
    ("null", -32600),
    ("[]", -32600),
    ("7", -32600),
    ({"id": 1, "method": "session.heartbeat"}, -32600),
    ({"jsonrpc": "1.0", "id": 1, "method": "session.heartbeat"}, -32600),
    (call(7), -32600),
    (call(None), -32600),
    (call("session.heartbeat", "x"), -32600),
    (call("session.heartbeat", None, {"a": 1}), -32600),
    (call("session.heartbeat", None, True), -32600),
    (call("session.heartbeat", None, 10**400), -32600),
    (call("order.steal"), -32601),
    (call("settlement.pay"), -32601),
    (call("holding.adjust", {"account": "X", "asset": "CNY", "amount": "1", "reference": "r"}), -32601),
    (call("session.close", {"member": "FIRM-A", "session": "s"}), -32601),
    (call("clock.tick"), -32601),
    (call("session.heartbeat", [1]), -32602),
    (call("session.heartbeat", {"extra": 1}), -32602),
    (call("market.book", {}), -32602),
    (call("market.book", {"symbol": 5}), -32602),
    (call("market.book", {"symbol": "a b"}), -32602),
    (call("market.book", {"symbol": "AU", "depth": 0}), -32602),
    (call("market.book", {"symbol": "NOTHING"}), -32000),
    (call("session.challenge", {}), -32602),
    (call("session.logon", {"key_id": "x", "signature": "00"}), -32602),
    (call("session.logon", {"key_id": "x", "signature": "0" * 128}), -32000),
    (call("channel.subscribe", {"channels": "book.AU"}), -32602),
    (call("channel.subscribe", {"channels": []}), -32602),
    (call("channel.subscribe", {"channels": ["book.NOTHING"]}), -32602),
    (call("channel.subscribe", {"channels": ["book"], "from_sequence": -1}), -32602),
    (call("order.place", {"account": "X"}), -32000),
]


async def test_malformed_messages_get_errors_and_the_connection_survives(gateway: GatewayServer) -> None:
    async with socket(gateway) as connection:
        for message, code in MALFORMED:
            answer = await ask(connection, message)
            assert answer.get("error", {}).get("code") == code, (message, answer)
            assert len(answer["error"]["message"]) > 5
        assert (await ask(connection, call("session.heartbeat")))["result"] == {}


async def test_a_connection_survives_nesting_of_any_depth(gateway: GatewayServer) -> None:
    """A message that can just be parsed must not be nested too deeply to be repeated in the error."""
    async with socket(gateway) as connection:
        for depth in (*range(15, 40), *range(850, 1_010, 3)):
            value = "[" * depth + "]" * depth
            call_text = f'{{"jsonrpc":"2.0","id":1,"method":"market.book","params":{{"symbol":{value}}}}}'
            for message in (value, call_text, f"[{call_text}]"):
                answer = await ask(connection, message)
                error = (answer[0] if isinstance(answer, list) else answer)["error"]
                assert error["code"] in (-32600, -32602, -32700)
        assert (await ask(connection, call("session.heartbeat")))["result"] == {}


async def test_the_error_of_a_bad_value_names_the_field_and_what_is_allowed(desk: Desk) -> None:
    order = {"account": desk.a, "client_order_id": "x", "symbol": desk.symbol, "side": "buy", "type": "limit"}
    order |= {"quantity": "10", "price": "600.00"}
    bad: dict[str, list[Any]] = {
        "price": [600, 600.0, "600.001", "-1", "1e3", "", "0", None, [], "९"],
        "quantity": ["0", "-5", 5, "0.0001", "1" * 30],
        "side": ["BUY", 0, ""],
        "type": ["stop"],
        "time_in_force": ["gtc", 1],
        "expire_at": ["tomorrow", 1.5, -1],
        "post_only": ["yes", 1],
        "client_order_id": ["", "a" * 33, "ä", 7],
        "symbol": ["../x"],
        "session": ["another's"],
        "by": ["me"],
        "nonsense": [1],
    }
    async with desk.services.member(desk.server) as member:
        for field, values in bad.items():
            for value in values:
                with pytest.raises(ExchangeError) as refused:
                    await member._connection._request("order.place", order | {field: value})
                wanted = ("BAD_PRICE",) if field == "price" and value is None else ("-32602",)
                assert refused.value.reason in wanted, (field, value, str(refused.value))
                if wanted == ("-32602",):
                    assert refused.value.data["field"] == field
                    assert refused.value.data["allowed"] in str(refused.value)
        assert await member.orders(desk.a) == []


async def test_batches_and_notifications(desk: Desk) -> None:
    async with socket(desk.server) as connection:
        book = {"symbol": desk.symbol}
        await connection.send(json.dumps({"jsonrpc": "2.0", "method": "session.heartbeat"}))
        answers = await ask(
            connection,
            [
                call("market.status", book, "a"),
                {"jsonrpc": "2.0", "method": "session.heartbeat"},
                5,
                call("nonsense", {}, 2),
            ],
        )
        by_id = {answer["id"]: answer for answer in answers}
        assert len(answers) == 3
        assert by_id["a"]["result"]["phase"] == "continuous"
        assert by_id[None]["error"]["code"] == -32600
        assert by_id[2]["error"]["code"] == -32601


async def test_orders_without_request_ids_are_placed_and_not_answered(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        order = {"account": desk.a, "symbol": desk.symbol, "side": "buy", "type": "limit", "price": "500.00"}
        calls = [call("order.place", order | {"client_order_id": f"b{n}", "quantity": "1"}) for n in range(50)]
        for one in calls:
            del one["id"]
        assert member._connection._socket is not None
        await member._connection._socket.send(json.dumps(calls))
        await until(lambda: len(desk.server.gateway.view.accounts[desk.a].live) == 50)
        assert len(await member.orders(desk.a)) == 50


async def test_a_message_over_64_kib_closes_the_connection(gateway: GatewayServer) -> None:
    async with socket(gateway) as connection:
        fits = json.dumps(call("session.heartbeat", {"x": "y" * 60_000}))
        assert (await ask(connection, fits))["error"]["code"] == -32602
        with pytest.raises(ConnectionClosed) as closed:
            await ask(connection, "[" + " " * 65_536)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_fragmented_messages_are_put_together(gateway: GatewayServer) -> None:
    async with socket(gateway) as connection:
        text = json.dumps(call("session.heartbeat"))
        await connection.send([text[:10], text[10:20], text[20:]])
        assert json.loads(await connection.recv())["result"] == {}


async def test_the_rate_limit_says_when_to_retry_and_spares_cancels(services: ShardServices, desk: Desk) -> None:
    server = await services.start_gateway("limited", session_rate=1, session_burst=3)
    async with services.member(server) as member:
        calls = [member.call("market.status", symbol=desk.symbol) for _ in range(5)]
        with pytest.raises(ExchangeError) as refused:
            await asyncio.gather(*calls)
        assert refused.value.reason == "RATE_LIMITED"
        assert 0 < refused.value.data["retry_after_ms"] <= 2_000
        assert await member.cancel_all(desk.a) == {"orders": []}
    await services.stop_gateway(server)


async def test_an_idle_session_is_closed(services: ShardServices) -> None:
    server = await services.start_gateway("impatient", session_idle_seconds=1)
    member = services.member(server)
    await member._connection._open_socket()
    assert member._connection._socket is not None
    await member._connection._socket.wait_closed()
    assert member._connection._socket.close_code == 4000
    await services.stop_gateway(server)
