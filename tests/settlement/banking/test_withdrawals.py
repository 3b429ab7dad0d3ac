"""A member asks for its money: within its means and limits, to itself alone, once, and it sees what becomes of it."""

import re

import pytest
from sqlalchemy import text

from goldx.protocol import terms
from goldx.protocol.units import BadValue
from settlement.banking import (
    answers,
    bank_reconciliation,
    payees,
    payouts,
    withdrawal_limits,
    withdrawal_states,
    withdrawals,
)
from settlement.banking.withdrawal_limits import Limits
from settlement.banking.withdrawals import AskedWithdrawal
from settlement.base import proposals, standings
from settlement.base.standings import new_notice
from settlement.ledger import cash
from settlement.service import documents, movements
from tests.matching.core.flows_of_regimes import regime_command
from tests.settlement.banking.bank_days import FREE, NAME, PAYEE, statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.banking.test_payouts import pain_002
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, begin_day, do, find_breaks, refused

ASKED = AskedWithdrawal("R-1", "A.H", 20_000, 1)


async def ask(exchange: SmallExchange, request: AskedWithdrawal = ASKED) -> int:
    return await do(exchange, withdrawals.ask, "A", "A-1", request)


async def state(exchange: SmallExchange, number: int = 1) -> tuple[str, bool]:
    found = await do(exchange, withdrawal_states.find, number)
    return found.state, found.money_back


async def held(exchange: SmallExchange, request: AskedWithdrawal = ASKED) -> str:
    """Ask for a withdrawal and let two people pass it and the engine take the money; return its end-to-end id."""
    number = await ask(exchange, request)
    await exchange.approve(await do(exchange, withdrawals.accept, ONE, number))
    await exchange.round_trip()
    return str((await do(exchange, withdrawal_states.find, number)).end_to_end)


async def test_a_withdrawal_is_followed_from_the_request_to_the_payment(
    exchange: SmallExchange, ready: MockBank
) -> None:
    number = await ask(exchange)
    assert await state(exchange) == ("ASKED", True)
    proposal = await do(exchange, withdrawals.accept, ONE, number)
    await refused(exchange, "ILLEGAL_STEP", withdrawals.accept, OTHER, number)
    assert await state(exchange) == ("ACCEPTED", True)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await exchange.approve(proposal)
    assert await state(exchange) == ("APPROVED", True)
    await refused(exchange, "ILLEGAL_STEP", withdrawals.cancel, "A", number)
    await exchange.round_trip()
    assert await state(exchange) == ("HELD", False)
    assert exchange.held("A.H") == 80_000
    sent = await do(exchange, payouts.send, ONE, ACCOUNT)
    assert (sent.payments, sent.sum_fen) == (1, 20_000)
    assert await state(exchange) == ("SENT", False)
    await refused(exchange, "ILLEGAL_STEP", withdrawals.cancel, "A", number)
    name = (await do(exchange, withdrawal_states.find, number)).end_to_end
    for status, seen in (("ACSP", "SENT"), ("ACSC", "PAID")):
        await do(exchange, payouts.take_answers, ONE, answers.parse(pain_002((name, status, ""))))
        assert await state(exchange) == (seen, False)
    await statement(exchange, ready, Payment(-20_000, name, NAME))
    assert await state(exchange) == ("PAID", False)
    (back,) = await statement(exchange, ready, Payment(20_000, name, NAME, reason="AC04"))
    assert await state(exchange) == ("RETURNED", False)
    await exchange.approve(back.proposal or 0)
    await exchange.round_trip()
    assert await state(exchange) == ("RETURNED", True)
    assert exchange.held("A.H") == 100_000
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()


async def test_a_rejected_withdrawal_says_why_and_its_money_is_back(exchange: SmallExchange, ready: MockBank) -> None:
    assert ready.balance_fen == 100_000
    name = await held(exchange)
    await do(exchange, payouts.send, ONE, ACCOUNT)
    (taken,) = await do(exchange, payouts.take_answers, ONE, answers.parse(pain_002((name, "RJCT", "AC04"))))
    assert await state(exchange) == ("REJECTED", False)
    await exchange.approve(taken.proposal or 0)
    await exchange.round_trip()
    found = await do(exchange, withdrawal_states.find, 1)
    assert (found.state, found.money_back, found.reason) == ("REJECTED", True, "RJCT AC04")


