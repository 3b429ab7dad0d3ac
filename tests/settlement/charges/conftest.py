"""The exchange of the tests of fees: gold deposited, gold sold, and money on every account."""

import pytest

from tests.settlement.small_exchange import SmallExchange
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return traded


async def traded(exchange: SmallExchange) -> None:
    """Four lots of A.H, of whose gold B.H has bought 150 g; one of the venue."""
    for account in ("A.H", "B.H", "VENUE"):
        await exchange.pay_in(account, 20_000_000, f"bank-{account}")
    await exchange.issue([{"serial": f"A{n}"} for n in range(4)])
    await exchange.issue([{"serial": "V", "account": "VENUE"}])
    await exchange.trade("B.H", "A.H", 60_000, 150)
