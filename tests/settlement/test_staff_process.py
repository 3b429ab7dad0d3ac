"""A separate process answers requests of staff, so that none of them blocks the members' event loop."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api import staff as staff_module
from api.app import GatewayServer
from api.staff import StaffProcess
from goldx.hosting.settings import Settings
from settlement.base import working_days
from tests.http_client import http_client
from tests.settlement.rest import Rest, running, serving
from tests.settlement.small_exchange import ONE, ROW, SmallExchange
from tests.turns import longest_turn

BARS = 120
PAGES = (
    "/lots",
    "/stock",
    "/audit",
    "/exports/bars?format=xlsx",
    "/exports/stock?format=xlsx",
    "/certificates/1/pdf",
)


def ask(server: GatewayServer, rest: Rest, paths: tuple[str, ...]) -> dict[str, int]:
    """Request paths, in another thread than the gateway's; return the sizes of the answers."""
    sizes = {}
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        for path in paths:
            answer = http.get(path, headers=rest._authorization("auditor"))
            # No engine leads the shard of these tests.
            assert answer.status_code == (503 if path == "/health" else 200), (path, answer.text)
            sizes[path] = len(answer.content)
    return sizes


@pytest.mark.campaign
async def test_no_request_holds_the_loop_of_the_members(
    exchange: SmallExchange, migrated_url: str, valkey_url: str, shard: str
) -> None:
    await exchange.issue([{**ROW, "serial": f"S{number}"} for number in range(BARS)])
    async with serving(exchange, Settings(gateway_port=0, shard=shard), valkey_url, migrated_url) as (rest, server):
        assert server.gateway.staff is not None
        await asyncio.to_thread(ask, server, rest, ("/v1/settlement/status",))  # starts the process
        process = server.gateway.staff._process
        assert process is not None
        today = working_days.today()
        account = f"/exports/accounts/A.H?from={today}&to={today}&format=xlsx"
        paths = tuple(f"/v1/settlement{path}" for path in (*PAGES, account))
        paths += ("/openapi.json", "/docs", "/v1/instruments", "/v1/status", "/metrics", "/health")
        passed_on = await longest_turn(asyncio.to_thread(ask, server, rest, paths))
        file = b"serial\n" + b"".join(b"S%d\n" % number for number in range(5_000))
        previewed = await rest("auditor", "POST", "/bar-lists/declared/preview", content=file)
        assert previewed["rows"] == 5_000
        settings = Settings(gateway_port=0, shard=shard, gateway_id="alone", staff_process=False)
        async with running(settings, valkey_url, migrated_url) as alone:
            answered = await longest_turn(asyncio.to_thread(ask, alone, rest, paths))
        print(f"{passed_on} and {answered} calls")
        assert passed_on < answered / 10
    assert process.returncode is not None, "it ends with the gateway"


async def test_answers_are_those_of_the_gateway_itself(
    rest: Rest, migrated_url: str, valkey_url: str, shard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff_module, "CHECK_SECONDS", 0.1)
    own = await rest("auditor", "GET", "/audit")
    refused = await rest("M1", "GET", "/audit", 403)
    settings = Settings(gateway_port=0, shard=shard, gateway_id="second", staff_patience_seconds=3)
    async with (
        running(settings, valkey_url, migrated_url) as server,
        http_client(server.url, timeout=60) as http,
    ):
        passed_on = Rest(http, rest._keys)
        assert await passed_on("auditor", "GET", "/audit") == own
        assert await passed_on("M1", "GET", "/audit", 403) == refused
        await passed_on("auditor", "GET", "/lots/abc", 422)
        forged = {"goldx-principal": json.dumps(["auditor", "", None, "auditor", ["supervise"]])}
        assert (await http.get("/v1/settlement/audit", headers=forged)).status_code == 401
        warehouse = {"code": "XM2", "name": "Two", "place": "Xiamen"}
        await passed_on(ONE, "POST", "/warehouses", 422, json={})
        await passed_on(ONE, "POST", "/warehouses", 422, content=json.dumps(warehouse).encode() + b"x")

        # It hangs: whoever waits is answered, and the next request starts another.
        staff = server.gateway.staff
        assert staff is not None
        hanging = staff._process
        assert hanging is not None
        os.kill(hanging.pid, signal.SIGSTOP)
        await passed_on("auditor", "GET", "/audit", 504)
        assert (await hanging.wait(), staff.hangs) == (-signal.SIGKILL, 1)
        status = (await http.get("/v1/status")).json()
        assert (status["staff_hangs"], status["staff_silent_ms"]) == (1, 0)
        assert await passed_on("auditor", "GET", "/audit") == own, "it is started again"


