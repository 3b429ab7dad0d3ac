"""The bank contradicts itself, repeats itself, answers late or to a whole file: no money is paid twice or is lost."""

from datetime import timedelta

import pytest

from settlement.banking import (
    answers,
    bank_reconciliation,
    camt,
    claims,
    deposits,
    imports,
    payouts,
    swift,
    voids,
    withdrawal_states,
    withdrawals,
)
from settlement.banking.answers import PaymentAnswer
from settlement.base import proposals
from settlement.ledger import cash
from settlement.service import movements
from tests.settlement.banking.bank_days import statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.banking.test_payouts import ordered, pain_002, status_report
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, refused


def whole_file(message_id: str, status: str, reason: str = "") -> bytes:
    """A bank's answer to a file as a whole."""
    why = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""
    return status_report(message_id, f"<GrpSts>{status}</GrpSts>{why}")


async def sent(exchange: SmallExchange, *amounts: int) -> list[str]:
    """Order payments and put them into one file; return their end-to-end ids."""
    names = [await ordered(exchange, fen) for fen in amounts]
    await do(exchange, payouts.send, ONE, ACCOUNT)
    return names


async def test_a_payment_that_was_rejected_after_it_was_booked_comes_back_once(
    exchange: SmallExchange, bank: MockBank
) -> None:
    (name,) = await sent(exchange, 20_000)
    (taken,) = await do(exchange, payouts.take_answers, ONE, answers.parse(pain_002((name, "RJCT", "AC04"))))
    await exchange.approve(taken.proposal or 0)
    await exchange.round_trip()
    assert exchange.held("A.H") == 100_000
    back = Payment(20_000, name, "厦门某某珠宝", reason="AC04")
    out, found = await statement(exchange, bank, Payment(-20_000, name, "厦门某某珠宝"), back)
    assert (out.how, found.how, found.proposal) == ("RECORDED", "RECORDED", None)
    assert "the bank had rejected it, and its money is back: cash 3 goes back: proposal 4" in out.why
    assert found.why == "it takes back payment 2, which the bank had rejected: its money came back then"
    await refused(exchange, "ILLEGAL_STEP", proposals.decide, OTHER, 4, "APPROVED")
    assert await do(exchange, claims.listing) == []
    assert exchange.held("A.H") == 100_000
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()


async def test_a_payment_that_was_rejected_and_is_paid_after_all_does_not_come_back(
    exchange: SmallExchange, bank: MockBank
) -> None:
    by_answer, by_statement = await sent(exchange, 20_000, 30_000)
    both = answers.parse(pain_002((by_answer, "RJCT", "AC04"), (by_statement, "RJCT", "AC04")))
    taken = await do(exchange, payouts.take_answers, ONE, both)
    (late,) = await do(exchange, payouts.take_answers, ONE, answers.parse(pain_002((by_answer, "ACSC", ""))))
    assert late.note == "the bank had rejected it: the proposal to bring its money back (cash 4) has ended"
    (found,) = await statement(exchange, bank, Payment(-30_000, by_statement))
    assert found.why.endswith("the bank had rejected it: the proposal to bring its money back (cash 5) has ended")
    for one in taken:
        await refused(exchange, "ILLEGAL_STEP", proposals.decide, OTHER, one.proposal, "APPROVED")
    assert exchange.held("A.H") == 50_000


async def given_back(exchange: SmallExchange) -> str:
    """A payment of a member's withdrawal that the bank has rejected, and whose money is back; its end-to-end id."""
    await exchange.approve(await do(exchange, withdrawals.pay, ONE, "A.H", 20_000, 1))
    await exchange.round_trip()
    await do(exchange, payouts.send, ONE, ACCOUNT)
    (order,) = await do(exchange, payouts.listing)
    (taken,) = await do(exchange, payouts.take_answers, ONE, answers.parse(pain_002((order.end_to_end, "RJCT", ""))))
    await exchange.approve(taken.proposal or 0)
    await exchange.round_trip()
    assert exchange.held("A.H") == 100_000
    return str(order.end_to_end)


async def state(exchange: SmallExchange) -> tuple[str, bool]:
    found = await do(exchange, withdrawal_states.find, 1)
    return found.state, found.money_back


