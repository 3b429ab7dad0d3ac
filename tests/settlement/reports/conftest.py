"""The exchange of the tests of reports."""

import pytest

from settlement.lots import scales
from tests.settlement.small_exchange import FAR, ONE, SmallExchange
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return with_bars


async def with_bars(exchange: SmallExchange) -> None:
    """Three bars under receipt, one of them traded away in part; a large bar and a kilobar registered."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "007"}, {"serial": "A2", "year": ""}, {"serial": "A3", "gross_g": "99.99"}])
    await exchange.trade("B.H", "A.H", 60_000, 20)
    async with exchange.engine.begin() as connection:
        await scales.add(connection, ONE, "SCALE-2", "XM1", 10, 5_000_000, "CAL-2", FAR)
    await exchange.register([{"serial": "L1", "gross_g": "12500.0", "weighed_g": "12476.5", "scale": "SCALE-2"}])
    await exchange.register([{"serial": "K1", "gross_g": "1000.00", "weighed_g": "1000.00"}])