async def test_a_lost_answer_is_asked_for_again_and_nothing_happens_twice(
    exchange: SmallExchange, ready: MockBank
) -> None:
    assert ready.balance_fen == 100_000
    assert [await ask(exchange) for _ in range(3)] == [1, 1, 1]
    await held(exchange)
    assert await ask(exchange) == 1
    for other in (ASKED._replace(amount_fen=20_001), ASKED._replace(payee_no=2)):
        await refused(exchange, "REFERENCE_REUSED", withdrawals.ask, "A", "A-1", other)
    await do(exchange, payouts.send, ONE, ACCOUNT)
    await refused(exchange, "NO_PAYMENTS", payouts.send, ONE, ACCOUNT)
    assert exchange.held("A.H") == 80_000


async def test_only_what_the_engine_lets_go_is_withdrawable(exchange: SmallExchange, ready: MockBank) -> None:
    """Reserved money and today's sale proceeds are not; what is asked for counts as gone."""
    assert ready.balance_fen == 100_000
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 1)
    await exchange.post()
    found = await do(exchange, withdrawals.withdrawable_of, "A", "A.H")
    assert found.asked_fen == 0
    free = found.withdrawable_fen
    assert 0 < free < 40_000
    await ask(exchange, ASKED._replace(amount_fen=free - 10))
    why = await refused(exchange, "NOT_WITHDRAWABLE", withdrawals.ask, "A", "A-1", AskedWithdrawal("R-2", "A.H", 11, 1))
    assert f"{(free - 10) / 100:.2f} are asked for already; 0.11 cannot be withdrawn" in why
    await ask(exchange, AskedWithdrawal("R-2", "A.H", 10, 1))


async def test_an_order_after_the_request_makes_the_engine_refuse(exchange: SmallExchange, ready: MockBank) -> None:
    assert ready.balance_fen == 100_000
    number = await ask(exchange, ASKED._replace(amount_fen=90_000))
    proposal = await do(exchange, withdrawals.accept, ONE, number)
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 1)
    await exchange.approve(proposal)
    await exchange.round_trip()
    found = await do(exchange, withdrawal_states.find, number)
    assert (found.state, found.money_back, found.reason) == ("REFUSED", True, "INSUFFICIENT_CASH")


async def test_limits_of_a_payment_and_of_a_trading_day(exchange: SmallExchange, ready: MockBank) -> None:
    assert ready.balance_fen == 100_000
    own = Limits(40_000, 50_000, 0)
    number = await do(exchange, withdrawal_limits.propose, "operator-2", own, "A.H")
    assert (await do(exchange, documents.show_proposal, number)).accounts == ["A.H"]
    await exchange.approve(number)
    await exchange.approve(await do(exchange, withdrawal_limits.propose, "operator-2", FREE))
    assert await do(exchange, withdrawal_limits.of, "A.H") == own, "also where those of all others are newer"
    assert await do(exchange, withdrawal_limits.of, "B.H") == FREE
    too_much = ASKED._replace(amount_fen=40_001)
    why = await refused(exchange, "OVER_LIMIT", withdrawals.ask, "A", "A-1", too_much)
    assert why == "a withdrawal of A.H may be up to 400.00 CNY, not 400.01"
    await ask(exchange, ASKED._replace(amount_fen=40_000))
    more = AskedWithdrawal("R-2", "A.H", 10_001, 1)
    await refused(exchange, "OVER_LIMIT", withdrawals.ask, "A", "A-1", more)
    await ask(exchange, more._replace(amount_fen=10_000))
    await do(exchange, withdrawals.decline, ONE, 2, "by telephone")
    await ask(exchange, AskedWithdrawal("R-3", "A.H", 10_000, 1))
    await refused(exchange, "OVER_LIMIT", withdrawals.ask, "A", "A-1", AskedWithdrawal("R-4", "A.H", 1, 1))
    await begin_day(exchange, "2099-12-01")
    await ask(exchange, AskedWithdrawal("R-4", "A.H", 1, 1))
    declined = await do(exchange, withdrawal_states.find, 2)
    assert (declined.state, declined.reason, declined.money_back) == ("DECLINED", "by telephone", True)
    for limits, field in (
        (Limits(-1, 1, 0), "per_payment"),
        (Limits(2, 1, 0), "per_payment"),
        (Limits(1, 1, -1), "wait_hours"),
    ):
        with pytest.raises(BadValue, match=field):
            await do(exchange, withdrawal_limits.propose, "operator-2", limits)


