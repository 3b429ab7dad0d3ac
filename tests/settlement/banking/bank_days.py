"""Days of the mock bank, taken in and matched; the account at a bank of a member who withdraws, and its limits."""

from settlement.banking import camt, deposits, imports
from settlement.banking.payouts import Payee
from settlement.banking.withdrawal_limits import Limits
from tests.settlement.banking.mock_bank import Booking, MockBank, Payment
from tests.settlement.small_exchange import ONE, SmallExchange, do

NAME = "厦门某某珠宝"
PAYEE = Payee(NAME, "6222 0001", "102393000015")
FREE = Limits(100_000, 150_000, 0)
"""A new payee is used at once."""


async def statement(
    exchange: SmallExchange, bank: MockBank, *bookings: Booking | Payment
) -> list[deposits.DepositMatch]:
    """Book a day, take its statement in, and return the outcome for each open payment."""
    data = bank.camt(bank.book(*bookings))
    await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
    return await do(exchange, deposits.match, ONE)
