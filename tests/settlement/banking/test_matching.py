"""Payments are matched with recorded money by graded evidence; a near tie is shown and not decided."""

import pytest
from sqlalchemy.exc import IntegrityError

from goldx.protocol.units import BadValue
from settlement.banking import bank_reconciliation, deposits, near_ties, payouts, ties
from settlement.banking.answers import PaymentAnswer
from settlement.base.working_days import today
from settlement.service import documents, movements
from tests.settlement.banking.bank_days import NAME, statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.banking.test_payouts import PAYEE, ordered
from tests.settlement.commands import clerk
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, refused, rewrite

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
    why = f"money with the reference {name}, by amount, account and name, 4 days apart"
    assert (found.how, found.why) == ("RECORDED", why), "the day is evidence, too"


async def test_the_stronger_evidence_decides(exchange: SmallExchange, bank: MockBank) -> None:
    """Of two equal orders the one that the payment names is meant; the other is left for the payment without a name."""
    first, second = await sent(exchange, bank, 20_000, 20_000)
    one, two = await statement(exchange, bank, Payment(-20_000, second, NAME, TO), Payment(-20_000, "", NAME, TO))
    assert one.why == f"money with the reference {second}"
    assert two.why == f"money with the reference {first}, by amount, account and name"
    assert await differences(exchange) == []


async def test_orders_of_one_account_are_paid_in_the_order_of_their_days(
    exchange: SmallExchange, bank: MockBank
) -> None:
    """The second order was in a file a day before the first."""
    (first,), (second,) = await sent(exchange, bank, 20_000), await sent(exchange, bank, 20_000)
    await rewrite(exchange, "ALTER TABLE payment_file DISABLE TRIGGER append_only")
    await rewrite(exchange, "UPDATE payment_file SET at = at - 86400000 WHERE payment_file_no = 2")
    one, two = await statement(exchange, bank, Payment(-20_000, "", NAME, TO), Payment(-20_000, "", NAME, TO))
    assert one.why.startswith(f"money with the reference {second}, by amount, account and name")
    assert two.why.startswith(f"money with the reference {first}, by amount, account and name")


async def test_a_near_tie_is_shown_and_not_decided(exchange: SmallExchange, bank: MockBank) -> None:
    await sent(exchange, bank, 20_000, 20_000)
    (found,) = await statement(exchange, bank, Payment(-20_000, "", NAME, TO))
    assert (found.how, found.why) == (None, "it may be any of cash 2 of A.H, cash 3 of A.H")
    both = await statement(exchange, bank, Payment(-20_000, "", NAME, TO))
    assert [one.how for one in both] == ["RECORDED", "RECORDED"], "as many payments as orders of one account"
    assert await differences(exchange) == []


async def test_a_file_that_the_bank_books_as_one_is_all_its_orders(exchange: SmallExchange, bank: MockBank) -> None:
    names = await sent(exchange, bank, 20_000, 30_000)
    whole = Payment(-50_000, f"F-{names[0]}", "Batch")
    wrong, found, twice = await statement(exchange, bank, whole._replace(amount_fen=-49_999), whole, whole)
    for one in (wrong, twice):
        assert (one.how, one.why) == (None, "money out that nobody has recorded")
    assert (found.how, found.account) == ("RECORDED", "A.H")
    assert found.why == "all 2 open payments of payment file 1, booked as one"
    assert await differences(exchange) == [
        ("BANK_ONLY", f"payment:{wrong.item_no}", 0, -49_999),
        ("BANK_ONLY", f"payment:{twice.item_no}", 0, -50_000),
    ]
    assert [row.item_no for row in await do(exchange, deposits.suspense)] == [wrong.item_no, twice.item_no]


async def test_payments_of_one_reference_are_one_money(exchange: SmallExchange, bank: MockBank) -> None:
    """The bank pays an order in two parts, and a deposit that was recorded as one comes in three."""
    names = await sent(exchange, bank, 50_000, 7_000)
    await exchange.pay_in("B.H", 600, "N-1")
    parts = (Payment(-20_000, names[0], NAME, TO), Payment(-29_999, names[0], NAME, TO))
    deposits_ = tuple(Payment(fen, "N-1") for fen in (100, 200, 299))
    found = await statement(exchange, bank, *parts, *deposits_)
    assert [one.how for one in found] == [None] * 5, "a fen is missing of each"
    found = await statement(exchange, bank, Payment(-1, names[0], NAME, TO), Payment(1, "N-1"))
    assert [one.how for one in found] == ["RECORDED"] * 7
    assert {one.account: one.why for one in found} == {
        "A.H": f"3 payments and 1 document of money of one sum, by the reference {names[0].lower()}",
        "B.H": "4 payments and 1 document of money of one sum, by the reference n-1",
    }
    assert await differences(exchange) == [("VENUE_ONLY", "cash:3", -7_000, 0)]


