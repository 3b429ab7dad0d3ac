"""A real gateway for the tests: its uvicorn server in this loop, a real engine process, Valkey and PostgreSQL."""

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from api.app import GatewayServer
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
from goldx.hosting.servers import Server
from goldx.hosting.settings import Settings
from goldx.protocol.commands import AnyCommand, HoldingAdjust
from goldx.streams import redis_client
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.timetable import calendar
from goldx.timetable.venue_time import today
from settlement.base import database, registry
from tests.http_client import http_client

ENGINE = """
from goldx.streams import gateway_entries
gateway_entries.LOST_READS = 1_000_000
from goldx.cli import main
main()
"""
"""The program ``goldx`` with an engine that notices no lost gateway: those of the tests stand still for long, as they
share their loop with tests that hold it."""
_numbers = itertools.count(1)


class ShardServices:
    """The services of one shard: an engine process and gateways; and the keys of two members and an operator."""

    def __init__(self, valkey_url: str, database_url: str, shard: str) -> None:
        self.valkey_url = valkey_url
        self.database_url = database_url
        self.shard = shard
        self.keys: dict[str, Key] = {}
        self._servers: dict[GatewayServer, asyncio.Task[None]] = {}
        self.other_gateways: list[asyncio.subprocess.Process] = []
        """Gateways that run as processes of their own (``tests.api.gateway_process``)."""
        self._engine: asyncio.subprocess.Process | None = None
        self._frames = 0

    def settings(self, **values: Any) -> Settings:
        # All clients of the tests come from one address.
        values = {"staff_process": False, "connections_per_address": 1_000, **values}
        return Settings(shard=self.shard, gateway_port=0, allow_weak_durability=True, **values)

    async def register(self) -> None:
        await database.migrate(self.database_url)
        engine = database.connect(self.database_url)
        async with engine.begin() as connection:
            for member in ("FIRM-A", "FIRM-B"):
                await registry.add_member(connection, "test", member, member)
                await self._add_key(connection, member, member_code=member)
            await registry.add_staff(connection, "test", "op", "Operations", ("operate", "supervise"))
            await self._add_key(connection, "op", staff_code="op", permissions=("operate", "supervise"))
        await engine.dispose()

    async def _add_key(self, connection: Any, name: str, **holder: Any) -> None:
        key = self.keys[name] = Key.generate(f"{name}.key")
        await registry.add_key(connection, "test", key.key_id, key.public_bytes, **holder)

    async def start_engine(self, program: str = ENGINE) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLDX_")}
        environment |= {
            "GOLDX_REDIS_URL": self.valkey_url,
            "GOLDX_SHARD": self.shard,
            "GOLDX_ALLOW_WEAK_DURABILITY": "true",
        }
        self._engine = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            "engine",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._engine.stdout is not None
        line = b"PROGRESS"
        while line.startswith(b"PROGRESS"):
            line = await asyncio.wait_for(self._engine.stdout.readline(), 30)
        assert line.startswith(b"READY engine"), line

    async def stop_engine(self) -> None:
        if self._engine is not None and self._engine.returncode is None:
            self._engine.terminate()
            await self._engine.wait()

    async def start_gateway(self, gateway_id: str = "gateway-1", **values: Any) -> GatewayServer:
        redis_url = values.pop("redis_url", self.valkey_url)
        settings = self.settings(gateway_id=gateway_id, **values)
        server = GatewayServer(settings, redis_url, self.database_url)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
            assert not task.done(), "the gateway did not start"
        self._servers[server] = task
        return server

    async def stop_gateway(self, server: GatewayServer) -> None:
        server.should_exit = True
        await self._servers.pop(server)

    async def stop_gateways(self, keep: GatewayServer | None = None) -> None:
        while self.other_gateways:
            process = self.other_gateways.pop()
            if process.returncode is None:
                process.kill()
                await process.wait()
        for server in tuple(self._servers):
            if server is not keep:
                await self.stop_gateway(server)

    async def stop(self) -> None:
        await self.stop_gateways()
        await self.stop_engine()

    def member(self, server: GatewayServer, name: str = "FIRM-A", **more: Any) -> ExchangeClient:
        return connect(server.url, self.keys[name], **more)

    async def add_operator(self, name: str) -> Key:
        """Register another operator and return a key of theirs."""
        engine = database.connect(self.database_url)
        async with engine.begin() as connection:
            await registry.add_staff(connection, "test", name, name, ("operate",))
            await self._add_key(connection, name, staff_code=name, permissions=("operate",))
        await engine.dispose()
        return self.keys[name]

    async def ask_operator(self, server: GatewayServer, method: str, params: dict[str, Any]) -> httpx.Response:
        """Return the answer to one command of the operator."""
        headers = {"Authorization": f"Bearer {self.keys['op'].bearer_token()}"}
        async with http_client(server.url, timeout=20) as http:
            body = {"method": method, "params": {"reason": "a test", **params}}
            return await http.post("/v1/operator/commands", json=body, headers=headers)

    async def operate(self, server: GatewayServer, method: str, **params: Any) -> list[dict[str, Any]]:
        answer = await self.ask_operator(server, method, params)
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    async def send(self, *commands: AnyCommand) -> None:
        """Append commands to the journal as settlement does."""
        self._frames += 1
        redis = redis_client.connect(self.valkey_url)
        await Journal(redis, Keys(self.shard)).append(CommandFrame("settlement.test", self._frames, commands))
        await redis.aclose()

    async def fund(self, server: GatewayServer, **amounts: dict[str, int]) -> None:
        """Add money (fen) and gold (fine mg) to accounts as settlement does, and wait until the gateway shows it."""
        number = self._frames + 1
        commands = (
            HoldingAdjust(account, asset, amount, f"fund-{number}-{account}-{asset}")
            for account, assets in amounts.items()
            for asset, amount in assets.items()
        )
        await self.send(*commands)
        account, assets = list(amounts.items())[-1]
        await until(lambda: list(assets)[-1] in server.gateway.view.accounts[account].holdings)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition. The test's time limit ends the wait."""
    while not condition():
        await asyncio.sleep(0.005)


