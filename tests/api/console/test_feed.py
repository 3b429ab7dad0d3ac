"""A gateway that hangs, or no longer follows the market, is noticed although no connection ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest

from api.app import GatewayServer
from api.console.feed import CONNECTED, PRESENT, STALE, STANDING, Feed
from goldx.client.errors import ConnectionLost
from goldx.client.local_book import INSTRUMENTS_OF_A_SESSION
from goldx.client.session import ExchangeClient, connect
from goldx.hosting.servers import Server
from goldx.hosting.settings import Settings
from tests.api.conftest import Desk, until
from tests.api.journal.proxied import proxied_gateway
from tests.faults.proxy import Proxy

NOTICED_SECONDS = 20
"""Without the limits of the feed and of the client only the WebSocket's pings would notice it, after 40 seconds."""
CURRENT_SECONDS = 60
"""The gateway that tests share has many instruments, and books of thousands of levels: what it takes to follow them
again may have to wait for the allowance of the address."""


@contextlib.asynccontextmanager
async def proxied(server: GatewayServer) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy in front of a gateway, and its URL."""
    address = urlsplit(server.url)
    proxy = Proxy("gateway", ("127.0.0.1", 0), (str(address.hostname), int(address.port or 0)))
    await proxy.open()
    yield proxy, f"http://127.0.0.1:{proxy.port}"
    proxy.release()
    await proxy.close()


@contextlib.asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[None]:
    task = asyncio.create_task(feed.run())
    await follows(feed)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def soon(condition: Callable[[], bool]) -> None:
    await asyncio.wait_for(until(condition), NOTICED_SECONDS)


async def follows(feed: Feed) -> None:
    await asyncio.wait_for(until(lambda: feed.state == CONNECTED), CURRENT_SECONDS)


async def order(member: ExchangeClient, desk: Desk, price: str) -> None:
    await member.place(desk.a, desk.symbol, "sell", "1", price)


async def test_a_gateway_that_is_cut_off_without_a_word_is_not_connected(desk: Desk) -> None:
    async with proxied(desk.server) as (proxy, url), desk.services.member(desk.server) as member:
        feed = Feed(Settings(gateway_url=url))
        async with running(feed):
            await order(member, desk, "601.00")
            await soon(lambda: feed.markets[desk.symbol].asks(1) == [(60_100, 1_000)])
            proxy.hold()
            await soon(lambda: feed.state != CONNECTED)
            await order(member, desk, "600.50")
            await soon(lambda: not feed._connected)
            assert feed.markets[desk.symbol].asks(1) == [(60_100, 1_000)]
            proxy.release()
            await follows(feed)
            assert feed.markets[desk.symbol].asks(1) == [(60_050, 1_000)]


async def test_a_gateway_that_does_not_get_the_market_is_stale(servers: tuple[Server, Server]) -> None:
    async with proxied_gateway(*servers) as behind:
        feed = Feed(Settings(gateway_url=behind.server.url))
        async with running(feed):
            behind.proxy.hold()
            await soon(lambda: feed.state == STALE)
            behind.proxy.release()
            await follows(feed)


async def test_more_instruments_than_a_session_or_an_allowance_takes_are_followed(own_desk: Desk) -> None:
    services, first = own_desk.services, own_desk.server
    symbols = [f"MANY-{number}" for number in range(INSTRUMENTS_OF_A_SESSION + 10)]
    for symbol in symbols:
        await services.operate(first, "instrument.define", symbol=symbol, reference_price="600.00")
    server = await services.start_gateway("sparing", anonymous_burst=20, anonymous_rate=500)
    async with proxied(server) as (proxy, url):
        feed = Feed(Settings(gateway_url=url))
        async with running(feed):
            assert set(feed.markets) == {own_desk.symbol, *symbols}
            proxy.cut()
            await soon(lambda: feed.state != CONNECTED)
            await follows(feed)
            async with services.member(first) as member:
                await order(member, own_desk, "601.00")
                await soon(lambda: feed.markets[own_desk.symbol].asks(1) == [(60_100, 1_000)])
            await services.operate(first, "market.set_phase", symbol=symbols[-1], phase="continuous")
            await soon(lambda: feed.markets[symbols[-1]].phase == "continuous")


async def test_a_market_that_stands_still_is_not_stale(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The book is the present one, though nothing is taken: health says both."""
    feed = Feed(Settings(gateway_url=desk.server.url))
    async with running(feed):
        pressure = desk.server.gateway.sequencer._pressure
        monkeypatch.setattr(pressure, "_free_bytes", lambda: 0)
        await soon(lambda: feed.state == STANDING)
        assert feed.state in PRESENT
        monkeypatch.undo()
        await follows(feed)


async def test_a_client_notices_that_its_gateway_has_stopped(desk: Desk) -> None:
    channel = f"book.{desk.symbol}"
    async with (
        proxied(desk.server) as (proxy, url),
        connect(url, heartbeat_seconds=0.5) as simple,
        connect(url, desk.services.keys["FIRM-B"], heartbeat_seconds=0.5, reconnect=True) as lasting,
        desk.services.member(desk.server) as member,
    ):
        of_simple, of_lasting = simple.subscribe(channel), lasting.subscribe(channel)
        first = (await anext(of_simple), await anext(of_lasting))
        await asyncio.sleep(2)
        proxy.hold()
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(anext(of_simple), NOTICED_SECONDS)
        await order(member, desk, "601.00")
        proxy.release()
        update = await asyncio.wait_for(anext(of_lasting), NOTICED_SECONDS)
        assert update["sequence"] == first[1]["sequence"] + 1
        assert update["data"]["asks"] == [["601.00", "1"]]


async def test_a_client_that_is_cut_off_before_the_first_notice_misses_none(desk: Desk) -> None:
    channel = desk.server.gateway.view.notices.channel
    async with proxied(desk.server) as (proxy, url), connect(url, heartbeat_seconds=0.5, reconnect=True) as client:
        messages = client.subscribe("notice")
        first = asyncio.create_task(anext(messages))
        await soon(lambda: "notice" in client._connection._followed)
        proxy.hold()
        await soon(lambda: not client._connection._connected.is_set())
        await desk.services.operate(desk.server, "notice.publish", title="Vault", text="Closed on Monday.")
        published = channel.sequence
        proxy.release()
        message = await asyncio.wait_for(first, NOTICED_SECONDS)
        assert (message["sequence"], message["data"]["title"]) == (published, "Vault")
