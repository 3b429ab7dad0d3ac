"""The exchange of the tests of assays: a class for doré beside the usual one."""

import pytest_asyncio

from tests.settlement.small_exchange import SmallExchange


@pytest_asyncio.fixture
async def exchange(exchange: SmallExchange) -> SmallExchange:
    """With the class DORE, which takes doré from 300 per mille on."""
    await exchange.engine_runner.define("DORE", "DORE", min_fineness=30_000)
    await exchange.post()
    return exchange
