"""The bank's balance and the ledger's escrow at the end of a trading day, to the fen, and again whatever came later."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import select

from settlement.banking import bank_reconciliation, payouts
from settlement.banking.bank_reconciliation import DayProof
from settlement.tables.ledger import progress
from tests.settlement.banking.bank_days import statement
from tests.settlement.banking.mock_bank import ACCOUNT, MONDAY, MockBank, Payment
from tests.settlement.banking.test_payouts import ordered
from tests.settlement.small_exchange import ONE, SmallExchange, do


class Day(NamedTuple):
    day: date
    last: int


async def ended(exchange: SmallExchange, bank: MockBank) -> Day:
    """The bank's last day, which ends here with all that has been posted."""
    async with exchange.engine.connect() as connection:
        last = await connection.scalar(select(progress.c.sequence))
    return Day(bank.days[-1].day, int(last or 0))


def differences(proof: DayProof) -> list[tuple[str, str, int]]:
    assert proof.bank_fen - proof.ledger_fen == sum(one.found - one.expected for one in proof.breaks)
    return [(one.kind, one.subject, one.found - one.expected) for one in proof.breaks]


async def test_bank_and_ledger_are_compared_as_of_the_days_end(exchange: SmallExchange, bank: MockBank) -> None:
    monday = await ended(exchange, bank)
    first = await do(exchange, bank_reconciliation.prove, monday)
    assert (first.bank_fen, first.ledger_fen, differences(first), first.silent) == (100_000, 100_000, [], ())
    assert first.accounts == ((ACCOUNT, MONDAY.isoformat(), 100_000),)

    name = await ordered(exchange, 20_000)
    await do(exchange, payouts.send, ONE, ACCOUNT)
    (found,) = await statement(exchange, bank, Payment(500, "B.H"))
    tuesday = await ended(exchange, bank)
    await exchange.approve(found.proposal or 0)
    await exchange.round_trip()
    late = await do(exchange, bank_reconciliation.prove, tuesday)
    assert (late.bank_fen, late.ledger_fen) == (100_500, 80_000)
    assert differences(late) == [("BANK_ONLY", "payment:2", 500), ("VENUE_ONLY", "cash:2", 20_000)]

    (out,) = await statement(exchange, bank, Payment(-20_000, name))
    assert out.how == "RECORDED"
    wednesday = await ended(exchange, bank)
    whole = await do(exchange, bank_reconciliation.prove, wednesday)
    assert (whole.bank_fen, whole.ledger_fen, differences(whole)) == (80_500, 80_500, [])
    thursday = wednesday._replace(day=bank.next_day)
    assert (await do(exchange, bank_reconciliation.prove, thursday)).silent == (ACCOUNT,)

    for day, before in ((monday, first), (tuesday, late), (wednesday, whole)):
        again = await do(exchange, bank_reconciliation.prove, day, before.known)
        assert again.content() == before.content()


async def test_a_payment_that_is_taken_back_on_a_later_day_is_open_until_then(
    exchange: SmallExchange, bank: MockBank
) -> None:
    await statement(exchange, bank, Payment(700, "B.H"))
    tuesday = await ended(exchange, bank)
    (back,) = await statement(exchange, bank, Payment(-700, "B.H", reversal=True))
    assert back.how == "OFFSET"
    wednesday = await ended(exchange, bank)
    assert differences(await do(exchange, bank_reconciliation.prove, tuesday)) == [("BANK_ONLY", "payment:2", 700)]
    assert differences(await do(exchange, bank_reconciliation.prove, wednesday)) == []
