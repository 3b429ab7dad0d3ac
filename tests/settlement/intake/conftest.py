"""The exchange of intake's tests: the small one, with a class for scrap and one for dore."""

import pytest_asyncio

from tests.settlement.small_exchange import SmallExchange


@pytest_asyncio.fixture
async def exchange(exchange: SmallExchange) -> SmallExchange:
    await exchange.engine_runner.define("SCRAP", "SCRAP_JEWEL", min_fineness=30_000)
    await exchange.engine_runner.define("DORE", "DORE", min_fineness=30_000)
    await exchange.post()
    return exchange
