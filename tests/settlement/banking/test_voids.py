"""A wrong statement is voided by two people: what it booked goes back or is owed, and the corrected one follows."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from goldx.protocol import terms
from settlement.banking import (
    answers,
    bank_reconciliation,
    camt,
    claims,
    deposits,
    imports,
    payouts,
    ties,
    voids,
    withdrawal_states,
    withdrawals,
)
from settlement.base import proposals
from settlement.ledger import cash
from settlement.reconciliation import breaks
from settlement.service import movements
from tests.settlement.banking.bank_days import statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.banking.test_day_proof import differences as of_day
from tests.settlement.banking.test_day_proof import ended
from tests.settlement.banking.test_deposits import bank_of, booked, carried_out, differences
from tests.settlement.banking.test_payouts import ordered, pain_002
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, refused

WHY = "forged"


async def voided(exchange: SmallExchange, number: int, *, with_later: bool = False) -> None:
    proposal = await do(exchange, voids.propose, ONE, number, WHY, with_later=with_later)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await exchange.approve(proposal)


async def taken_in(exchange: SmallExchange, data: bytes) -> imports.ImportedFile:
    return await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))


async def waiting(exchange: SmallExchange) -> list[proposals.Proposal]:
    return [one for one in await do(exchange, proposals.waiting) if one.kind == "cash"]


async def moved(exchange: SmallExchange, number: int) -> None:
    """Approve a proposal of the second clerk, who has approved the void, and let the engine answer."""
    await do(exchange, movements.approve, ONE, number)
    await exchange.round_trip()


def one_day(bank: MockBank, *payments: Payment) -> bytes:
    """Return the bank's statement of its next day, and leave the bank as it was before that day."""
    day = bank.book(*payments)
    bank.days.pop()
    bank.balance_fen, bank.next_day = day.opening_fen, day.day
    return bank.camt(day)


async def test_what_a_wrong_statement_booked_goes_back_and_the_corrected_one_follows(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(1_000, "A.H")))
    wrong = one_day(bank, Payment(500, "A.H", number="X-1"), Payment(70, "B.H", number="X-2"), Payment(9, "nobody"))
    await taken_in(exchange, wrong)
    first, second, _ = await do(exchange, deposits.match, ONE)
    await carried_out(exchange, first)
    assert await differences(exchange) == [("BANK_ONLY", "payment:3", 0, 70), ("BANK_ONLY", "payment:4", 0, 9)]

    await voided(exchange, 2)
    assert [row.subject for row in await do(exchange, breaks.open_breaks)] == ["cash:2"], "the others have ended"
    assert await do(exchange, deposits.suspense) == []
    await refused(exchange, "ILLEGAL_STEP", movements.approve, OTHER, second.proposal)
    (back,) = await waiting(exchange)
    assert (back.summary["amount"], back.summary["undoes"]) == ("-5.00", "cash 2 of 5.00")
    assert back.summary["why"] == f"statement 2 is voided: {WHY}"
    await refused(exchange, "ARREAR", cash.propose, ONE, "A.H", -1, "out-1")
    assert await differences(exchange) == [("VENUE_ONLY", "cash:2", 500, 0)]
    await moved(exchange, back.proposal_id)
    assert (exchange.held("A.H"), exchange.held("B.H")) == (1_000, 0)
    assert await differences(exchange) == []
    await do(exchange, cash.propose, ONE, "A.H", -1, "out-1")

    for again in (wrong, wrong + b"\n"):
        why = await refused(exchange, "STATEMENT_VOIDED", imports.take_in, ONE, "x.xml", again, camt.read(again))
        assert why.startswith(f"it is statement 2 of account {ACCOUNT} again, which is voided (forged)")
    for change in ("DELETE FROM bank_match", "UPDATE bank_statement SET void_order = NULL", "DELETE FROM voided_match"):
        with pytest.raises(DBAPIError, match="is refused"):
            async with exchange.engine.begin() as connection:
                await connection.execute(text(change))
    (right,) = await booked(exchange, bank, Payment(700, "B.H", number="X-1"))
    await carried_out(exchange, right)
    assert exchange.held("B.H") == 700, "the bank's number is free again"
    assert await differences(exchange) == []
    assert [(row.statement_no, row.void_no) for row in await do(exchange, imports.listing)] == [
        (1, None),
        (2, 1),
        (3, None),
    ]
    assert await find_breaks(exchange) == ()


