"""The exchange of intake's tests: the small one, with a class for scrap and one for dore."""

import pytest

from tests.settlement.small_exchange import SmallExchange
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return with_classes


async def with_classes(exchange: SmallExchange) -> None:
    await exchange.engine_runner.define("SCRAP", "SCRAP_JEWEL", min_fineness=30_000)
    await exchange.engine_runner.define("DORE", "DORE", min_fineness=30_000)
    await exchange.post()
