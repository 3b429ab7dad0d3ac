"""The escrow bank of the tests of payments to members."""

import pytest_asyncio

from settlement.banking import accounts
from settlement.base import registry
from tests.settlement.banking.bank_days import statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.small_exchange import ONE, SmallExchange, do


@pytest_asyncio.fixture
async def bank(exchange: SmallExchange) -> MockBank:
    """The escrow bank with a deposit of A.H, whose member is in the register."""
    await do(exchange, registry.add_member, "test", "A", "Member A", "厦门某某珠宝")
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue & Co")
    made = MockBank(0)
    (found,) = await statement(exchange, made, Payment(100_000, "A.H"))
    await exchange.approve(found.proposal or 0)
    await exchange.round_trip()
    return made