async def test_a_payment_that_the_corrected_statement_has_again_keeps_its_money(exchange: SmallExchange) -> None:
    """The names were wrong, the money was there."""
    bank = await bank_of(exchange)
    wrong = one_day(bank, Payment(500, "A.H", number="X-1"), Payment(70, "A.H", number="X-2"))
    await taken_in(exchange, wrong)
    await carried_out(exchange, *await do(exchange, deposits.match, ONE))
    await voided(exchange, 1)
    assert [(row.of_cash, row.amount_fen, row.status) for row in await do(exchange, claims.listing)] == [
        (1, -500, "PROPOSED"),
        (2, -70, "PROPOSED"),
    ]
    (right,) = await booked(exchange, bank, Payment(500, "A.H", name="Another name", number="X-1"))
    assert (right.how, right.account) == ("RECORDED", "A.H")
    assert "cash 1 stands after all" in right.why
    assert [row.of_cash for row in await do(exchange, claims.listing)] == [2]
    assert [one.summary["amount"] for one in await waiting(exchange)] == ["-0.70"]
    await moved(exchange, (await waiting(exchange))[0].proposal_id)
    assert (exchange.held("A.H"), await differences(exchange)) == (500, [])
    await voided(exchange, 2)
    assert [row.of_cash for row in await do(exchange, claims.listing)] == [], "a clerk's own record is only open again"
    assert await differences(exchange) == [("VENUE_ONLY", "cash:1", 500, 0)]


async def test_money_that_was_used_is_owed_until_it_is_collected(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(50, "B.H")))
    await taken_in(exchange, one_day(bank, Payment(100_000_00, "A.H")))
    await carried_out(exchange, *await do(exchange, deposits.match, ONE))
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 160)
    await voided(exchange, 2)
    await moved(exchange, (await waiting(exchange))[0].proposal_id)
    (claim,) = await do(exchange, claims.listing)
    assert (claim.item_no, claim.of_cash, claim.account, claim.status) == (None, 2, "A.H", "REFUSED")
    why = await refused(exchange, "ARREAR", cash.propose, ONE, "A.H", -1, "out-1")
    assert why == "account A.H owes 100000.00 CNY, since the bank's statement that had the payment is voided (cash 2)"
    await carried_out(exchange, *await booked(exchange, bank, Payment(100_000_01, "A.H")))
    number = await do(exchange, claims.collect_money, ONE, 2)
    await refused(exchange, "ILLEGAL_STEP", claims.collect_money, ONE, 2)
    await exchange.approve(number)
    await exchange.round_trip()
    assert await do(exchange, claims.listing) == []
    assert await differences(exchange) == []
    assert (exchange.held("A.H"), await find_breaks(exchange)) == (100_000_01, ())