class Desk:
    """The instrument of one test, in continuous trading, and an account of each member with 1,000,000 CNY and 10 kg."""

    def __init__(self, services: ShardServices, server: GatewayServer, number: int) -> None:
        self.services = services
        self.server = server
        self.symbol = f"AU-{number}"
        self.a = f"A.{number}"
        self.b = f"B.{number}"

    async def open(self) -> None:
        for account, member in ((self.a, "FIRM-A"), (self.b, "FIRM-B")):
            await self.services.operate(self.server, "account.open", account=account, member=member)
        await self.services.operate(self.server, "instrument.define", symbol=self.symbol, reference_price="600.00")
        await self.services.operate(self.server, "market.set_phase", symbol=self.symbol, phase="continuous")
        purse = {"CNY": 100_000_000, self.symbol: 10_000_000}
        await self.services.fund(self.server, **{self.a: purse, self.b: purse})


@pytest_asyncio.fixture(scope="session")
async def shared(servers: tuple[Server, Server], template: str) -> AsyncIterator[ShardServices]:
    async with contextlib.AsyncExitStack() as cleanup:
        yield await build(cleanup, servers[0].url, servers[1].url, template)


async def build(
    cleanup: contextlib.AsyncExitStack,
    valkey_url: str,
    postgres_url: str,
    template: str = "template1",
    engine: str = ENGINE,
) -> ShardServices:
    """Return services with a shard and a database of their own, whose engine leads; ``cleanup`` stops them.

    The database begins as a copy of ``template``, which saves the migrations if it has them. ``engine`` is the program
    of the engine's process.
    """
    number = next(_numbers)
    url = make_url(postgres_url)
    admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    await admin.execute(f"CREATE DATABASE api_{number} TEMPLATE {template}")
    await admin.close()
    database_url = url.set(database=f"api_{number}").render_as_string(hide_password=False)
    services = ShardServices(valkey_url, database_url, f"api{number}")
    cleanup.push_async_callback(services.stop)
    await services.register()
    await services.start_engine(engine)
    return services


@pytest_asyncio.fixture(scope="session")
async def shared_gateway(shared: ShardServices) -> GatewayServer:
    return await shared.start_gateway()


@pytest.fixture
def gateway(shared_gateway: GatewayServer) -> GatewayServer:
    """The gateway that tests share. No test has to wait for the requests that others have made before it."""
    for allowances in (shared_gateway.gateway.anonymous, shared_gateway.gateway.by_key):
        allowances._buckets.clear()
    return shared_gateway


@pytest_asyncio.fixture
async def services(shared: ShardServices, gateway: GatewayServer) -> AsyncIterator[ShardServices]:
    """The services that tests share. Gateways that a test starts beside the shared one are stopped after it."""
    assert failures(gateway) == []
    yield shared
    # Another gateway would take up what the next tests expect of the shared one, such as a lost gateway's sessions.
    await shared.stop_gateways(keep=gateway)
    assert failures(gateway) == []


def failures(server: GatewayServer) -> list[str]:
    """Return the errors with which parts of a gateway have ended."""
    ended = [task for task in server.gateway._tasks if task.done() and not task.cancelled()]
    return [repr(error) for task in ended if (error := task.exception()) is not None]


@pytest_asyncio.fixture
async def desk(services: ShardServices, gateway: GatewayServer) -> Desk:
    opened = Desk(services, gateway, next(_numbers))
    await opened.open()
    return opened


@pytest_asyncio.fixture
async def own_desk(servers: tuple[Server, Server], template: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """The only instrument of a separate exchange with a calendar, so that all instruments can be closed."""
    days = calendar.draft(today() - timedelta(days=9), today() + timedelta(days=60), "N")
    (tmp_path / "calendar.csv").write_text(calendar.write(days))
    async with contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, servers[0].url, servers[1].url, template)
        desk = Desk(services, await services.start_gateway(calendar_file=tmp_path / "calendar.csv"), 1)
        await desk.open()
        yield desk
