"""The close of a day proves the bank against the ledger, and lists what of banking and papers stays open."""

import json
from datetime import timedelta
from typing import Any

import pytest

from settlement.banking import deposits, payouts, withdrawals
from settlement.banking.withdrawals import AskedWithdrawal
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import left_open, red_invoices, statements, tax_profiles
from settlement.reconciliation import count_sessions
from tests.settlement.banking.bank_days import PAYEE, statement
from tests.settlement.banking.mock_bank import ACCOUNT, MONDAY, MockBank, Payment
from tests.settlement.closing.days import close, end_day
from tests.settlement.closing.test_invoices import DAILY
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, begin_day, do

TUESDAY, WEDNESDAY, THURSDAY = (str(MONDAY + timedelta(days=number)) for number in (1, 2, 3))


async def outputs(exchange: SmallExchange) -> dict[str, Any]:
    """Return the outputs of the steps of the newest closed day."""
    day = (await do(exchange, days.over))[-1].day
    return {row.step: json.loads(row.output) for row in await do(exchange, closing.steps_of, day)}


@pytest.mark.usefixtures("bank")
async def test_a_close_proves_the_bank_to_the_fen_where_statements_are_in(exchange: SmallExchange) -> None:
    await begin_day(exchange, TUESDAY)
    await close(exchange)
    found = await outputs(exchange)
    proof = found["reconciliation"]["bank"]
    assert (proof["day"], proof["bank_fen"], proof["ledger_fen"]) == (str(MONDAY), 100_000, 100_000)
    assert (proof["silent"], proof["breaks"], found["reconciliation"]["breaks"]) == ([], [], [])
    assert [one for one in found["left_open"] if one["kind"] == "bank"] == []
    await exchange.pay_in("A.H", 500, "by-hand")
    await begin_day(exchange, WEDNESDAY)
    await close(exchange)
    found = await outputs(exchange)
    proof = found["reconciliation"]["bank"]
    assert (proof["bank_fen"], proof["ledger_fen"], proof["silent"]) == (100_000, 100_500, [ACCOUNT])
    assert [one["kind"] for one in proof["breaks"]] == ["VENUE_ONLY"]
    assert [one["kind"] for one in found["reconciliation"]["breaks"]] == ["VENUE_ONLY"], (
        "nobody has typed `bank reconcile`"
    )
    (silent,) = [one for one in found["left_open"] if one["kind"] == "bank"]
    assert (silent["subject"], f"no statement reaches {TUESDAY}" in silent["why"]) == (ACCOUNT, True)


async def test_an_exchange_without_an_account_at_a_bank_has_the_proof_left_open(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 500, "by-hand")
    await begin_day(exchange, TUESDAY)
    await close(exchange)
    found = await outputs(exchange)
    assert found["reconciliation"] == {"bank": None, "breaks": [], "compared_after": None}
    assert [(one["kind"], one["subject"]) for one in found["left_open"]] == [("bank", "no account")]


async def test_what_waits_for_somebody_stays_open(exchange: SmallExchange, ready: MockBank) -> None:
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await exchange.pay_in("B.H", 100_000_000, "b")
    await end_day(exchange, TUESDAY)
    await do(exchange, tax_profiles.add, ONE, "A", DAILY)
    await exchange.trade("B.H", "A.H", 60_000, 20)
    await begin_day(exchange, WEDNESDAY)
    await close(exchange)
    rows = await do(exchange, statements.listing, member="A")
    await do(exchange, statements.object_to, "A", "A-1", rows[0].statement_no, "wrong")
    await do(exchange, red_invoices.propose, ONE, 1, "wrong title")
    await do(exchange, withdrawals.ask, "A", "A-1", AskedWithdrawal("R-1", "A.H", 20_000, 1))
    owed = await do(exchange, withdrawals.ask, "A", "A-1", AskedWithdrawal("R-2", "A.H", 10_000, 1))
    await exchange.approve(await do(exchange, withdrawals.accept, ONE, owed))
    await exchange.round_trip()
    await do(exchange, withdrawals.cancel, "A", owed)
    await exchange.approve(await do(exchange, payouts.order, ONE, "A.H", 3_000, PAYEE))
    await exchange.round_trip()
    await exchange.approve(await do(exchange, count_sessions.propose, ONE, "XM1", (ONE, OTHER), "yearly"))
    found = {(one.kind, one.state): one for one in await do(exchange, left_open.listing, MONDAY)}
    assert found["statement", "DISPUTED"].why == "A.H objects: wrong"
    assert found["invoice", "CORRECTION_PROPOSED"].why == f"a correction of {ONE} waits for another person"
    assert found["withdrawal", "ASKED"].why == "200.00 CNY of A.H"
    assert found["withdrawal", "CANCELLED"].why == "100.00 CNY of A.H are owed to it"
    assert found["payment_order", "HELD"].why == "30.00 CNY of A.H: in no payment file"
    assert found["count", "COUNTING"].why == "custody in XM1 is frozen"
    await do(exchange, payouts.send, ONE, ACCOUNT)
    (sent,) = [one for one in await do(exchange, left_open.listing, MONDAY) if one.kind == "payment_order"]
    assert (sent.state, sent.why) == ("SENT", "30.00 CNY of A.H: no answer to file 1")
    name = (await do(exchange, payouts.listing))[-1].end_to_end
    await statement(exchange, ready, Payment(-3_000, name, PAYEE.name))
    await do(exchange, deposits.match, ONE)
    assert not [one for one in await do(exchange, left_open.listing, MONDAY) if one.kind == "payment_order"]
