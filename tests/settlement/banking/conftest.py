"""The escrow bank of the tests of payments to members, and a member who may withdraw: prepared once a session."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from settlement.banking import accounts, payees, withdrawal_limits
from settlement.banking.payouts import Payee
from settlement.base import registry
from tests.settlement.banking import outside_bank
from tests.settlement.banking.bank_days import FREE, NAME, PAYEE, statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.banking.outside_bank import OutsideBank
from tests.settlement.small_exchange import ONE, SmallExchange, do
from tests.settlement.stages import Preparation, nothing

DEPOSIT = Payment(100_000, "A.H")


async def with_deposit(exchange: SmallExchange) -> None:
    """Register the member of A.H and the escrow account, and book a deposit for A.H."""
    await do(exchange, registry.add_member, "test", "A", "Member A", "厦门某某珠宝")
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue & Co")
    (found,) = await statement(exchange, MockBank(0), DEPOSIT)
    await exchange.approve(found.proposal or 0)
    await exchange.round_trip()


async def with_payee(exchange: SmallExchange) -> None:
    """Prepare the deposit, the withdrawal limits and the member's bank account."""
    await with_deposit(exchange)
    await do(exchange, registry.add_staff, "test", "operator-2", "Operator", ["operate"])
    await exchange.approve(await do(exchange, withdrawal_limits.propose, "operator-2", FREE))
    await exchange.approve(await do(exchange, payees.propose, ONE, "A", PAYEE))


@pytest.fixture
def preparation(request: pytest.FixtureRequest) -> Preparation:
    """Return the preparation of what the test asks for: ``ready``, ``bank``, or an exchange alone."""
    if "ready" in request.fixturenames:
        return with_payee
    return with_deposit if "bank" in request.fixturenames else nothing


@pytest.fixture
def bank(exchange: SmallExchange) -> MockBank:  # noqa: ARG001
    """The escrow bank, with one deposit for A.H booked; the member of A.H is registered."""
    made = MockBank(0)
    made.book(DEPOSIT)
    return made


@pytest.fixture
def ready(bank: MockBank) -> MockBank:
    """The escrow bank with a deposit for A.H, withdrawal limits, and a bank account of the member."""
    return bank


@pytest_asyncio.fixture
async def outside(exchange: SmallExchange) -> AsyncIterator[OutsideBank]:
    """A bank that others have written; A.H has a deposit, and its member two accounts at banks."""
    await do(exchange, registry.add_member, "test", "A", "Member A", NAME)
    await do(exchange, registry.add_staff, "test", "operator-2", "Operator", ["operate"])
    await exchange.approve(await do(exchange, withdrawal_limits.propose, "operator-2", FREE))
    for number in (outside_bank.PAYEE, "NL60ABNA9999876523"):
        await exchange.approve(await do(exchange, payees.propose, ONE, "A", Payee(NAME, number, "ABN AMRO")))
    await do(exchange, accounts.add, ONE, outside_bank.VENUE, "Outside bank", "Venue & Co")
    await exchange.pay_in("A.H", 100_000, "V-1")
    with outside_bank.running() as opened:
        yield opened
