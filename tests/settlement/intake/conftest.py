"""The exchange of intake's tests: the small one, with a class for scrap and one for dore."""

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import SmallExchange


@pytest_asyncio.fixture
async def exchange(engine: AsyncEngine, engine_runner: EngineRunner) -> SmallExchange:
    made = SmallExchange(engine, engine_runner)
    await made.build()
    await engine_runner.define("SCRAP", "SCRAP_JEWEL", min_fineness=30_000)
    await engine_runner.define("DORE", "DORE", min_fineness=30_000)
    await made.post()
    return made
