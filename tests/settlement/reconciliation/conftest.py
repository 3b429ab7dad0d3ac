"""The exchanges of the tests of reconciliation: lots in two warehouses, and one with money and a trade as well."""

import pytest_asyncio

from settlement.lots import scales, warehouses
from tests.settlement.small_exchange import FAR, ONE, SmallExchange


@pytest_asyncio.fixture
async def traded_exchange(exchange: SmallExchange) -> SmallExchange:
    """Two lots under receipt, money, and a trade with fees."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await exchange.trade("B.H", "A.H", 60_000, 20)
    return exchange


@pytest_asyncio.fixture
async def stocked_exchange(exchange: SmallExchange) -> SmallExchange:
    """Lots 1 and 2 under receipt in XM1, lot 3 in XM2."""
    async with exchange.engine.begin() as connection:
        await warehouses.add(connection, ONE, "XM2", "Warehouse two", "Xiamen")
        await scales.add(connection, ONE, "SCALE-2", "XM2", 1, 3_000_000, "CAL-2", FAR)
    elsewhere = {"serial": "B1", "warehouse": "XM2", "scale": "SCALE-2"}
    await exchange.issue([{"serial": "A1"}, {"serial": "A2"}, elsewhere])
    return exchange
