"""Corrections of money by two people, and fee income paid out: each with its entry, and no break afterwards."""

import pytest

from goldx.protocol import terms
from goldx.protocol.commands import HoldingAdjust, MarketEndDay
from goldx.protocol.units import CASH, BadValue
from settlement.ledger import balances, cash, corrections, fee_payouts
from settlement.service import documents, movements
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, refused

WHY = ("booked to the wrong account", "LETTER-1")


async def carried_out(exchange: SmallExchange, proposal: int) -> None:
    await exchange.approve(proposal)
    await exchange.round_trip()


async def test_money_on_the_wrong_account_is_moved_by_two_people(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 10_000, "B-1")
    proposal = await do(exchange, corrections.propose, ONE, "A.H", "B.H", 4_000, *WHY)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    shown = await do(exchange, documents.show_proposal, proposal)
    assert (shown.accounts, shown.summary["reason"]) == (["A.H", "B.H"], WHY[0])
    await carried_out(exchange, proposal)
    assert (exchange.held("A.H"), exchange.held("B.H")) == (6_000, 4_000)
    assert (await do(exchange, documents.show, "correction", 1)).status == "DONE"
    assert await do(exchange, balances.of_kind, "bank_escrow", CASH) == -10_000, "the bank's money is as before"
    assert await find_breaks(exchange) == ()


async def test_a_correction_that_the_engine_refuses_says_so(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 100_000_000, "B-1")
    await refused(exchange, "INSUFFICIENT_CASH", corrections.propose, ONE, "A.H", "B.H", 100_000_001, *WHY)
    proposal = await do(exchange, corrections.propose, ONE, "A.H", "B.H", 90_000_000, *WHY)
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 1_000)
    await carried_out(exchange, proposal)
    found = await do(exchange, documents.show, "correction", 1)
    assert (found.status, found.says["reason"]) == ("REFUSED", "INSUFFICIENT_CASH")
    await exchange.engine_runner.order("A.H", terms.SELL, 70_000, 1)
    declined = await do(exchange, corrections.propose, ONE, "A.H", "B.H", 1, *WHY)
    await do(exchange, movements.decline, OTHER, declined)
    assert (await do(exchange, documents.show, "correction", 2)).status == "DECLINED"
    assert await find_breaks(exchange) == ()


async def test_what_came_or_went_by_no_document_is_cleared_and_never_beyond(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 10_000, "B-1")
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "A.H", None, 1, *WHY)
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, None, "A.H", 1, *WHY)
    await exchange.engine_runner.run(HoldingAdjust("A.H", CASH, 300, "typed in"))
    await exchange.post()
    assert {found.kind for found in await find_breaks(exchange)} >= {"UNIDENTIFIED"}
    first = await do(exchange, corrections.propose, ONE, "A.H", None, 200, *WHY)
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "A.H", None, 101, *WHY)
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, None, "A.H", 1, *WHY)
    await carried_out(exchange, first)
    await carried_out(exchange, await do(exchange, corrections.propose, ONE, "A.H", None, 100, *WHY))
    assert await do(exchange, balances.of_kind, "suspense", CASH) == 0
    assert await find_breaks(exchange) == ()
    await exchange.engine_runner.run(HoldingAdjust("A.H", CASH, -50, "typed out"))
    await exchange.post()
    await carried_out(exchange, await do(exchange, corrections.propose, ONE, None, "A.H", 50, *WHY))
    assert exchange.held("A.H") == 10_000
    assert await find_breaks(exchange) == ()


@pytest.mark.parametrize(
    ("accounts", "amount", "field"),
    [
        (("A.H", "B.H"), 0, "amount"),
        (("A.H", "B.H"), -5, "amount"),
        (("A.H", "A.H"), 5, "to_account"),
        ((None, None), 5, "to_account"),
        (("A.H", "X.H"), 5, "account"),
    ],
)
async def test_a_correction_that_says_nothing_is_refused(
    exchange: SmallExchange, accounts: tuple[str | None, str | None], amount: int, field: str
) -> None:
    await exchange.pay_in("A.H", 10_000, "B-1")
    with pytest.raises(BadValue, match=f"^{field}:"):
        await do(exchange, corrections.propose, ONE, *accounts, amount, *WHY)


async def test_fee_income_goes_to_the_venues_account_and_from_there_to_the_bank(exchange: SmallExchange) -> None:
    await exchange.issue([{}])
    await exchange.pay_in("B.H", 10_000_000, "B-1")
    await exchange.trade("B.H", "A.H", 60_000, 10)
    earned = await do(exchange, balances.of_kind, "fee_income", CASH)
    assert earned > 0
    await refused(exchange, "INSUFFICIENT_FEES", fee_payouts.propose, ONE, 1, "November")
    await exchange.engine_runner.run(MarketEndDay("2026-11-25"))
    await exchange.post()
    await refused(exchange, "INSUFFICIENT_FEES", fee_payouts.propose, ONE, earned + 1, "November")
    first = await do(exchange, fee_payouts.propose, ONE, earned - 1, "November")
    await refused(exchange, "INSUFFICIENT_FEES", fee_payouts.propose, ONE, 2, "November")
    await carried_out(exchange, first)
    assert exchange.held("VENUE") == earned - 1
    assert await do(exchange, balances.of_kind, "fee_income", CASH) == 1
    assert await find_breaks(exchange) == ()
    await carried_out(exchange, await do(exchange, cash.propose, ONE, "VENUE", -(earned - 1), "O-1"))
    assert exchange.held("VENUE") == 0
    assert await find_breaks(exchange) == ()


@pytest.mark.usefixtures("configured_database")
async def test_corrections_by_command_and_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    await exchange.pay_in("A.H", 10_000, "B-1")
    words = ("--amount", "10.00", "--reason", WHY[0], "--document", WHY[1])
    assert "proposal 2 waits" in await clerk(
        ONE, "correct", "money", "--from-account", "A.H", "--to-account", "B.H", *words
    )
    assert "INSUFFICIENT" not in await clerk(ONE, "correct", "fees", "--amount", "1", "--reason", "x", code=1)
    assert "claim: 7" in await clerk(ONE, "correct", "claim", "7", *words, code=1)
    body = {"amount": "10.00", "reason": WHY[0], "document": WHY[1]}
    both = {"from_account": "A.H", "to_account": "B.H"}
    assert (await rest(ONE, "POST", "/corrections", json={**body, **both}))["proposal"] == 3
    assert (await rest(ONE, "POST", "/corrections/claims/7", 422, json=body))["field"] == "claim"
    wrong = await rest(ONE, "POST", "/corrections/fees", 409, json={"amount": "1.00", "reason": "x"})
    assert wrong["reason"] == "INSUFFICIENT_FEES"
