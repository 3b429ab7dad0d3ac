"""The exchange of the tests of load-outs."""

import pytest

from tests.settlement.small_exchange import SmallExchange
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return stocked


async def stocked(exchange: SmallExchange) -> None:
    """Four lots of A.H, then two of B.H and one of the venue; everybody has money."""
    for account in ("A.H", "B.H", "VENUE"):
        await exchange.pay_in(account, 100_000_000, f"bank-{account}")
    await exchange.issue([{"serial": f"A{n}"} for n in range(4)])
    await exchange.issue([{"serial": f"B{n}", "account": "B.H"} for n in range(2)])
    await exchange.issue([{"serial": "V", "account": "VENUE"}])