async def test_a_payment_out_and_a_tie_by_hand_are_open_again(exchange: SmallExchange, ready: MockBank) -> None:
    number = await do(exchange, withdrawals.pay, ONE, "A.H", 20_000, 1)
    await exchange.approve(number)
    await exchange.round_trip()
    await do(exchange, payouts.send, ONE, ACCOUNT)
    (order,) = await do(exchange, payouts.listing)
    await exchange.pay_in("B.H", 33, "typed-1")
    await taken_in(exchange, one_day(ready, Payment(-20_000, order.end_to_end), Payment(33, "letter")))
    paid, unknown = await do(exchange, deposits.match, ONE)
    assert (paid.how, unknown.how) == ("RECORDED", None)
    tie = await do(exchange, ties.tie, ONE, [unknown.item_no], [3], "as the letter says")
    await exchange.approve(tie.proposal or 0)
    assert (await do(exchange, withdrawal_states.find, 1)).state == "PAID"
    assert await differences(exchange) == []
    await voided(exchange, 2)
    assert (await do(exchange, withdrawal_states.find, 1)).state == "SENT"
    assert [row.status for row in await do(exchange, ties.listing)] == ["UNDONE"]
    assert await do(exchange, claims.listing) == []
    assert await differences(exchange) == [("VENUE_ONLY", "cash:2", -20_000, 0), ("VENUE_ONLY", "cash:3", 33, 0)]
    again = await statement(exchange, ready, Payment(-20_000, order.end_to_end), Payment(33, "typed-1"))
    assert [one.how for one in again] == ["RECORDED", "RECORDED"]
    assert await differences(exchange) == []
    assert await find_breaks(exchange) == ()


async def test_a_return_in_a_wrong_statement_is_undone_with_its_payment(exchange: SmallExchange) -> None:
    """The payment of the first stands, its return did not happen; a pair within the wrong one moves nothing more."""
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(500, "A.H"), Payment(60, "B.H")))
    wrong = (Payment(-500, "A.H", reversal=True), Payment(9, "A.H", number="P"), Payment(-9, "A.H", "P", reversal=True))
    await taken_in(exchange, one_day(bank, *wrong[:2]))
    await carried_out(exchange, *await do(exchange, deposits.match, ONE))
    await voided(exchange, 2)
    amounts = {str(one.summary["amount"]): one.proposal_id for one in await waiting(exchange)}
    assert sorted(amounts) == ["-0.09", "5.00"]
    await do(exchange, movements.decline, ONE, amounts["-0.09"])
    await moved(exchange, amounts["5.00"])
    assert exchange.held("A.H") == 509
    assert await differences(exchange) == [("VENUE_ONLY", "cash:3", 9, 0)]
    assert [(row.of_cash, row.status) for row in await do(exchange, claims.listing)] == [(3, "DECLINED")]
    await exchange.approve(await do(exchange, claims.collect_money, ONE, 3))
    await exchange.round_trip()
    assert (exchange.held("A.H"), await differences(exchange)) == (500, [])

    bank.book(Payment(9, "A.H", number="Q"))
    await taken_in(exchange, bank.camt(bank.days[-1]))
    await carried_out(exchange, *await do(exchange, deposits.match, ONE))
    await taken_in(exchange, one_day(bank, Payment(-9, "A.H", reversal=True)))
    await carried_out(exchange, *await do(exchange, deposits.match, ONE))
    await voided(exchange, 3, with_later=True)
    assert await waiting(exchange) == []
    assert (await do(exchange, claims.listing), await differences(exchange)) == ([], [])
    assert await find_breaks(exchange) == ()


async def test_statements_are_voided_with_those_that_follow_and_these_come_again(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await booked(exchange, bank, Payment(500, "A.H"))
    later = bank.camt(bank.book(Payment(60, "B.H")))
    await taken_in(exchange, later)
    why = await refused(exchange, "STATEMENT_FOLLOWED", voids.propose, ONE, 1, WHY)
    assert why.startswith(f"statements 2 follow statement 1 of account {ACCOUNT}")
    proposal = await do(exchange, voids.propose, ONE, 1, WHY, with_later=True)
    await refused(exchange, "PROPOSED_ALREADY", voids.propose, ONE, 2, WHY)
    await taken_in(exchange, bank.camt(bank.book(Payment(1, "B.H"))))
    await refused(exchange, "STATEMENT_FOLLOWED", movements.approve, OTHER, proposal)
    await do(exchange, movements.decline, OTHER, proposal)
    await voided(exchange, 1, with_later=True)
    assert await do(exchange, bank_reconciliation.is_stated) is False
    assert await do(exchange, breaks.open_breaks) == []

    right = bank.days[0]._replace(bookings=((Payment(500, "B.H"),),))
    again = await taken_in(exchange, bank.camt(right))
    assert [one.statement_no for one in again.statements] == [4]
    assert [one.statement_no for one in (await taken_in(exchange, later)).statements] == [5]
    assert (await taken_in(exchange, later)).file_no is None, "now it is known"
    assert [row.item_no for row in await do(exchange, deposits.suspense)] == [4, 5]
    await refused(exchange, "ILLEGAL_STEP", voids.propose, ONE, 1, WHY)


async def test_the_proof_of_a_past_day_stays_and_the_correction_is_of_the_next(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, (Payment(300, "A.H"), Payment(200, "A.H"))))
    monday = await ended(exchange, bank)
    before = await do(exchange, bank_reconciliation.prove, monday)
    assert of_day(before) == []
    await voided(exchange, 1)
    for back in await waiting(exchange):
        await moved(exchange, back.proposal_id)
    tuesday = (await ended(exchange, bank))._replace(day=bank.next_day)
    assert (await do(exchange, bank_reconciliation.prove, monday, before.known)).content() == before.content()
    after = await do(exchange, bank_reconciliation.prove, tuesday)
    assert (after.bank_fen, after.ledger_fen, after.breaks, after.silent) == (0, 0, (), (ACCOUNT,))