@pytest.mark.parametrize("by_answer", [True, False])
async def test_what_is_paid_after_its_money_came_back_is_owed(
    exchange: SmallExchange, ready: MockBank, by_answer: bool
) -> None:
    name = await given_back(exchange)
    assert await state(exchange) == ("REJECTED", True)
    if by_answer:
        (taken,) = await do(exchange, payouts.take_answers, ONE, answers.parse(pain_002((name, "ACSC", ""))))
        assert taken.note == "the bank had rejected it, and its money is back: cash 3 goes back: proposal 6"
    (out,) = await statement(exchange, ready, Payment(-20_000, name))
    known = "it is to be undone already" if by_answer else "proposal 6"
    assert out.why.endswith(f"the bank had rejected it, and its money is back: cash 3 goes back: {known}")
    assert await state(exchange) == ("PAID", True)
    (claim,) = await do(exchange, claims.listing)
    assert (claim.of_cash, claim.account, claim.amount_fen, claim.status) == (3, "A.H", -20_000, "PROPOSED")
    why = await refused(exchange, "ARREAR", cash.propose, ONE, "A.H", -1, "out-1")
    assert why.endswith("since the bank has paid what it had rejected, after the money had come back (cash 3)")
    (one,) = (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks
    assert (one.kind, one.subject, one.expected, one.cash_id) == ("VENUE_ONLY", "cash:3", 20_000, 3)
    await exchange.approve(6)
    await exchange.round_trip()
    assert exchange.held("A.H") == 80_000
    assert await do(exchange, claims.listing) == []
    assert await state(exchange) == ("PAID", False)
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()

    (late,) = await statement(exchange, ready, Payment(20_000, name, reason="AC04"))
    assert late.how == "RETURN", "what came back before is out again"
    await exchange.approve(late.proposal or 0)
    await exchange.round_trip()
    assert (exchange.held("A.H"), await state(exchange)) == (100_000, ("RETURNED", True))
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()


async def test_a_payment_after_all_that_only_a_voided_statement_had_is_owed_no_more(
    exchange: SmallExchange, ready: MockBank
) -> None:
    name = await given_back(exchange)
    await statement(exchange, ready, Payment(-20_000, name))
    await exchange.approve(await do(exchange, voids.propose, ONE, 2, "forged"))
    assert await do(exchange, claims.listing) == []
    assert await state(exchange) == ("REJECTED", True)
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()

    ready.balance_fen += 20_000
    await statement(exchange, ready, Payment(-20_000, name, "once more"))
    (out,) = [one for one in await do(exchange, proposals.waiting) if one.kind == "cash"]
    await exchange.approve(out.proposal_id)
    await exchange.round_trip()
    assert exchange.held("A.H") == 80_000
    await exchange.approve(await do(exchange, voids.propose, ONE, 3, "forged again"))
    (back,) = [one for one in await do(exchange, proposals.waiting) if one.kind == "cash"]
    assert back.summary["amount"] == "200.00"
    await do(exchange, movements.approve, ONE, back.proposal_id)
    await exchange.round_trip()
    assert exchange.held("A.H") == 100_000
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()


async def test_a_return_that_only_a_voided_statement_had_leaves_what_came_back_owed(
    exchange: SmallExchange, ready: MockBank
) -> None:
    name = await given_back(exchange)
    await statement(exchange, ready, Payment(-20_000, name))
    await statement(exchange, ready, Payment(20_000, name, reason="AC04"))
    assert await do(exchange, claims.listing) == []
    await exchange.approve(await do(exchange, voids.propose, ONE, 3, "forged"))
    assert [(row.of_cash, row.amount_fen) for row in await do(exchange, claims.listing)] == [(3, -20_000)]


@pytest.mark.parametrize("statuses", [("ACSC", "RJCT"), ("ACSC", "ACSP", "RJCT")])
async def test_no_money_comes_back_that_any_answer_has_paid(
    exchange: SmallExchange, bank: MockBank, statuses: tuple[str, ...]
) -> None:
    assert bank.balance_fen == 100_000
    (name,) = await sent(exchange, 20_000)
    one_file = answers.parse(pain_002(*((name, status, "") for status in statuses)))
    taken = await do(exchange, payouts.take_answers, ONE, one_file)
    assert [one.proposal for one in taken] == [None] * len(statuses)
    assert taken[-1].note == "an answer or a statement has it paid, so no money comes back: ask the bank"


async def test_a_rejected_second_copy_leaves_the_first_as_it_is(exchange: SmallExchange, bank: MockBank) -> None:
    """The answer to a file was lost, so the clerk has sent the same file again."""
    assert bank.balance_fen == 100_000
    names = await sent(exchange, 20_000, 30_000)
    copy = "the bank has rejected a second copy alone: what it does with the first one counts"
    for data, note in (
        (whole_file(f"F-{names[0]}", "RJCT", "DUPL"), copy),
        (pain_002(*((name, "RJCT", "AM05") for name in names)), "known"),
    ):
        taken = await do(exchange, payouts.take_answers, ONE, answers.read(data))
        assert {one.note for one in taken} == {note}
        assert [(one.end_to_end, one.answer, one.proposal) for one in taken] == [(n, "PENDING", None) for n in names]
    assert exchange.held("A.H") == 50_000


async def test_a_file_is_rejected_or_accepted_as_a_whole(exchange: SmallExchange, bank: MockBank) -> None:
    assert bank.balance_fen == 100_000
    first = await sent(exchange, 10_000, 20_000)
    other = await sent(exchange, 30_000)
    assert answers.parse(whole_file("F-1", "RJCT", "FF01")) == [PaymentAnswer("", "REJECTED", "RJCT FF01", "F-1")]
    found = answers.read(whole_file(f"F-{first[0]}", "RJCT", "FF01"))
    taken = await do(exchange, payouts.take_answers, ONE, found)
    assert [(one.end_to_end, one.answer) for one in taken] == [(name, "REJECTED") for name in first]
    for one in taken:
        await exchange.approve(one.proposal or 0)
    await exchange.round_trip()
    assert exchange.held("A.H") == 70_000
    (accepted,) = await do(exchange, payouts.take_answers, ONE, answers.parse(whole_file(f"F-{other[0]}", "ACSC")))
    assert (accepted.end_to_end, accepted.answer) == (other[0], "ACCEPTED")
    with pytest.raises(Exception, match="is a payment of no file of ours"):
        await do(exchange, payouts.take_answers, ONE, answers.parse(whole_file("F-W-0", "RJCT")))


async def test_one_payment_that_cannot_be_booked_holds_no_other_up(exchange: SmallExchange, bank: MockBank) -> None:
    found = await statement(exchange, bank, (Payment(0, "B.H"), Payment(300, "A.H")), Payment(500, "B.H"))
    assert [one.proposal is not None for one in found] == [False, True, True]
    assert "an amount of money that is not zero" in found[0].why


async def test_a_banks_own_kind_of_transaction_is_no_reason_of_a_return(
    exchange: SmallExchange, bank: MockBank
) -> None:
    code = b"<BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd>"
    data = bank.camt(bank.book(Payment(500, "B.H"))).replace(code, code.replace(b"TRF", b"IB02"))
    assert b"IB02" in data
    await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
    (found,) = await do(exchange, deposits.match, ONE)
    assert (found.how, found.account) == ("REFERENCE", "B.H")


async def test_a_statement_with_entries_dated_back_continues_the_last_one(
    exchange: SmallExchange, bank: MockBank
) -> None:
    """MT940 need not say when an entry was booked, and its value may lie days back."""
    day = bank.next_day
    before = day - timedelta(days=3)
    lines = [":20:X", f":25:{ACCOUNT}", ":28C:2/1", f":60F:C{day:%y%m%d}CNY1000,00"]
    lines += [f":61:{before:%y%m%d}C5,00NTRFNONREF//B77", ":86:B.H", f":62F:C{day:%y%m%d}CNY1005,00", "-"]
    late = "\r\n".join(lines).encode()
    for new in (1, 0):
        outcome = await do(exchange, imports.take_in, ONE, "late.sta", late, swift.read(late))
        assert [taken.new for taken in outcome.statements] == [new]
    again = late.replace(b"CNY1005,00", b"CNY1010,00").replace(b"CNY1000", b"CNY1005")
    await refused(exchange, "STATEMENT_DIFFERS", imports.take_in, ONE, "again.sta", again, swift.read(again))
