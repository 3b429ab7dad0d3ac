"""The exchange of the tests of assays: a class for doré beside the usual one."""

import pytest

from tests.settlement.small_exchange import SmallExchange
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return with_dore


async def with_dore(exchange: SmallExchange) -> None:
    """With the class DORE, which takes doré from 300 per mille on."""
    await exchange.engine_runner.define("DORE", "DORE", min_fineness=30_000)
    await exchange.post()
