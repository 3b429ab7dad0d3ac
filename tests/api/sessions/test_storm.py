"""All clients lose their connections and reconnect at once: each resumes where it was, and the gateway serves on."""

import asyncio
import contextlib
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.app import GatewayServer
from goldx.client.local_book import LocalBook
from goldx.client.session import ExchangeClient
from goldx.protocol.commands import AccountOpen, AnyCommand, HoldingAdjust
from goldx.protocol.units import CASH
from goldx.streams import redis_client
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, ShardServices, until

ORDERS_WHILE_AWAY = 3
"""Orders of each account while no client is connected."""


class Client:
    """A member's program that follows an account and a book, and reconnects by itself."""

    def __init__(self, exchange: ExchangeClient, account: str, symbol: str) -> None:
        self.account = account
        self.private: list[dict[str, Any]] = []
        self.market = LocalBook({"symbol": symbol, "name": "", "name_zh": "", "phase": "closed"})
        self.book = 0
        self._exchange = exchange
        self._symbol = symbol

    async def watch(self) -> None:
        channels = (f"account.{self.account}", f"book.{self._symbol}")
        async with self._exchange as exchange:
            async for message in exchange.subscribe(*channels, from_sequence={channels[0]: 0}):
                if message["channel"] == channels[0]:
                    self.private.append(message)
                else:
                    self.market.apply(message)  # raises WrongBook
                    self.book = message["sequence"]


async def open_accounts(services: ShardServices, server: GatewayServer, prefix: str, count: int) -> list[str]:
    names = [f"{prefix}{number}" for number in range(count)]
    commands: list[AnyCommand] = [AccountOpen(name, "FIRM-A") for name in names]
    commands += [HoldingAdjust(name, CASH, 10_000_000, f"storm-{name}") for name in names]
    redis = redis_client.connect(services.valkey_url)
    await Journal(redis, Keys(services.shard)).append(CommandFrame(f"test-{prefix}.1", 1, tuple(commands)))
    await redis.aclose()
    accounts = server.gateway.view.accounts
    await until(lambda: names[-1] in accounts and bool(accounts[names[-1]].holdings))
    return names


async def storm(desk: Desk, count: int) -> None:
    services, server = desk.services, desk.server
    names = await open_accounts(services, server, f"STORM{desk.a[2:]}.", count)
    clients = [Client(services.member(server, reconnect=True), name, desk.symbol) for name in names]
    before = set(server.gateway.sessions._links)
    watching = [asyncio.create_task(client.watch()) for client in clients]
    channels = server.gateway.view.channels
    beats = 0

    def caught_up() -> bool:
        """Return whether every client has all messages of its channels."""
        newest = channels[f"book.{desk.symbol}"].sequence
        return all(c.book == newest and len(c.private) == channels[f"account.{c.account}"].sequence for c in clients)

    async def order(trader: ExchangeClient, name: str, number: int) -> None:
        await trader.place(name, desk.symbol, "buy", "1", f"{400 + len(name) + number}.00", f"{name[-20:]}.{number}")

    async def beat(trader: ExchangeClient) -> None:
        nonlocal beats
        while True:
            await trader.call("session.heartbeat")
            beats += 1
            await asyncio.sleep(0.001)  # heartbeats have a limit of their own

    await until(lambda: all(client.book or client.private for client in clients))
    dropped = set(server.gateway.sessions._links) - before
    assert len(dropped) == count
    async with services.member(server) as trader:
        await asyncio.gather(*(order(trader, name, 0) for name in names))
        await until(caught_up)
        for session in dropped:
            server.gateway.sessions._links[session].transport.abort()
        await asyncio.gather(*(order(trader, name, 1 + n) for name in names for n in range(ORDERS_WHILE_AWAY)))
        beating = asyncio.create_task(beat(trader))
        await until(caught_up)
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        assert beats > 0
        assert not dropped & set(server.gateway.sessions._links), "every client has a new connection"
        depth = server.gateway.view.markets[desk.symbol].depth(None)
        for client in clients:
            numbers = [message["sequence"] for message in client.private]
            assert numbers == list(range(1, len(numbers) + 1)), "no message is missing, and none comes twice"
            accepted = [m["data"] for m in client.private if m["data"]["event"] == "order.accepted"]
            assert len(accepted) == 1 + ORDERS_WHILE_AWAY
            assert client.market._checksum == depth["checksum"]
        assert all(task.done() is False for task in watching)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


@pytest.mark.campaign
async def test_a_hundred_and_fifty_clients_reconnect_at_once(desk: Desk) -> None:
    """They are more than a Redis client has connections: a log-on waits for one, and is not refused."""
    with capture_logs() as logged:
        await storm(desk, 150)
    assert [line for line in logged if line["event"] == "a log-on failed"] == []


@pytest.mark.faults
async def test_five_hundred_clients_reconnect_at_once(desk: Desk) -> None:
    with capture_logs() as logged:
        await storm(desk, 500)
    assert [line for line in logged if line["event"] == "a log-on failed"] == []
