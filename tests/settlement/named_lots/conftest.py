"""The exchange of the tests of named lots, and a gateway beside it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from goldx.client.keys import Key
from goldx.client.session import connect
from goldx.hosting.settings import Settings
from settlement.base import registry
from tests.settlement.named_lots.deals import dealing
from tests.settlement.named_lots.desk import Desk
from tests.settlement.rest import running
from tests.settlement.small_exchange import SmallExchange
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return dealing


@pytest_asyncio.fixture
async def desk(exchange: SmallExchange, migrated_url: str, valkey_url: str, shard: str) -> AsyncIterator[Desk]:
    keys = {name: Key.generate(name) for name in ("A", "B", "ada", "ben")}
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "B", "B")
        for name in ("A", "B"):
            await registry.add_key(connection, "test", name, keys[name].public_bytes, member_code=name)
        for name in ("ada", "ben"):
            await registry.add_staff(connection, "test", name, name, ["operate"])
            public = keys[name].public_bytes
            await registry.add_key(connection, "test", name, public, staff_code=name, permissions=["operate"])
    settings = Settings(gateway_port=0, shard=shard, staff_process=False, allow_weak_durability=True)
    async with (
        running(settings, valkey_url, migrated_url) as server,
        connect(server.url, keys["A"]) as seller,
        connect(server.url, keys["B"]) as buyer,
    ):
        yield Desk(exchange, server, seller, buyer, keys)
