"""The exchange of the tests of load-outs."""

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import SmallExchange


@pytest_asyncio.fixture
async def exchange(engine: AsyncEngine, engine_runner: EngineRunner) -> SmallExchange:
    """Four lots of A.H, then two of B.H and one of the venue; everybody has money."""
    made = SmallExchange(engine, engine_runner)
    await made.build()
    for account in ("A.H", "B.H", "VENUE"):
        await made.pay_in(account, 100_000_000, f"bank-{account}")
    await made.issue([{"serial": f"A{n}"} for n in range(4)])
    await made.issue([{"serial": f"B{n}", "account": "B.H"} for n in range(2)])
    await made.issue([{"serial": "V", "account": "VENUE"}])
    return made