async def test_an_account_at_a_bank_is_the_members_own_and_waits_for_its_first_use(
    exchange: SmallExchange, ready: MockBank
) -> None:
    assert ready.balance_fen == 100_000
    await refused(exchange, "PAYEE_DIFFERS", payees.propose, ONE, "A", PAYEE._replace(name="某某", account="1234"))
    with pytest.raises(BadValue, match="an account that A does not have yet"):
        await do(exchange, payees.propose, ONE, "A", PAYEE._replace(account="６２２２ 0001"))
    await exchange.approve(await do(exchange, withdrawal_limits.propose, "operator-2", FREE._replace(wait_hours=24)))
    await exchange.approve(
        await do(exchange, payees.propose, ONE, "A", PAYEE._replace(name="MEMBER a", account="62220002"))
    )
    new = ASKED._replace(payee_no=3)
    await refused(exchange, "PAYEE_WAITS", withdrawals.ask, "A", "A-1", new)
    async with exchange.engine.begin() as connection:
        await connection.execute(text("UPDATE payee_account SET usable_at = usable_at - 86400000 WHERE payee_no = 3"))
    number = await ask(exchange, new)
    await do(exchange, payees.end, ONE, 3, "closed")
    with pytest.raises(BadValue, match="the number of a live account of A at a bank"):
        await do(exchange, withdrawals.accept, ONE, number)
    other = AskedWithdrawal("R-8", "B.H", 1, 1)
    for member, request in (("A", other), ("B", other), ("A", other._replace(account="C.H"))):
        with pytest.raises(BadValue):
            await do(exchange, withdrawals.ask, member, "K", request)
    notice = new_notice("suspend", "member", "A", "operator-2", "fraud")
    await do(exchange, standings.write, notice)
    await refused(
        exchange, "NOT_ACTIVE", withdrawals.accept, ONE, await ask(exchange, AskedWithdrawal("R-9", "A.H", 1, 1))
    )


@pytest.mark.parametrize("when", ["ASKED", "ACCEPTED", "HELD"])
async def test_a_withdrawal_is_cancelled_until_it_is_with_the_bank(
    exchange: SmallExchange, ready: MockBank, when: str
) -> None:
    assert ready.balance_fen == 100_000
    number = await ask(exchange)
    proposal = 0
    if when != "ASKED":
        proposal = await do(exchange, withdrawals.accept, ONE, number)
    if when == "HELD":
        await exchange.approve(proposal)
        await exchange.round_trip()
    with pytest.raises(BadValue, match="the number of a withdrawal"):
        await do(exchange, withdrawals.cancel, "B", number)
    for _ in range(2):
        found = await do(exchange, withdrawals.cancel, "A", number)
        assert (found.state, found.money_back, found.owed) == ("CANCELLED", when != "HELD", when == "HELD")
    await refused(exchange, "NO_PAYMENTS", payouts.send, ONE, ACCOUNT)
    if when == "ACCEPTED":
        await refused(exchange, "ILLEGAL_STEP", movements.approve, OTHER, proposal)
    if when != "HELD":
        await refused(exchange, "ILLEGAL_STEP", withdrawals.give_back, ONE, number)
        assert await find_breaks(exchange) == (), "who has cancelled is no difference"
        return
    await do(exchange, movements.decline, OTHER, await do(exchange, withdrawals.give_back, ONE, number))
    back = await do(exchange, withdrawals.give_back, ONE, number)
    await refused(exchange, "ILLEGAL_STEP", withdrawals.give_back, ONE, number)
    await exchange.approve(back)
    await exchange.round_trip()
    assert await state(exchange) == ("CANCELLED", True)
    assert exchange.held("A.H") == 100_000
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()


