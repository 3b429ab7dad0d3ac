"""Payments that match recorded money by reference, but came for another member or went to another payee."""

import pytest

from settlement.banking import bank_reconciliation, payouts, virtual_accounts
from tests.settlement.banking.bank_days import statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.banking.test_payouts import ordered
from tests.settlement.small_exchange import ONE, SmallExchange, do


async def found(exchange: SmallExchange) -> list[tuple[str, str, int | None]]:
    proof = await do(exchange, bank_reconciliation.compare)
    return [(one.kind, one.subject, one.cash_id) for one in proof.breaks]


@pytest.mark.parametrize(
    ("said", "is_another"),
    [
        ("62220001", False),
        ("6222-0001", False),
        ("0001", False),
        ("6222***1", False),
        ("102393 6222 0001", False),
        ("", False),
        ("62220009", True),
        ("6222***9", True),
    ],
)
async def test_a_payment_out_goes_to_the_account_that_was_ordered(
    exchange: SmallExchange, ready: MockBank, said: str, is_another: bool
) -> None:
    """The member's account is 6222 0001; a bank may write it with signs, hide a part, or give its end alone."""
    name = await ordered(exchange, 20_000)
    await do(exchange, payouts.send, ONE, ACCOUNT)
    (out,) = await statement(exchange, ready, Payment(-20_000, name, account=said))
    assert out.how == "RECORDED"
    assert await found(exchange) == ([("PARTY_DIFF", "payment:2", 2)] if is_another else [])


@pytest.mark.parametrize(("used", "is_another"), [("", False), ("9558-1", False), ("9558-2", True)])
async def test_a_payment_in_came_to_the_virtual_account_of_its_member(
    exchange: SmallExchange, bank: MockBank, used: str, is_another: bool
) -> None:
    for number, account in (("9558-1", "A.H"), ("9558-2", "B.H")):
        await do(exchange, virtual_accounts.add, ONE, number, account)
    await exchange.pay_in("A.H", 700, "SLIP-7")
    (money,) = await statement(exchange, bank, Payment(700, "SLIP-7", virtual_account=used, number="SLIP-7"))
    assert (money.how, money.account) == ("RECORDED", "A.H")
    assert await found(exchange) == ([("PARTY_DIFF", "payment:2", 2)] if is_another else [])