async def test_an_order_that_was_paid_by_the_wrong_statement_alone_may_come_back(
    exchange: SmallExchange, bank: MockBank
) -> None:
    name = await ordered(exchange, 20_000)
    await do(exchange, payouts.send, ONE, ACCOUNT)
    rejected = answers.parse(pain_002((name, "RJCT", "AC04")))
    (taken,) = await do(exchange, payouts.take_answers, ONE, rejected)
    await taken_in(exchange, one_day(bank, Payment(-20_000, name)))
    (paid,) = await do(exchange, deposits.match, ONE)
    assert "has ended" in paid.why, "the bank had paid, it seemed"
    await voided(exchange, 2)
    (taken,) = await do(exchange, payouts.take_answers, ONE, rejected)
    await exchange.approve(taken.proposal or 0)
    await exchange.round_trip()
    assert (exchange.held("A.H"), await differences(exchange)) == (100_000, [])


@pytest.mark.usefixtures("configured_database")
async def test_a_void_by_command_and_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(500, "A.H")))
    assert "waits for another person's approval: bank_void 1" in await clerk(ONE, "bank", "void", "1", "--reason", WHY)
    seen = await clerk(OTHER, "proposal", "2")
    assert '"money_booked": "1 documents of 5.00 in sum"' in seen
    await clerk(OTHER, "approve", "2")
    assert (await clerk(ONE, "bank", "voids")).splitlines()[1] == f"1\tVOIDED\t{ACCOUNT}\t1\t1\t{WHY}"
    assert (await clerk(ONE, "bank", "statements")).splitlines()[1].endswith("\t1")
    assert (await clerk(ONE, "bank", "claims")).splitlines()[1] == "-\t1\tA.H\t5.00\tPROPOSED\t-"
    assert [one["voided"] for one in (await rest("auditor", "GET", "/bank-entries"))["payments"]] == [True]
    (listed,) = (await rest("auditor", "GET", "/bank-voids"))["voids"]
    assert (listed["statement_no"], listed["statements"], listed["status"]) == (1, [1], "VOIDED")
    assert (await rest("auditor", "GET", "/bank-statements/1"))["void_reason"] == WHY
    await rest(ONE, "POST", "/proposals/3/decline")
    assert (await rest(ONE, "POST", "/bank-claims/money/1/collect"))["proposal"] == 4
    await rest(ONE, "POST", "/bank-claims/money/9/collect", 422)
    body = {"reason": WHY}
    assert (await rest(ONE, "POST", "/bank-statements/1/void", 409, json=body))["reason"] == "ILLEGAL_STEP"
    await rest(ONE, "POST", "/bank-statements/9/void", 422, json=body)
    assert (await rest("auditor", "POST", "/bank-statements/1/void", 403, json=body))["reason"] == "NOT_PERMITTED"