async def test_while_the_venue_winds_down_no_new_money_comes_in_and_what_was_on_its_way_out_comes_back(
    exchange: SmallExchange, ready: MockBank
) -> None:
    assert ready.balance_fen == 100_000
    await held(exchange)
    await exchange.engine_runner.run(*(regime_command(terms.WIND_DOWN, by) for by in ("ada", "ben")))
    for new in (True, False):
        await exchange.approve(await do(exchange, cash.propose, ONE, "A.H", 5_000, f"NEW-{new}"))
        await exchange.round_trip()
        assert exchange.held("A.H") == 80_000, "the engine has refused the deposit"
        if new:
            await do(exchange, withdrawals.cancel, "A", 1)
    await exchange.approve(await do(exchange, withdrawals.give_back, ONE, 1))
    await exchange.round_trip()
    assert exchange.held("A.H") == 100_000


@pytest.mark.usefixtures("configured_database", "ready")
async def test_a_clerk_works_the_list_of_withdrawals(exchange: SmallExchange) -> None:
    for number in (1, 2):
        await ask(exchange, ASKED._replace(client_ref=f"R-{number}"))
    listed = (await clerk(ONE, "withdrawal", "list", "--status", "ASKED")).splitlines()
    assert listed[1].startswith("1\tA\tA.H\t200.00\tASKED\tno\t")
    assert "waits for another person's approval: cash 2" in await clerk(ONE, "withdrawal", "accept", "1")
    assert "is declined" in await clerk(ONE, "withdrawal", "decline", "2", "--reason", "twice")
    assert "twice" in await clerk(ONE, "withdrawal", "list", "--status", "DECLINED", "--member", "A")
    limit = ("withdrawal", "limit", "--per-payment", "1.00", "--per-day", "2.00", "--wait-hours", "1")
    assert "none of the permissions operate" in await clerk(ONE, *limit, code=1)
    assert "withdrawal_limit 2" in await clerk("operator-2", *limit, "--account", "A.H")
    assert "2\tA.H\t1.00\t2.00\t1\tPROPOSED" in await clerk(ONE, "withdrawal", "limits")
    payee = ("payee", "add", "--member", "A", "--payee-name", "Member A", "--payee-account", "62220009")
    assert "payee_account 2" in await clerk(ONE, *payee, "--payee-bank", "ICBC")
    assert "has ended" in await clerk(ONE, "payee", "end", "1", "--reason", "closed")
    payee_lines = await clerk(ONE, "payee", "list", "--member", "A")
    assert re.search(r"\tENDED\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\tclosed", payee_lines)
    assert "no money of it" in await clerk(ONE, "withdrawal", "give-back", "2", code=1)