@pytest.mark.campaign
async def test_an_idle_connection_stays_open_for_longer_than_clients_use_it(
    exchange: SmallExchange, migrated_url: str, valkey_url: str, shard: str
) -> None:
    """A request on a connection that the server is just closing would be lost (httpx keeps one for 5 s)."""
    settings = Settings(gateway_port=0, shard=shard)
    async with serving(exchange, settings, valkey_url, migrated_url) as (rest, server):
        await rest("auditor", "GET", "/audit")
        staff = server.gateway.staff
        assert staff is not None
        assert staff._folder is not None
        url = urlsplit(server.url)
        for reader, writer in (
            await asyncio.open_unix_connection(staff._folder / staff_module.SOCKET),
            await asyncio.open_connection(url.hostname, url.port),
        ):
            for pause in (0.0, staff_module.IDLE_SECONDS + 0.5):
                await asyncio.sleep(pause)
                writer.write(b"GET /v1/nothing HTTP/1.1\r\nhost: gateway\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 404 "), head
                (length,) = re.findall(rb"content-length: (\d+)", head)
                await reader.readexactly(int(length))
            writer.close()


async def test_the_process_ends_with_a_gateway_that_is_killed(
    exchange: SmallExchange, migrated_url: str, valkey_url: str, shard: str
) -> None:
    settings = Settings(gateway_port=0, shard=shard)
    async with serving(exchange, settings, valkey_url, migrated_url) as (rest, server):
        await rest("auditor", "GET", "/audit")
        staff = server.gateway.staff
        assert staff is not None
        assert staff._process is not None
        assert staff._process.stdin is not None
        staff._process.stdin.close()  # as the system does when the gateway has ended
        await staff._process.wait()


async def test_an_answer_that_breaks_off_is_begun_once(folder: Path) -> None:
    """Uvicorn ends the connection of an incomplete answer; a second beginning would be an error of its own."""

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789")
        await writer.drain()
        writer.close()

    staff = StaffProcess(Settings(), "unix:///nowhere", "postgresql+asyncpg:///nowhere")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "raw_path": b"/v1/settlement/lots", "query_string": b"", "headers": []}
    async with await asyncio.start_unix_server(break_off, folder / "s"):
        staff._process = await asyncio.create_subprocess_exec("sleep", "60")
        staff._client = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(folder / "s")))
        await staff.answer(scope, [], send)
        await staff.stop()
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert sent[0]["status"] == 200
    assert all(message.get("more_body", True) for message in sent), "nothing says that the answer is complete"


async def test_a_process_that_computes_is_not_taken_for_one_that_hangs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file keeps the process from answering anybody else; it may take as long as a request may."""
    monkeypatch.setattr(staff_module, "CHECK_SECONDS", 0.05)

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    ended = asyncio.Event()
    watches: list[asyncio.Task[None]] = []
    staffs: list[StaffProcess] = []
    async with await asyncio.start_unix_server(say_nothing, folder / staff_module.SOCKET):
        for program in ("while True: pass", "import time; time.sleep(60)"):
            staff = StaffProcess(Settings(staff_patience_seconds=3), "unix:///nowhere", "postgresql+asyncpg:///nowhere")
            staff._process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
            staff._client, staff._folder = http_client(), folder
            staffs.append(staff)
            watches.append(asyncio.create_task(staff.watch()))
        busy, idle = staffs
        assert idle._process is not None
        assert busy._process is not None
        assert await idle._process.wait() == -signal.SIGKILL
        assert (idle.hangs, busy.hangs, busy._process.returncode) == (1, 0, None)
        monkeypatch.setattr(staff_module, "ANSWER_SECONDS", 3.0)
        assert await busy._process.wait() == -signal.SIGKILL, "no request may take longer"
        ended.set()
    for task in watches:
        task.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
