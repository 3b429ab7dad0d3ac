"""Withdrawals against a bank that others have written: paid, rejected, returned, sent twice, unanswered, left out."""

import pytest

from settlement.banking import (
    answers,
    bank_reconciliation,
    camt,
    deposits,
    imports,
    payouts,
    withdrawal_states,
    withdrawals,
)
from settlement.banking.statements import NOTICE, REPORT
from settlement.banking.withdrawals import AskedWithdrawal
from settlement.workbooks.cells import BadFile
from tests.settlement.banking.outside_bank import VENUE, OutsideBank
from tests.settlement.small_exchange import ONE, SmallExchange, do

AMOUNTS = (20_000, 30_000)
START = [("BANK_ONLY", f"{VENUE} before its first statement"), ("VENUE_ONLY", "cash:1")]
"""The bank begins with the money that the ledger has as a deposit."""


async def sent(exchange: SmallExchange) -> bytes:
    """Let a member withdraw twice, to both of its accounts; return the payment file."""
    for number, fen in enumerate(AMOUNTS, 1):
        asked = AskedWithdrawal(f"R-{number}", "A.H", fen, number)
        found = await do(exchange, withdrawals.ask, "A", "A-1", asked)
        await exchange.approve(await do(exchange, withdrawals.accept, ONE, found))
    await exchange.round_trip()
    return (await do(exchange, payouts.send, ONE, VENUE)).content


async def answered(exchange: SmallExchange, *reports: bytes) -> list[payouts.AnswerTaken]:
    """Take in the bank's answers, and approve all money that comes back."""
    taken = [one for data in reports for one in await do(exchange, payouts.take_answers, ONE, answers.read(data))]
    for one in taken:
        if one.proposal is not None:
            await exchange.approve(one.proposal)
    await exchange.round_trip()
    return taken


async def booked(exchange: SmallExchange, outside: OutsideBank, days: int = 1) -> list[deposits.DepositMatch]:
    """Let days pass at the bank, and take its statements in; return the outcome of the open payments."""
    outside.advance(days)
    for data in outside.mail("camt.053"):
        await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
    return await do(exchange, deposits.match, ONE)


async def states(exchange: SmallExchange) -> list[tuple[str, bool]]:
    return [(row.state, row.money_back) for row in await do(exchange, withdrawal_states.listing)]


async def differences(exchange: SmallExchange) -> list[tuple[str, str]]:
    proof = await do(exchange, bank_reconciliation.reconcile, ONE)
    assert proof.bank_fen == proof.ledger_fen
    return [(one.kind, one.subject) for one in proof.breaks]


async def test_what_is_accepted_is_paid_and_reports_count_for_nothing(
    exchange: SmallExchange, outside: OutsideBank
) -> None:
    file = await sent(exchange)
    assert "error" not in outside.problems(file)
    status, reports = outside.pay(file)
    assert (status, len(reports)) == (202, 1)
    assert [one.answer for one in await answered(exchange, *reports)] == ["PENDING", "PENDING"]
    assert await states(exchange) == [("SENT", False)] * 2
    for data, kind in ((outside.report(), REPORT), (outside.mail("camt.054")[0], NOTICE)):
        (taken,) = (await do(exchange, imports.take_in, ONE, "now.xml", data, camt.read(data))).statements
        assert (taken.kind, taken.entries) == (kind, 2)
    assert await do(exchange, deposits.match, ONE) == []
    assert [one.how for one in await booked(exchange, outside)] == ["RECORDED", "RECORDED"]
    assert await states(exchange) == [("PAID", False)] * 2
    assert await differences(exchange) == START


async def test_a_closed_account_is_rejected_and_the_other_payment_is_made(
    exchange: SmallExchange, outside: OutsideBank
) -> None:
    outside.behave("PAYEE", "closed-account")
    taken = await answered(exchange, *outside.pay(await sent(exchange))[1])
    assert [one.answer for one in taken] == ["REJECTED", "PENDING"]
    await booked(exchange, outside)
    assert await states(exchange) == [("REJECTED", True), ("PAID", False)]
    assert exchange.held("A.H") == 70_000
    assert await differences(exchange) == START


async def test_a_file_that_is_rejected_as_a_whole_comes_back_whole(
    exchange: SmallExchange, outside: OutsideBank
) -> None:
    outside.behave("VENUE", "reject-file")
    status, reports = outside.pay(await sent(exchange))
    assert status == 422
    assert [one.answer for one in await answered(exchange, *reports)] == ["REJECTED", "REJECTED"]
    assert await booked(exchange, outside) == []
    assert await states(exchange) == [("REJECTED", True)] * 2
    assert exchange.held("A.H") == 100_000
    assert await differences(exchange) == START


async def test_a_file_that_is_sent_twice_is_paid_once(exchange: SmallExchange, outside: OutsideBank) -> None:
    """The first answer was lost, so the clerk writes the same file again; the bank rejects it as a duplicate."""
    file = await sent(exchange)
    outside.pay(file)
    status, reports = outside.pay((await do(exchange, payouts.again, 1)).content)
    assert status == 422
    taken = await answered(exchange, *reports)
    assert [(one.answer, one.proposal) for one in taken] == [("PENDING", None)] * 2
    assert [one.amount_fen for one in await booked(exchange, outside)] == [-20_000, -30_000]
    assert await states(exchange) == [("PAID", False)] * 2
    assert await differences(exchange) == START


async def test_a_payment_that_comes_back_days_later_is_the_members_again(
    exchange: SmallExchange, outside: OutsideBank
) -> None:
    outside.behave("VENUE", "return-later", days=2, reason="MD07")
    await answered(exchange, *outside.pay(await sent(exchange))[1])
    await booked(exchange, outside)
    assert await states(exchange) == [("PAID", False)] * 2
    found = await booked(exchange, outside, days=6)
    assert [(one.how, one.amount_fen) for one in found] == [("RETURN", 20_000), ("RETURN", 30_000)]
    for one in found:
        await exchange.approve(one.proposal or 0)
    await exchange.round_trip()
    assert await states(exchange) == [("RETURNED", True)] * 2
    assert exchange.held("A.H") == 100_000
    assert await differences(exchange) == START


async def test_a_silent_bank_is_known_by_its_statement(exchange: SmallExchange, outside: OutsideBank) -> None:
    outside.behave("VENUE", "silent")
    assert outside.pay(await sent(exchange)) == (202, [])
    assert await states(exchange) == [("SENT", False)] * 2
    await booked(exchange, outside)
    assert await states(exchange) == [("PAID", False)] * 2
    assert await differences(exchange) == START


async def test_a_statement_that_leaves_a_payment_out_is_refused_with_what_is_missing(
    exchange: SmallExchange, outside: OutsideBank
) -> None:
    outside.behave("VENUE", "statement-gap")
    outside.pay(await sent(exchange))
    with pytest.raises(BadFile, match=r"1000.00 and 1 entries of -200.00 make 800.00, the closing balance is 500.00"):
        await booked(exchange, outside)
    assert await states(exchange) == [("SENT", False)] * 2
