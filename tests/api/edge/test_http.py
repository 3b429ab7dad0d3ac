"""A gateway limits what it reads from unknown clients: size and time of heads and bodies, number of connections."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from api.app import GatewayServer
from api.edge import admission, http
from api.sessions import sessions
from tests.api.conftest import ShardServices, until

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(server: GatewayServer) -> AsyncIterator[Connection]:
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    yield reader, writer
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def answer_to(server: GatewayServer, *parts: bytes) -> tuple[int, dict[str, Any]]:
    """Send parts of a request; return status and body of the answer once the gateway has closed the connection."""
    async with connected(server) as (reader, writer):
        for part in parts:
            writer.write(part)
            with contextlib.suppress(OSError):
                await writer.drain()
        return parsed(await reader.read())


def parsed(answer: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def request(method: str, path: str, **fields: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: x", *(f"{name.replace('_', '-')}: {fields[name]}" for name in fields)]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_a_head_without_end_is_refused(gateway: GatewayServer) -> None:
    sent = 0
    async with connected(gateway) as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nx: ")
        with contextlib.suppress(OSError):
            while not reader.at_eof() and sent < 8 << 20:
                writer.write(b"y" * 65_536)
                await writer.drain()
                sent += 65_536
                await asyncio.sleep(0)
        status, body = parsed(await reader.read())
    assert status == 431
    assert f"more than {http.HEAD_BYTES} bytes" in body["detail"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({f"x{number}": "y" for number in range(http.HEAD_FIELDS + 1)}, 431),
        ({f"x{number}": "y" * 1_000 for number in range(40)}, 431),
    ],
)
async def test_a_head_of_too_many_fields_is_refused(
    gateway: GatewayServer, fields: dict[str, str], status: int
) -> None:
    assert (await answer_to(gateway, request("GET", "/health", **fields)))[0] == status


async def test_what_is_not_http_is_refused(gateway: GatewayServer) -> None:
    assert (await answer_to(gateway, b"\x16\x03\x01 nonsense\r\n\r\n"))[0] == 400


async def test_too_many_requests_in_advance_are_refused(gateway: GatewayServer) -> None:
    async with connected(gateway) as (reader, writer):
        writer.write(request("GET", "/v1/status") * 1_000)
        assert (await reader.read()).count(b"HTTP/1.1 200") <= http.WAITING_REQUESTS + 1


@pytest.mark.parametrize(
    ("begin", "limit"),
    [
        (b"", "HEAD_SECONDS"),
        (b"\r\n", "HEAD_SECONDS"),
        (b"GET /health HT", "HEAD_SECONDS"),
        (b"GET /health HTTP/1.1\r\nx: y", "HEAD_SECONDS"),
    ],
)
async def test_a_half_sent_head_ends(
    gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch, begin: bytes, limit: str
) -> None:
    monkeypatch.setattr(http, limit, 0.1)
    async with connected(gateway) as (reader, writer):
        writer.write(begin)
        answer = await reader.read()
    assert answer[:12] in (b"", b"HTTP/1.1 408")
    assert bool(answer) == (len(begin) > 0)


async def test_a_half_sent_body_ends(
    services: ShardServices, gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.1)
    token = f"Bearer {services.keys['op'].bearer_token()}"
    head = request("POST", "/v1/operator/commands", authorization=token, content_length="100")
    assert (await answer_to(gateway, head, b"{"))[0] == 408


async def test_a_half_sent_message_ends_its_connection(gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MESSAGE_SECONDS", 0)
    async with open_socket(f"{gateway.url}/ws".replace("http", "ws"), proxy=None) as connection:
        await connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session.heartbeat"}))
        await connection.recv()
        connection.transport.write(b"\x81\xfe")
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 4000


async def test_a_body_is_not_read_without_a_token(gateway: GatewayServer) -> None:
    head = request("POST", "/v1/settlement/bar-lists/declared", content_length=str(300 << 20))
    async with connected(gateway) as (reader, writer):
        writer.write(head)  # without any of the body
        status, body = parsed(await reader.read())
    assert (status, body["reason"]) == (401, "NOT_PERMITTED")
    wrong = request("POST", "/v1/operator/commands", authorization="Bearer x.y.z", transfer_encoding="chunked")
    assert (await answer_to(gateway, wrong))[0] == 401


async def test_a_body_is_read_up_to_a_size(services: ShardServices, gateway: GatewayServer) -> None:
    staff, member = (f"Bearer {services.keys[name].bearer_token()}" for name in ("op", "FIRM-A"))
    commands, settlement = "/v1/operator/commands", "/v1/settlement/bar-lists/declared"
    too_large = str(admission.JSON_BYTES + 1)
    json_type = "application/json"
    for path, token, kind, size in (
        (commands, staff, json_type, str(admission.COMMAND_BYTES + 1)),
        (settlement, staff, json_type, too_large),
        (settlement, member, "text/csv", too_large),
        (settlement, staff, "text/csv", str(admission.FILE_BYTES + 1)),
    ):
        head = request("POST", path, authorization=token, content_type=kind, content_length=size)
        assert (await answer_to(gateway, head))[0] == 413
    head = request("POST", settlement, authorization=staff, content_type=json_type, transfer_encoding="chunked")
    chunk = b"%x\r\n%s\r\n" % (100_000, b" " * 100_000)
    assert (await answer_to(gateway, head, *[chunk] * 12))[0] == 413


async def test_connections_of_an_address_are_limited(services: ShardServices) -> None:
    small = await services.start_gateway("small", connections_per_address=3)
    address = f"{small.url}/ws".replace("http", "ws")
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(open_socket(address, proxy=None)) for _ in range(2)]
        await stack.enter_async_context(connected(small))
        status, body = await answer_to(small)
        assert (status, body["detail"]) == (429, "3 connections of this address are open already")
        with pytest.raises(InvalidHandshake):
            async with open_socket(address, proxy=None):
                pass
        await sockets[0].close()
        await until(lambda: len(small.gateway.sessions) == 1)
        async with connected(small) as (reader, writer):
            writer.write(request("GET", "/health"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await services.stop_gateway(small)


async def test_requests_without_a_token_have_an_allowance(services: ShardServices) -> None:
    server = await services.start_gateway("frugal", anonymous_rate=1, anonymous_burst=3)
    close = {"connection": "close"}
    try:
        answers = [await answer_to(server, request("GET", "/v1/instruments", **close)) for _ in range(5)]
        assert {status for status, _ in answers} == {200, 429}
        refused = next(body for status, body in answers if status == 429)
        assert refused["reason"] == "RATE_LIMITED"
        assert (await answer_to(server, request("GET", "/health", **close)))[0] == 200
        token = f"Bearer {services.keys['op'].bearer_token()}"
        assert (await answer_to(server, request("GET", "/v1/instruments", authorization=token, **close)))[0] == 200
        wrong_token = request("GET", "/v1/status", authorization="Bearer x.y.z", **close)
        wrong = [await answer_to(server, wrong_token) for _ in range(3)]
        assert [status for status, _ in wrong] == [401, 429, 429]
    finally:
        await services.stop_gateway(server)


async def test_a_nonce_is_good_for_a_while(
    services: ShardServices, gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "NONCE_SECONDS", -1)
    member = services.member(gateway)
    with pytest.raises(Exception, match="within -1 s"):
        await member._connection._open_socket()


async def test_a_body_of_any_depth_is_refused_and_not_a_failure(
    services: ShardServices, gateway: GatewayServer
) -> None:
    """Values that can just be parsed must not make the error itself fail."""
    for depth in (20, *range(850, 1_000, 10), 20_000):
        value = "[" * depth + "]" * depth
        body = f'{{"method":"market.set_phase","params":{{"symbol":{value},"phase":"closed"}}}}'.encode()
        head = request(
            "POST",
            "/v1/operator/commands",
            authorization=f"Bearer {services.keys['op'].bearer_token()}",
            content_type="application/json",
            content_length=str(len(body)),
            connection="close",
        )
        status, problem = await answer_to(gateway, head, body)
        assert status in (400, 422), (depth, problem)
