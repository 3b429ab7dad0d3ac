"""The exchange of the tests of custody: gold under receipt, a pledgee, and warehouses to transfer to."""

import pytest

from settlement.base import registry
from settlement.lots import scales, warehouses
from tests.settlement.small_exchange import FAR, ONE, SmallExchange
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return stocked


async def stocked(exchange: SmallExchange) -> None:
    """Three lots of A.H under receipt; member BANK can be a pledgee; XM2 is a second warehouse, FTZ a bonded one."""
    async with exchange.engine.begin() as connection:
        for code in ("A", "BANK"):
            await registry.add_member(connection, "test", code, code)
        await warehouses.add(connection, ONE, "XM2", "Warehouse two", "Xiamen")
        await warehouses.add(connection, ONE, "FTZ", "Bonded vault", "Xiamen", "BONDED")
        await scales.add(connection, ONE, "SCALE-2", "XM2", 1, 3_000_000, "CAL-2", FAR)
        await scales.add(connection, ONE, "SCALE-3", "FTZ", 1, 3_000_000, "CAL-3", FAR)
    await exchange.issue([{"serial": f"A{n}"} for n in range(3)])
