"""Payments are matched with recorded money by graded evidence; a near tie is shown and not decided."""

from settlement.banking import bank_reconciliation, deposits, payouts
from settlement.base.working_days import today
from tests.settlement.banking.bank_days import NAME, statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.banking.test_payouts import PAYEE, ordered
from tests.settlement.small_exchange import ONE, SmallExchange, do

TO = PAYEE.account.replace(" ", "")


async def sent(exchange: SmallExchange, bank: MockBank, *amounts: int) -> list[str]:
    """Put orders into one file, on a day that the bank's next statement is not before."""
    names = [await ordered(exchange, fen) for fen in amounts]
    await do(exchange, payouts.send, ONE, ACCOUNT)
    bank.next_day = today()
    return names


async def differences(exchange: SmallExchange) -> list[tuple[str, str, int, int]]:
    proof = await do(exchange, bank_reconciliation.reconcile, ONE)
    moved = sum(one.found - one.expected for one in proof.breaks if one.unit == "amount")
    assert proof.bank_fen - proof.ledger_fen == moved
    return [(one.kind, one.subject, one.expected, one.found) for one in proof.breaks]


async def test_a_payment_without_a_reference_is_known_by_account_and_name(
    exchange: SmallExchange, bank: MockBank
) -> None:
    (name,) = await sent(exchange, bank, 20_000)
    strangers = (
        Payment(-20_000, "", "Somebody", TO),
        Payment(-20_000, "", NAME, "9999"),
        Payment(-19_999, "", NAME, TO),
        Payment(-20_000, "", NAME, TO, reversal=True),
    )
    for one in strangers:
        found = (await statement(exchange, bank, one))[-1]
        assert found.how is None, one
    found = (await statement(exchange, bank, Payment(-20_000, "", NAME, TO)))[-1]
    assert (found.how, found.why) == ("RECORDED", f"money with the reference {name}, by amount, account and name")


async def test_the_stronger_evidence_decides(exchange: SmallExchange, bank: MockBank) -> None:
    """Of two equal orders the one that the payment names is meant; the other is left for the payment without a name."""
    first, second = await sent(exchange, bank, 20_000, 20_000)
    one, two = await statement(exchange, bank, Payment(-20_000, second, NAME, TO), Payment(-20_000, "", NAME, TO))
    assert one.why == f"money with the reference {second}"
    assert two.why == f"money with the reference {first}, by amount, account and name"
    assert await differences(exchange) == []


async def test_a_near_tie_is_shown_and_not_decided(exchange: SmallExchange, bank: MockBank) -> None:
    await sent(exchange, bank, 20_000, 20_000)
    (found,) = await statement(exchange, bank, Payment(-20_000, "", NAME, TO))
    assert (found.how, found.why) == (None, "it may be any of cash 2 of A.H, cash 3 of A.H")
    both = await statement(exchange, bank, Payment(-20_000, "", NAME, TO))
    assert [one.how for one in both] == ["RECORDED", "RECORDED"], "as many payments as orders of one account"
    assert await differences(exchange) == []


async def test_a_file_that_the_bank_books_as_one_is_all_its_orders(exchange: SmallExchange, bank: MockBank) -> None:
    names = await sent(exchange, bank, 20_000, 30_000)
    wrong, found = await statement(
        exchange, bank, Payment(-49_999, f"F-{names[0]}"), Payment(-50_000, f"F-{names[0]}", "Batch")
    )
    assert (wrong.how, wrong.why) == (None, "money out that nobody has recorded")
    assert (found.how, found.account) == ("RECORDED", "A.H")
    assert found.why == "all 2 open payments of payment file 1, booked as one"
    assert await differences(exchange) == [("BANK_ONLY", f"payment:{wrong.item_no}", 0, -49_999)]
    assert [row.item_no for row in await do(exchange, deposits.suspense)] == [wrong.item_no]


async def test_recorded_money_of_another_party_is_a_break(exchange: SmallExchange, bank: MockBank) -> None:
    """A payment to another member's virtual account, or to another account than was ordered, is no other money."""
    await do(exchange, deposits.add_virtual_account, ONE, "8001", "B.H")
    for number, account in (("N-1", "A.H"), ("N-2", "B.H")):
        await exchange.pay_in(account, 500, number)
    names = await sent(exchange, bank, 20_000, 30_000, 40_000)
    found = await statement(
        exchange,
        bank,
        Payment(500, "", virtual_account="8001", number="N-1"),
        Payment(500, "", virtual_account="8001", number="N-2"),
        Payment(-20_000, names[0], account="6222 0009"),
        Payment(-30_000, names[1], account="00-6222-0001"),
        Payment(-40_000, names[2], account="6222****01"),
    )
    assert [one.how for one in found] == ["RECORDED"] * 5
    first = found[0].item_no
    assert await differences(exchange) == [
        ("PARTY_DIFF", f"payment:{first}", 1, 0),
        ("PARTY_DIFF", f"payment:{first + 2}", 1, 0),
    ]
