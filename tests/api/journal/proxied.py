"""A gateway whose connections to its journal go through a proxy, and the outcomes of orders placed through it."""

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.app import GatewayServer
from goldx.client.errors import ExchangeError
from goldx.client.results import Order
from goldx.client.session import ExchangeClient
from goldx.hosting.servers import Server
from goldx.protocol.commands import OrderPlace
from goldx.streams import redis_client
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import decode_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, ShardServices, build
from tests.faults.proxy import Proxy


class ProxiedGateway:
    """A gateway that reaches its Valkey server through ``proxy``, with a desk to trade at."""

    def __init__(
        self, valkey: Server, services: ShardServices, proxy: Proxy, server: GatewayServer, desk: Desk
    ) -> None:
        self.valkey = valkey
        self.services = services
        self.proxy = proxy
        self.server = server
        self.desk = desk

    def member(self) -> ExchangeClient:
        return self.services.member(self.server)

    async def placed(self) -> Counter[str]:
        """Count the orders of the desk's account in the journal by their client ids."""
        redis = redis_client.connect(self.valkey.url)
        journal, found, after = Journal(redis, Keys(self.services.shard)), Counter[str](), BEGINNING
        while entries := await journal.read(after):
            after = entries[-1][0]
            for _, data in entries:
                commands = decode_commands(data).commands
                own = (c for c in commands if isinstance(c, OrderPlace) and c.account == self.desk.a)
                found.update(command.client_order_id for command in own)
        await redis.aclose()
        return found


@contextlib.asynccontextmanager
async def proxied_gateway(valkey: Server, postgres: Server, **settings: Any) -> AsyncIterator[ProxiedGateway]:
    """Start a shard on a Valkey server, and a gateway of it behind a proxy."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    async with contextlib.AsyncExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        proxy = Proxy("gateway>valkey", folder / "proxy.sock", Path(valkey.url.removeprefix("unix://")))
        await proxy.open()
        cleanup.push_async_callback(proxy.close)
        services = await build(cleanup, valkey.url, postgres.url)
        server = await services.start_gateway(redis_url=f"unix://{folder / 'proxy.sock'}", **settings)
        desk = Desk(services, server, 1)
        await desk.open()
        yield ProxiedGateway(valkey, services, proxy, server, desk)


class OrderOutcomes:
    """The outcomes of orders by client id, as the member got them."""

    def __init__(self, proxied: ProxiedGateway) -> None:
        self._proxied = proxied
        self.accepted: dict[str, Order] = {}
        self.refused: dict[str, ExchangeError] = {}

    @property
    def first_refusal(self) -> str:
        """The text of the first refusal."""
        return str(next(iter(self.refused.values())))

    async def order(self, member: ExchangeClient, name: str) -> None:
        """Place an order under a client id."""
        desk = self._proxied.desk
        try:
            placed = await member.place(desk.a, desk.symbol, "buy", "1", "500.00", name)
        except ExchangeError as error:
            self.refused[name] = error
        else:
            self.accepted[name] = placed["order"]

    async def check(self, member: ExchangeClient) -> None:
        """Check the outcomes against the journal, and against what the same client ids get when they are repeated."""
        for error in self.refused.values():
            assert error.reason == "UNAVAILABLE", error
            assert "nothing was placed" in str(error)
            assert 50 <= error.data["retry_after_ms"] <= 5_000
        found = await self._proxied.placed()
        assert set(found) == set(self.accepted)
        assert set(found.values()) <= {1}
        desk = self._proxied.desk
        for name, order in list(self.accepted.items())[:20]:
            with pytest.raises(ExchangeError, match="DUPLICATE_ID") as again:
                await member.place(desk.a, desk.symbol, "buy", "1", "500.00", name)
            assert again.value.data["order"] == order
        for name in list(self.refused)[:20]:
            await member.place(desk.a, desk.symbol, "buy", "1", "500.00", name)