async def test_a_file_that_the_bank_books_in_parts_is_all_its_orders(exchange: SmallExchange, bank: MockBank) -> None:
    names = await sent(exchange, bank, 20_000, 30_000, 10_000)
    message = f"F-{names[0]}"
    one, other = await statement(exchange, bank, Payment(-45_000, message), Payment(-15_000, message))
    assert one.why == other.why == "all 3 open payments of payment file 1, booked as 2"
    assert await differences(exchange) == []


async def test_one_payment_is_all_that_is_due_to_its_payee(exchange: SmallExchange, bank: MockBank) -> None:
    """Without a reference, by account and name; two of three orders are shown and not decided."""
    await sent(exchange, bank, 20_000, 30_000)
    (found,) = await statement(exchange, bank, Payment(-50_000, "", NAME, TO))
    assert found.why == "1 payment and 2 documents of money of one sum, by account and name"
    await sent(exchange, bank, 1_000, 2_000, 4_000)
    (found,) = await statement(exchange, bank, Payment(-6_000, "", NAME, TO))
    assert (found.how, found.why) == (None, "it may be cash 5 and 6 of A.H")


async def test_a_deposit_recorded_under_another_number_is_not_proposed_again(
    exchange: SmallExchange, bank: MockBank
) -> None:
    await exchange.pay_in("B.H", 700, "mistyped")
    (found,) = await statement(exchange, bank, Payment(700, "B.H"))
    assert (found.how, found.why) == (None, "it may be cash 2 of B.H, recorded under another number")
    (near,) = await do(exchange, near_ties.listing)
    assert (near.item_no, near.why, near.money, near.owners) == (found.item_no, "ACCOUNT", [2], "B.H")
    await exchange.pay_in("A.H", 700, "R-1")
    other = await do(exchange, ties.tie, ONE, [found.item_no], [3], "a guess")
    assert other.proposal is not None, "it was not shown, and is another member's"
    assert (await do(exchange, documents.show_proposal, other.proposal)).accounts == ["A.H"]
    done = await do(exchange, ties.tie, ONE, [found.item_no], [2], "the bank's slip")
    assert done.proposal is None, "all that it may be is money of one account"
    assert await do(exchange, near_ties.listing) == []
    assert await do(exchange, deposits.suspense) == []
    assert await differences(exchange) == [("VENUE_ONLY", "cash:3", 700, 0)]
    (again,) = await statement(exchange, bank, Payment(700, "B.H"))
    assert again.how == "REFERENCE", "another payment of that sum is new money"


async def test_money_that_came_back_is_no_payment_of_a_member(exchange: SmallExchange, bank: MockBank) -> None:
    """No statement has it, so a deposit of its sum is new money."""
    (name,) = await sent(exchange, bank, 20_000)
    (taken,) = await do(exchange, payouts.take_answers, ONE, [PaymentAnswer(name, "REJECTED", "RJCT AC04")])
    await exchange.approve(taken.proposal or 0)
    await exchange.round_trip()
    (found,) = await statement(exchange, bank, Payment(20_000, "A.H"))
    assert (found.how, found.account) == ("REFERENCE", "A.H")


async def test_a_payment_that_another_equals_in_everything_is_shown(exchange: SmallExchange, bank: MockBank) -> None:
    twin = Payment(900, "B.H", "Member B", "6222", number="N-7")
    one, other, third = await statement(exchange, bank, twin, twin, twin._replace(number="N-8"))
    assert (one.how, other.how, third.how) == ("REFERENCE", None, "REFERENCE")
    assert other.why == "another payment equals it in everything, the bank's number included"
    (near,) = await do(exchange, near_ties.listing)
    assert (near.item_no, near.why, near.money) == (other.item_no, "TWICE", [])


async def two_members(exchange: SmallExchange) -> list[int]:
    """Record money of one sum for two accounts, and let a payment of that sum wait; return its number."""
    for account in ("A.H", "B.H"):
        await exchange.pay_in(account, 800, f"R-{account}")
    return [2, 3]


async def test_a_tie_by_hand_takes_two_people_if_it_says_whose_money_it_is(
    exchange: SmallExchange, bank: MockBank
) -> None:
    money = await two_members(exchange)
    (found,) = await statement(exchange, bank, Payment(800, "by cheque"))
    assert (await do(exchange, near_ties.listing)) == []
    done = await do(exchange, ties.tie, ONE, [found.item_no], [money[1]], "the cheque was B's")
    assert done.proposal is not None
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, done.proposal)
    assert [row.item_no for row in await do(exchange, deposits.suspense)] == [found.item_no]
    await do(exchange, movements.approve, OTHER, done.proposal)
    assert await do(exchange, deposits.suspense) == []
    assert await differences(exchange) == [("VENUE_ONLY", f"cash:{money[0]}", 800, 0)]
    assert await find_breaks(exchange) == ()
    with pytest.raises(BadValue, match=r"payment: .* in suspense"):
        await do(exchange, ties.tie, ONE, [found.item_no], [money[0]], "again")