async def test_a_member_asks_with_its_own_key(exchange: SmallExchange, ready: MockBank, rest: Rest) -> None:
    """Nobody else sees its withdrawals, and it sees and cancels no other's."""
    assert ready.balance_fen == 100_000
    await exchange.engine_runner.open("M1.H")
    await exchange.post()
    await exchange.pay_in("M1.H", 50_000, "V-1")
    proposed = {"member": "M1", "name": "Member one", "account_number": "62229999", "bank": "ICBC"}
    await exchange.approve((await rest(ONE, "POST", "/payees", json=proposed))["proposal"])
    (payee,) = (await rest.own("M1", "GET", "/v1/payees"))["payees"]
    assert (payee["payee_no"], payee["status"]) == (2, "LIVE")
    found = await rest.own("M1", "GET", "/v1/withdrawable/M1.H")
    assert (found["withdrawable"], found["per_payment"]) == ("500.00", "1000.00")
    body = {"client_ref": "W1", "account": "M1.H", "amount": "200.00", "payee": 2}
    asked = await rest.own("M1", "POST", "/v1/withdrawals", json=body)
    assert (asked["state"], asked["amount"], asked["payee_account"]) == ("ASKED", "200.00", "62229999")
    assert await rest.own("M1", "POST", "/v1/withdrawals", json=body) == asked
    await rest.own("M1", "POST", "/v1/withdrawals", 409, json={**body, "amount": "200.01"})
    await rest.own("M1", "POST", "/v1/withdrawals", 422, json={**body, "client_ref": "W2", "account": "A.H"})
    await rest.own("M1", "POST", "/v1/withdrawals", 422, json={**body, "client_ref": "W2", "payee": 1})
    await ask(exchange)
    assert [row["withdrawal_no"] for row in (await rest.own("M1", "GET", "/v1/withdrawals"))["withdrawals"]] == [1]
    await rest.own("M1", "GET", "/v1/withdrawals/2", 422)
    await rest.own("M1", "POST", "/v1/withdrawals/2/cancel", 422)
    assert (await rest("auditor", "GET", "/withdrawals", params={"state": "ASKED"}))["withdrawals"][1]["member"] == "A"
    await rest.anybody("GET", "/v1/withdrawals", 401)
    await rest("M1", "GET", "/withdrawals", 403)
    await rest.own(ONE, "GET", "/v1/withdrawals", 403)
    limits = {"per_payment": "1.00", "per_day": "2.00", "wait_hours": 1}
    await rest(ONE, "POST", "/withdrawal-limits", 403, json=limits)
    await rest("operator", "POST", "/withdrawal-limits", json=limits)
    await rest(ONE, "POST", "/withdrawals/2/decline", json={"reason": "no"})
    number = (await rest(ONE, "POST", "/withdrawals/1/accept"))["proposal"]
    await exchange.approve(number)
    await exchange.round_trip()
    assert (await rest.own("M1", "GET", "/v1/withdrawals/1"))["state"] == "HELD"
    cancelled = await rest.own("M1", "POST", "/v1/withdrawals/1/cancel")
    assert (cancelled["state"], cancelled["money_back"]) == ("CANCELLED", False)
    await exchange.approve((await rest(ONE, "POST", "/withdrawals/1/give-back"))["proposal"])
    await exchange.round_trip()
    assert (await rest.own("M1", "GET", "/v1/withdrawals/1"))["money_back"] is True
    await rest(ONE, "POST", "/payees/2/end", json={"reason": "closed"})


@pytest.mark.parametrize("why", ["PAYEE_ENDED", "NOT_ACTIVE"])
async def test_what_is_stopped_after_it_was_accepted_is_neither_approved_nor_sent(
    exchange: SmallExchange, ready: MockBank, why: str
) -> None:
    """One withdrawal is accepted, another one held, a third is fine; the stop comes then."""
    assert ready.balance_fen == 100_000
    number = await ask(exchange, AskedWithdrawal("R-0", "A.H", 10_000, 1))
    proposal = await do(exchange, withdrawals.accept, ONE, number)
    await held(exchange)
    out = await do(exchange, cash.propose, ONE, "A.H", -100, "by hand")
    if why == "PAYEE_ENDED":
        assert await do(exchange, payees.end, ONE, 1, "the member says that it is not its own") == [1, 2]
    else:
        await do(exchange, standings.write, new_notice("suspend", "member", "A", "operator-2", "fraud"))
        await refused(exchange, why, movements.approve, OTHER, out)
        await refused(exchange, why, cash.propose, ONE, "A.H", -100, "by hand again")
    await refused(exchange, why, movements.approve, OTHER, proposal)
    text_ = await refused(exchange, "NO_PAYMENTS", payouts.send, ONE, ACCOUNT)
    assert "cash 3: " in text_
    assert "nothing is paid to it" in text_
    await do(exchange, movements.decline, OTHER, proposal)
    assert await state(exchange, 1) == ("DECLINED", True)
    assert await state(exchange, 2) == ("HELD", False)
    await exchange.approve(await do(exchange, withdrawals.give_back, ONE, 2))
    await exchange.round_trip()
    found = await do(exchange, withdrawal_states.find, 2)
    assert (found.state, found.money_back) == ("CANCELLED", True)
    assert "nothing is paid to it" in found.reason
    assert exchange.held("A.H") == 100_000
    assert (await do(exchange, bank_reconciliation.reconcile, ONE)).breaks == ()


