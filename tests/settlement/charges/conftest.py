"""The exchange of the tests of fees: gold deposited, gold sold, and money on every account."""

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import SmallExchange


@pytest_asyncio.fixture
async def exchange(engine: AsyncEngine, engine_runner: EngineRunner) -> SmallExchange:
    """Four lots of A.H, of whose gold B.H has bought 150 g; one of the venue."""
    made = SmallExchange(engine, engine_runner)
    await made.build()
    for account in ("A.H", "B.H", "VENUE"):
        await made.pay_in(account, 20_000_000, f"bank-{account}")
    await made.issue([{"serial": f"A{n}"} for n in range(4)])
    await made.issue([{"serial": "V", "account": "VENUE"}])
    await made.trade("B.H", "A.H", 60_000, 150)
    return made