async def test_a_choice_between_two_accounts_takes_two_people(exchange: SmallExchange, bank: MockBank) -> None:
    """Both are accounts of one member, which is paid at one account of a bank."""
    await exchange.engine_runner.open("A.C")
    await exchange.post()
    await exchange.pay_in("A.C", 20_000, "V-2")
    await exchange.approve(await do(exchange, payouts.order, ONE, "A.C", 20_000, PAYEE))
    await sent(exchange, bank, 20_000)
    (found,) = await statement(exchange, bank, Payment(-20_000, "", NAME, TO))
    assert found.why == "it may be any of cash 3 of A.C, cash 4 of A.H"
    assert (await do(exchange, ties.tie, ONE, [found.item_no], [4], "the bank's list")).proposal is not None


async def test_what_was_tied_meanwhile_is_not_tied_again(exchange: SmallExchange, bank: MockBank) -> None:
    money = await two_members(exchange)
    one, other = await statement(exchange, bank, Payment(800, "x"), Payment(800, "y"))
    proposals_ = [
        (await do(exchange, ties.tie, ONE, [found.item_no], [money[0]], "guess")).proposal for found in (one, other)
    ]
    await do(exchange, movements.approve, OTHER, proposals_[0])
    with pytest.raises(BadValue, match="that no payment is tied to"):
        await do(exchange, movements.approve, OTHER, proposals_[1])
    await do(exchange, movements.decline, OTHER, proposals_[1])
    assert [row.status for row in await do(exchange, ties.listing)] == ["TIED", "DECLINED"]


async def test_several_payments_are_several_documents_by_hand(exchange: SmallExchange, bank: MockBank) -> None:
    money = []
    for number, fen in enumerate((300, 500, 200), 2):
        await exchange.pay_in("A.H", fen, f"R-{number}")
        money.append(number)
    found = await statement(exchange, bank, Payment(600, "x"), Payment(400, "y"), Payment(-1, "z"))
    items = [one.item_no for one in found]
    for payments, cash, why in (
        (items[:2], money[:2], "money of 10.00 in all"),
        (items, money, "money of 9.99 in all"),
        (items[:1], [99], "no payment is tied to"),
        ([], money, "1 to 1000 numbers"),
    ):
        with pytest.raises(BadValue, match=why):
            await do(exchange, ties.tie, ONE, payments, cash, "one invoice")
    done = await do(exchange, ties.tie, ONE, items[:2], money, "one invoice")
    await do(exchange, movements.approve, OTHER, done.proposal or 0)
    assert await differences(exchange) == [("BANK_ONLY", f"payment:{items[2]}", 0, -1)]
    with pytest.raises(IntegrityError, match="uq_bank_match_cash_id"):
        async with exchange.engine.begin() as connection:
            await ties.write(connection, ONE, [items[2]], [money[1]], "TIED", "twice")


@pytest.mark.usefixtures("configured_database", "bank")
async def test_a_clerk_decides_a_near_tie(exchange: SmallExchange, bank: MockBank) -> None:
    await sent(exchange, bank, 20_000, 20_000)
    (found,) = await statement(exchange, bank, Payment(-20_000, "", NAME, TO))
    shown = (await clerk(ONE, "bank", "near-ties")).splitlines()
    assert [line.split("\t")[:5] for line in shown[1:]] == [
        [str(found.item_no), "1", "PAYEE", "2", "A.H"],
        [str(found.item_no), "2", "PAYEE", "3", "A.H"],
    ]
    number = str(found.item_no)
    said = await clerk(ONE, "bank", "tie", number, "--money", "3", "--reason", "the bank's list")
    assert said == f"tie 1: payments {number} are money 3\n"
    assert (await clerk(ONE, "bank", "ties")).splitlines()[1] == f"1\tTIED\t{number}\t3\t-200.00\tthe bank's list"
    assert "in suspense" in await clerk(ONE, "bank", "tie", number, "--money", "2", "--reason", "x", code=1)
    await exchange.pay_in("B.H", 5, "R-9")
    (other,) = await statement(exchange, bank, Payment(5, "?"))
    said = await clerk(ONE, "bank", "tie", str(other.item_no), "--money", "4", "--reason", "letter")
    assert "waits for another person's approval: tie 2" in said