async def test_a_payment_file_leaves_stopped_orders_out_and_names_them(
    exchange: SmallExchange, ready: MockBank
) -> None:
    assert ready.balance_fen == 100_000
    await exchange.approve(await do(exchange, payees.propose, ONE, "A", PAYEE._replace(account="62220002")))
    await held(exchange)
    await held(exchange, AskedWithdrawal("R-2", "A.H", 30_000, 2))
    await refused(exchange, "ILLEGAL_STEP", withdrawals.give_back, ONE, 2)
    await do(exchange, payees.end, ONE, 1, "the member says that it is not its own")
    sent = await do(exchange, payouts.send, ONE, ACCOUNT)
    assert (sent.payments, sent.sum_fen) == (1, 30_000)
    assert b"62220001" not in sent.content
    assert [(one.account, one.amount_fen) for one in sent.stopped] == [("A.H", 20_000)]
    assert sent.stopped[0].why == "account 62220001 of member A has ended: nothing is paid to it"


async def test_a_clerk_pays_to_registered_accounts_alone_within_the_limits(
    exchange: SmallExchange, ready: MockBank
) -> None:
    """A clerk's orders and the member's own requests count together."""
    assert ready.balance_fen == 100_000
    with pytest.raises(BadValue, match="the number of a live account of A at a bank"):
        await do(exchange, withdrawals.pay, ONE, "A.H", 100, 2)
    tight = Limits(40_000, 50_000, 24)
    await exchange.approve(await do(exchange, withdrawal_limits.propose, "operator-2", tight))
    await exchange.approve(await do(exchange, payees.propose, ONE, "A", PAYEE._replace(account="62220002")))
    await refused(exchange, "PAYEE_WAITS", withdrawals.pay, ONE, "A.H", 100, 2)
    await refused(exchange, "OVER_LIMIT", withdrawals.pay, ONE, "A.H", 40_001, 1)
    proposal = await do(exchange, withdrawals.pay, ONE, "A.H", 40_000, 1)
    summary = (await do(exchange, proposals.find, proposal)).summary
    assert (summary["withdrawal"], summary["member"]) == ("1", "A")
    await refused(exchange, "OVER_LIMIT", withdrawals.pay, ONE, "A.H", 10_001, 1)
    await refused(exchange, "OVER_LIMIT", withdrawals.ask, "A", "A-1", AskedWithdrawal("R-1", "A.H", 10_001, 1))
    await do(exchange, standings.write, new_notice("suspend", "member", "A", "operator-2", "fraud"))
    await refused(exchange, "NOT_ACTIVE", withdrawals.pay, ONE, "A.H", 1, 1)


async def test_a_new_payee_waits_for_the_longest_hours_of_the_members_accounts(
    exchange: SmallExchange, ready: MockBank
) -> None:
    assert ready.balance_fen == 100_000
    await exchange.approve(await do(exchange, withdrawal_limits.propose, "operator-2", Limits(1, 1, 100), "A.H"))
    await exchange.approve(await do(exchange, withdrawal_limits.propose, "operator-2", Limits(1, 1, 8_000), "B.H"))
    await exchange.approve(await do(exchange, payees.propose, ONE, "A", PAYEE._replace(account="62220002")))
    rows = await do(exchange, payees.listing, member="A")
    hours = (rows[1].usable_at - rows[0].usable_at) / payees.HOUR_MS
    assert 100 <= hours < 200, "those of A.H alone"
