"""Days of the mock bank, taken in and matched."""

from settlement.banking import camt, deposits, imports
from tests.settlement.banking.mock_bank import Booking, MockBank, Payment
from tests.settlement.small_exchange import ONE, SmallExchange, do


async def statement(exchange: SmallExchange, bank: MockBank, *bookings: Booking | Payment) -> list[deposits.Found]:
    """Book a day, take its statement in, and return the outcome for each open payment."""
    data = bank.camt(bank.book(*bookings))
    await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
    return await do(exchange, deposits.match, ONE)
