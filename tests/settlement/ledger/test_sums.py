"""Sums of money and metal: limits at their entry, room for every sum in the ledger; signs; and accounts."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.commands import AccountOpen, HoldingAdjust
from goldx.protocol.units import CASH, MAX_MONEY_FEN, MAX_PRICE_FEN, MAX_SUM, MAX_WEIGHT_MG, MG_PER_GRAM, BadValue
from settlement.banking import accounts, deposits, virtual_accounts
from settlement.base import registry
from settlement.base.sub_accounts import CUSTODY_MEMBER
from settlement.custody import legal_holds, receipts
from settlement.ledger import balances, cash, corrections
from settlement.reconciliation import three_way
from settlement.recycling import counters, two_way
from settlement.recycling.two_way import PostedPrice
from settlement.service.writer import Ledger
from settlement.tables.base import proposal
from settlement.tables.ledger import engine_holding
from settlement.workbooks.cells import BadFile
from tests.settlement.banking.bank_days import statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.commands import clerk
from tests.settlement.intake.lot_steps import advised
from tests.settlement.publisher import Publisher
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange, do, refused


def test_the_largest_trade_and_the_largest_sum_are_within_64_bits() -> None:
    assert MAX_PRICE_FEN * MAX_WEIGHT_MG // MG_PER_GRAM <= MAX_SUM
    assert 4 * MAX_SUM < 2**63, "a trade's value and both fees, between accounts that have the largest sum"


async def test_no_sum_of_events_stops_the_ledger(publisher: Publisher, engine: AsyncEngine) -> None:
    ledger = Ledger(engine, "t")
    await ledger.open()
    publisher.define("AU")
    accounts = [f"B{number}.H" for number in range(100)]
    publisher.open(*accounts)
    for number, account in enumerate(accounts):
        publisher.adjust(account, CASH, MAX_MONEY_FEN, f"cash-{number}")
        publisher.adjust(account, "AU", MAX_MONEY_FEN, f"gold-{number}")
    for number in range(100):
        publisher.adjust(accounts[0], CASH, MAX_MONEY_FEN, f"more-{number}")
    assert await ledger.post([publisher.take_frame()]) == publisher.sequence
    async with engine.connect() as connection:
        assert await balances.of_kind(connection, "suspense", CASH) == -200 * MAX_MONEY_FEN < -(2**63)
        totals = await connection.execute(
            select(engine_holding.c.account, engine_holding.c.asset, engine_holding.c.total)
        )
        assert {(row[0], row[1]): row[2] for row in totals} == dict(publisher.held)
    assert {found.kind for found in (await three_way.reconcile(engine, "test")).breaks} >= {"UNIDENTIFIED"}


async def test_all_money_together_is_bounded(exchange: SmallExchange) -> None:
    accounts = [f"C{number}.H" for number in range(11)]
    await exchange.engine_runner.open(*accounts)
    await exchange.post()
    for number, account in enumerate(accounts[:9]):
        await exchange.pay_in(account, MAX_MONEY_FEN, f"B-{number}")
    waiting = await do(exchange, cash.propose, ONE, accounts[9], MAX_MONEY_FEN, "B-9")
    said = await refused(exchange, "SUM_TOO_LARGE", cash.propose, ONE, accounts[10], 1, "B-10")
    assert "10000000000000000.01 of CNY" in said
    await exchange.approve(waiting)
    await refused(exchange, "SUM_TOO_LARGE", cash.propose, ONE, accounts[10], 1, "B-11")
    await exchange.round_trip()
    await refused(exchange, "SUM_TOO_LARGE", cash.propose, ONE, accounts[10], 1, "B-12")
    await do(exchange, cash.propose, ONE, accounts[0], -1, "B-13")


async def test_all_gold_of_a_class_together_is_bounded(exchange: SmallExchange) -> None:
    adjusts = [HoldingAdjust("B.H", "AU", MAX_MONEY_FEN, f"typed-{number}") for number in range(10)]
    await exchange.engine_runner.run(*adjusts)
    await exchange.post()
    numbers = await exchange.register([{}])
    await refused(exchange, "SUM_TOO_LARGE", receipts.propose_issue, ONE, numbers)


async def test_money_that_the_bank_does_not_hold_does_not_go_out(exchange: SmallExchange) -> None:
    await exchange.engine_runner.run(HoldingAdjust("A.H", CASH, 1_000, "typed"))
    await exchange.post()
    await refused(exchange, "INSUFFICIENT_ESCROW", cash.propose, ONE, "A.H", -1_000, "O-1")
    await exchange.pay_in("B.H", 500, "B-1")
    await do(exchange, cash.propose, ONE, "A.H", -300, "O-2")
    await refused(exchange, "INSUFFICIENT_ESCROW", cash.propose, ONE, "A.H", -300, "O-3")


@pytest.mark.usefixtures("configured_database")
async def test_a_sign_is_refused_where_the_command_says_the_way(exchange: SmallExchange) -> None:
    for name in ("cash-in", "cash-out"):
        for amount in ("-5.00", "0", "-0"):
            words = ("--account", "A.H", f"--amount={amount}", "--bank-reference", "B-1")
            said = await clerk(ONE, name, *words, code=1)
            assert f'amount: "{amount}" is not allowed; it must be more than zero' in said
    async with exchange.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(proposal)) == 0


async def test_over_rest_the_sign_says_the_way(exchange: SmallExchange, rest: Rest) -> None:
    await exchange.pay_in("A.H", 1_000, "B-1")
    await rest(ONE, "POST", "/cash", json={"account": "A.H", "amount": "-5.00", "bank_reference": "B-2"})
    (found,) = (await rest(ONE, "GET", "/proposals"))["proposals"]
    assert found["summary"]["amount"] == "-5.00"


async def test_an_adjustment_of_a_price_has_a_bound(exchange: SmallExchange) -> None:
    price = PostedPrice("VENUE", "GRAIN", 100, 200, two_way.MOST_ADJUSTMENT + 1, 100_000)
    with pytest.raises(BadValue, match="adjustment"):
        await do(exchange, two_way.post, ONE, price)


async def test_accounts_of_bound_gold_take_no_money_lots_or_counters(exchange: SmallExchange) -> None:
    await exchange.issue([{}])
    await exchange.approve(await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 1_000, "COURT", "C-1"))
    await exchange.round_trip()
    await exchange.engine_runner.run(
        AccountOpen("A.H.PLEDGE", CUSTODY_MEMBER, owner="A.H"), AccountOpen("SAFE", CUSTODY_MEMBER)
    )
    await exchange.post()
    entering: dict[str, Callable[..., Any]] = {
        "money": lambda c: cash.propose(c, ONE, "A.H.HOLD", 100, "B-1"),
        "money of what is pledged": lambda c: cash.propose(c, ONE, "A.H.PLEDGE", 100, "B-1"),
        "money back": lambda c: cash.propose(c, ONE, "A.H.PLEDGE", -100, "B-1"),
        "corrected money": lambda c: corrections.propose(c, ONE, "B.H", "A.H.HOLD", 1, "x", "L-1"),
        "corrected gold": lambda c: corrections.propose_metal(c, ONE, "AU", "A.H.HOLD", "B.H", 1, "x", "L-1"),
        "a virtual account": lambda c: virtual_accounts.add(c, ONE, "990001", "A.H.PLEDGE"),
        "a counter": lambda c: counters.add(c, ONE, "C1", "A", "A.H.HOLD", "XM1", "Counter"),
    }
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "A", "A")
    for act in entering.values():
        with pytest.raises(BadValue, match=r"receives gold only from A\.H"):
            await do(exchange, act)
    with pytest.raises(BadValue, match="a trading account: this one receives gold only from SAFE"):
        await do(exchange, cash.propose, ONE, "SAFE", 100, "B-1")
    with pytest.raises(BadFile, match="is not a trading account"):
        await advised(exchange, serial="X", account="A.H.HOLD")


@pytest.mark.parametrize("account", ["A.H.HOLD", "A.H.PLEDGE", "SAFE"])
async def test_neither_rest_nor_a_banks_payment_brings_money_to_accounts_of_bound_gold(
    exchange: SmallExchange, rest: Rest, account: str
) -> None:
    await exchange.engine_runner.run(AccountOpen(account, CUSTODY_MEMBER, owner="A.H" if "." in account else None))
    await exchange.post()
    transfer = {"account": account, "amount": "1.00", "bank_reference": "B-1"}
    assert (await rest(ONE, "POST", "/cash", 422, json=transfer))["field"] == "account"
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue & Co")
    (found,) = await statement(exchange, MockBank(0), Payment(100, account, text=account))
    assert found.proposal is None, "it waits in suspense"
    (waits,) = await do(exchange, deposits.suspense)
    with pytest.raises(BadValue, match=r"^account:"):
        await do(exchange, deposits.assign, ONE, waits.item_no, account, "as the letter says")
    assigned = {"account": account, "reason": "as the letter says"}
    path = f"/bank-suspense/{waits.item_no}/assign"
    assert (await rest(ONE, "POST", path, 422, json=assigned))["field"] == "account"
    assert await do(exchange, balances.of_kind, "bank_escrow", CASH) == 0
